"""Which scores a softmax leaves out, of what a model adds to them: the same for PyTorch and ONNX."""

from __future__ import annotations

import numpy as np

from lrp_ref.arrays import Array

HIDDEN = -1e4   # a score that a constant makes so low is left out: e to that power is 0 in both number types


def finite_and_there(added: Array, before: Array | None) -> tuple[Array, Array | None]:
    """What is added as a number, and which scores take part with those that did before; None: all of them."""
    there = added > HIDDEN if before is None else (added > HIDDEN) & (before != 0)
    return np.where(np.isfinite(added), added, 0), None if there.all() else there
