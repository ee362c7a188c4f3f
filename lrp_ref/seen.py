"""Rules that share relevance by another map of the layer than its own: the map that they see.

Which map a layer has at its input is fixed: the chord of an activation, a half of a product for each factor, a norm
with its scale and shift. Who reads a layer in another way says so by a rule; models hold no such choice.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from lrp_ref.arrays import Array, is_number, to_number
from lrp_ref.hints import shown
from lrp_ref.linear_map import LinearMap
from lrp_ref.rules import Epsilon, Rule, Share, must_be_number

ROUNDED = 2.0**-20   # what decimals of float32 may sum to beside 1


@dataclass(frozen=True)
class Tangent(Epsilon):
    """R_i = sum_j a_i (dz_j / da_i) / (z_j + epsilon sign z_j) R_j: Epsilon on the layer's derivatives.

    What the derivatives leave over of z_j, z_j - sum_i a_i dz_j / da_i, is the bias's. With epsilon 0 on every layer it
    is gradient times input, where no z_j is 0 (Shrikumar et al. 2016, Ancona et al. 2018).

    Use it to compare with gradients. On a layer that is linear around its input it is Epsilon.
    """

    def seen(self, m: LinearMap, a: Array) -> LinearMap:
        return m.tangent(a)


@dataclass(frozen=True)
class Factors(Rule):
    """R_i = sum_j part_k z_ij / (z_j + epsilon sign z_j) R_j, i being of factor k of a product: parts other than 1/K.

    parts  one for each tensor that the product reads, 1 in all. A factor of part 0 is not covered and receives nothing

    Use (0, 1) on what attention reads, A V, where A is taken as a constant (Ali et al. 2022).
    """

    parts: Any
    epsilon: Any = 0

    condition = "parts that sum to 1"

    @classmethod
    def examples(cls) -> tuple[Rule, ...]:
        return cls((0, 1)), cls((Fraction(1, 4), Fraction(3, 4)), Fraction(1, 4))

    def __post_init__(self) -> None:
        must_be_number(self, "epsilon", self.epsilon, 0)
        fine = isinstance(self.parts, (tuple, list)) and len(self.parts) > 1 and all(map(is_number, self.parts))
        if not fine or abs(float(sum(to_number(part, Fraction) for part in self.parts)) - 1) > ROUNDED:
            raise ValueError(f"Factors got parts={shown(self.parts)}, needed a number for each tensor, 1 in all: "
                             "(0, 1)")
        object.__setattr__(self, "parts", tuple(self.parts))

    def seen(self, m: LinearMap, a: Array) -> LinearMap:
        return m.shared(a, self.parts)

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        return Epsilon(self.epsilon).shares(m, a)


@dataclass(frozen=True)
class Unscaled(Epsilon):
    """R_i = sum_j a_i w_ij / (n_j + epsilon sign n_j) R_j, n_j = (a_j - mean) / s: a LayerNorm before scale and shift.

    Its scale and shift pass relevance on, so that no bias takes any. s is as it is at a (Ali et al. 2022).

    Use it on LayerNorm in place of Epsilon, which gives the shift its part.
    """

    def seen(self, m: LinearMap, a: Array) -> LinearMap:
        return m.unscaled()


__all__ = ["Factors", "Tangent", "Unscaled"]
