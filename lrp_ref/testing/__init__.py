"""Assertions for the tests of other projects, and what a fault looks like."""

from lrp_ref.testing.assertions import assert_cutoff, assert_ledger, assert_relevance_close

__all__ = ["assert_cutoff", "assert_ledger", "assert_relevance_close"]
