"""The vectors: cases, and the suite that is read from their files."""

from lrp_ref.conformance.vectors.suite import load

__all__ = ["load"]
