"""Exact and modular numbers, with which the array code runs as it is."""
