"""An adapter to your library: what `lrp-ref conform my_adapter:Adapter` holds to the vectors.

Here the library is five lines of NumPy that know one dense layer under LRP-epsilon. See docs/adapters.md.
"""

import numpy as np

from lrp_ref.conformance.adapter import Unsupported


def library(weight, bias, epsilon, x, R):   # in your project: an import
    z = x @ weight + bias
    d = z + np.where(z < 0, -epsilon, epsilon)
    return x * (np.divide(R, d, out=np.zeros_like(R), where=d != 0) @ weight.T)


class Adapter:
    name, version, unit_roundoff, conventions = "my library", "1.0", 2.0**-53, {}

    def relevance(self, network, rules, x, R):
        layers = list(network)
        kinds = [(type(layer).__name__, type(rules[name]).__name__) for name, layer in layers]
        if kinds != [("Linear", "Epsilon")]:
            raise Unsupported("one dense layer under epsilon is all that there is")
        [(name, layer)] = layers
        if not np.isfinite(x).all() or not np.isfinite(R).all() or not rules[name].epsilon >= 0:
            raise ValueError("needed finite numbers, and an epsilon of at least 0")
        if x.ndim < 2 or R.shape != (*x.shape[:-1], layer.weight.shape[1]):
            raise ValueError(f"got R of shape {R.shape} for x of shape {x.shape}")
        return library(layer.weight, 0 if layer.bias is None else layer.bias, rules[name].epsilon, x, R)
