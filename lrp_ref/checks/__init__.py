"""The oracle: what layers, rules and cut-off must do, written again and independently of the array code."""

from lrp_ref.checks.rounding.bounds import bounds
from lrp_ref.checks.rounding.monte_carlo import monte_carlo
from lrp_ref.checks.rounding.radius import one_layer

__all__ = ["bounds", "monte_carlo", "one_layer"]
