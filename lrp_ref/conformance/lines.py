"""`Lines`, an adapter to a program in another language, under the name that is promised."""

from lrp_ref.conformance.adapters.lines import Lines

__all__ = ["Lines"]
