"""Conventions: what implementations of LRP do differently, as changes of a rule; this room imports the core alone."""
