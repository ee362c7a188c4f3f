"""Of which: two parts of a Fisher pipeline's ledger that its columns do not show. They are no part of the law."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.layers import Layer
from lrp_ref.ledger import per_sample
from lrp_ref.network import Network
from lrp_ref.relevance import Explanation


@dataclass(frozen=True, eq=False)
class Part:
    """What part of a column of a layer's account: `what`, and how much relevance it is in each sample, (N,)."""

    layer: str
    column: str
    what: str
    amount: Array

    def line(self, e: Explanation, sample: int = 0) -> str:
        """In per cent of the sum of |R| that arrives at the layer, as the ledger's table is."""
        size = float(per_sample(abs(e.relevances[self.layer]))[sample])
        per_cent = f"{100 * float(self.amount[sample]) / size:.3f}%" if size else "-"
        return f"  {per_cent.replace('-0.000%', '0.000%'):>9} of {self.layer}'s {self.column} column: {self.what}"


def of_which(network: Network, e: Explanation) -> list[Part]:
    """What is lost in descriptors without contrast, and what clipping at the image's border moves; [] for a CNN."""
    parts: list[Part] = []
    for name, layer, (t, *_) in network.nodes:
        if layer.squares:
            rowwise = [above.name for above in network.nodes if above.reads == (name,) and above.layer.rowwise]
            parts += [part for above in rowwise for part in without_contrast(name, above, e)]
            parts += [*moved_inward(name, layer, e.activations[t], e)]
    return parts


def without_contrast(descriptors: str, above: str, e: Explanation) -> Iterator[Part]:
    """sum over l with a_l = 0 of what the layer above the descriptors does not hand to l, column by column.

    The layer above is `rowwise`, so that its outputs are indexed by descriptors as its inputs are.

    Such a descriptor says nothing, and every z_ij of it is 0; yet the Fisher vector counts it and gives it relevance.
    The stabiliser of the projection takes that (without one it is dead).
    """
    empty = (e.activations[descriptors] == 0).all(axis=-1)
    for column in ("bias", "stabiliser", "dead"):
        lost = getattr(e.ledger[above], column)
        if lost[empty].any():
            what = f"in {int(empty.sum())} of {empty.size} descriptors, which have no contrast"
            yield Part(above, column, what, np.stack([part[none].sum() for part, none in zip(lost, empty)]))


def moved_inward(name: str, layer: Layer, image: Array, e: Explanation) -> Iterator[Part]:
    """sum_j (1 - n_j / s^2) R_j: a bin's s^2 pixels share its relevance, or the n_j of them inside the image do."""
    outside = layer.outside(image)
    if outside is not None:
        yield Part(name, "handed", "moved inward, from bins that reach over the image's border",
                   per_sample(e.relevances[name] * outside))
