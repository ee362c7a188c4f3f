"""What adapters are written with, under the name that is promised."""

from lrp_ref.conformance.adapters.adapter import Unsupported

__all__ = ["Unsupported"]
