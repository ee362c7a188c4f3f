"""The oracle: what layers, rules and cut-off must do, written again and independently of the array code."""

from lrp_ref.checks.bounds import bounds, one_layer
from lrp_ref.checks.monte_carlo import monte_carlo

__all__ = ["bounds", "monte_carlo", "one_layer"]
