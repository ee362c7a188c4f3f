"""LXT 2.1: epsilon without a sign."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lrp_ref import rules
from lrp_ref.arrays import Array, constant
from lrp_ref.conformance.dialects.conventions import Conventions, Dialect


@dataclass(frozen=True)
class Epsilon(rules.Epsilon):
    """R_i = sum_j a_i w_ij / (z_j + epsilon) R_j.

    Departs where z is negative: epsilon moves it towards 0, to a pole at z = -epsilon (D1, D1c).
    """

    epsilon: Any = 1e-6

    def guard(self, z: Array) -> Array:
        return constant(self.epsilon, z) + 0 * z


DIALECT = Dialect(
    "LXT", "2.1", {"Epsilon": Epsilon, "Pass": rules.Pass},
    Conventions(start="chosen", epsilon_sign="none", sign_of_zero=None, default_epsilon=1e-6, zero_rule="nan",
                stabiliser=None, pool_epsilon=None, bias_alpha_beta=None, split=None, alpha_beta=None,
                small_negative=None, gamma=None, bias_gamma=None, bias_w_square=None, bias_z_box=None, flat=None,
                w_square=None, max_pool=None, flat_max_pool=None, batch_norm=None, lrn=None),
)
