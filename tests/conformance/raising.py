"""An adapter that raises: one fault with many texts, at one line; and another elsewhere."""

from __future__ import annotations

from typing import Any

import numpy as np

from lrp_ref.conformance.adapters.ours import Ours
from lrp_ref.layers import Conv2D, Linear


class Raising(Ours):
    """Convolutions and fully connected layers raise, each in its own way; the texts have the case's shapes."""

    def relevance(self, network: Any, rules: Any, x: Any, R: Any) -> Any:
        for _, layer in network:
            if isinstance(layer, Conv2D):
                self.broadcast(x, R)
            if isinstance(layer, Linear) and layer.bias is not None and layer.bias.any():
                raise KeyError("bias")
        return super().relevance(network, rules, x, R)

    def broadcast(self, x: Any, R: Any) -> Any:
        return np.zeros((2, *x.shape)) + np.zeros((*R.shape, 3))   # shapes that never fit
