"""LRP, to be written by you: fill in the methods that are exercises, in place of `raise`."""

from dataclasses import dataclass

import numpy as np

from lrp_ref.conformance.adapter import Unsupported


@dataclass
class Map:
    """What a layer is at its input: I inputs, J outputs, z_j = sum_i c_ij a_i w_ij + b_j.

    a (I,)         the inputs
    c (I, J)       1 where input i reaches output j, else 0
    w (I, J)       the weights, 0 where c is 0
    b (J,)         the biases
    learned        whether the weights were trained; those of a pooling were not
    """

    a: np.ndarray
    c: np.ndarray
    w: np.ndarray
    b: np.ndarray
    learned: bool = True


def divide(x, y):
    """x / y, and 0 where y is 0."""
    return np.where(y == 0, 0.0, x / np.where(y == 0, 1.0, y))


class Mine:
    name, version, unit_roundoff, conventions = "mine", "1", 2.0**-53, {}

    # ---- Rules: what the outputs have, R (J,), is shared among the inputs, (I,). m is the layer's Map ----

    def flat(self, rule, m, R):
        """Exercise 1. Every input that reaches output j gets as much."""
        raise Unsupported("exercise 1")

    def epsilon(self, rule, m, R):
        """Exercise 2. By what each contributes, with rule.epsilon in the denominator."""
        raise Unsupported("exercise 2")

    def alpha_beta(self, rule, m, R):
        """Exercise 3. rule.alpha parts by the positive contributions, -rule.beta by the negative ones."""
        raise Unsupported("exercise 3")

    def z_plus(self, rule, m, R):
        """Exercise 3. By the positive contributions alone."""
        raise Unsupported("exercise 3")

    def gamma(self, rule, m, R):
        """Exercise 3. By all contributions, those of the output's sign raised by rule.gamma."""
        raise Unsupported("exercise 3")

    def winner(self, rule, m, R):
        """Exercise 4. By the weights, which in a max-pooling say who won."""
        raise Unsupported("exercise 4")

    def w_square(self, rule, m, R):
        """Exercise 6. By the squares of the weights; flat where weights were not learned."""
        raise Unsupported("exercise 6")

    def z_box(self, rule, m, R):
        """Exercise 6. By how far each contribution lies above the least that the box allows."""
        raise Unsupported("exercise 6")

    # ---- Layers: a layer and one input x are made a Map ----

    def linear(self, layer, x):
        """Given. Every input reaches every output."""
        b = np.zeros(layer.weight.shape[1]) if layer.bias is None else layer.bias
        return Map(x, np.ones_like(layer.weight), layer.weight, b)

    def pixels(self, layer, size, shape, v, h):
        """Exercise 4. What output (v, h) sees: a list of (row, column, y, x), kernel number and pixel under it.

        size: rows and columns of the kernel; shape: (channels, height, width) of the image, outside which is nothing.
        """
        raise Unsupported("exercise 4")

    def convolution(self, layer, x):
        """Exercise 4. Inputs are the pixels of all channels, outputs likewise."""
        raise Unsupported("exercise 4")

    def pooled(self, layer, x):
        """What poolings share: c_ij, pixels (channels, height, width) by outputs (channels, height, width)."""
        outputs = layer.output_shape((1, *x.shape))[1:]
        c = np.zeros((*x.shape, *outputs))
        for v in range(outputs[1]):
            for h in range(outputs[2]):
                for _, _, y, x_ in self.pixels(layer, layer.size, x.shape, v, h):
                    for channel in range(len(x)):
                        c[channel, y, x_, channel, v, h] = 1
        return matrix(c)

    def max_pooling(self, layer, x):
        """Exercise 4. The whole window is covered; the winners have the weights, which are 1 in all."""
        raise Unsupported("exercise 4")

    def average_pooling(self, layer, x):
        """Exercise 5. A window has one weight: the layer's output for an image of ones, over how many it sees."""
        raise Unsupported("exercise 5")

    def fisher(self, layer, x):
        """Exercise 7. Each descriptor is present, a = 1, and what it adds to the vector, Eq. 3 and 4, is its weight."""
        raise Unsupported("exercise 7")

    def add(self, layer, x):
        """Exercise 8. x has the tensors that are added along its first axis; each reaches its own place of the sum."""
        raise Unsupported("exercise 8")

    def matrix_product(self, layer, x):
        """Exercise 8. z = A B; x has the numbers of A, then those of B. A weight is a share of what 1 more adds."""
        raise Unsupported("exercise 8")

    def softmax(self, layer, x):
        """Exercise 8. The tangent of every row, w_ij = z_j (d_ij - z_i); b is what it leaves over of z."""
        raise Unsupported("exercise 8")

    # ---- Given: the way down through a network. Nothing is to be filled in from here on ----

    def relevance(self, network, rules, x, R):
        """R_0: every layer's input first, then down, layer by layer."""
        xs = network.activations(x)
        if R.shape != xs[network.output].shape or not all(np.isfinite(a).all() for a in (R, x)):
            raise ValueError("needed R of the output's shape, and finite numbers")
        Rs = {network.output: R}
        for name, layer, reads in reversed(network.nodes):
            below = self.through(layer, rules[name], network.read(name, xs), Rs[name])
            for tensor, message in zip(reads, layer.split(below, *(xs[t].shape for t in reads))):
                Rs[tensor] = Rs.get(tensor, 0) + message   # a tensor that several layers read gets something of each
        return Rs["input"]

    def through(self, layer, rule, x, R):
        """The relevance of one layer's inputs, sample by sample."""
        kind, named = type(layer).__name__, type(rule).__name__
        if named in REFUSED and REFUSED[named](rule, kind, x):
            raise ValueError(f"{rule} on {kind} is refused")
        if kind in GATES and named in ("Pass", "Flat", "WSquare"):   # one input for every output
            return R.reshape(x.shape)
        if kind not in LAYERS or named not in RULES:
            raise Unsupported(f"{named} on {kind}")
        samples = x.reshape(-1, x.shape[-1]) if kind == "Linear" else x   # of rows of vectors each is a sample
        share, seen_as = getattr(self, RULES[named]), getattr(self, LAYERS[kind])
        found = [share(rule, seen_as(layer, one), r.ravel()) for one, r in zip(samples, R.reshape(len(samples), -1))]
        return np.array(found).reshape(x.shape)


RULES = {"Flat": "flat", "Epsilon": "epsilon", "AlphaBeta": "alpha_beta", "ZPlus": "z_plus", "Gamma": "gamma",
         "Winner": "winner", "WSquare": "w_square", "ZBox": "z_box"}
LAYERS = {"Linear": "linear", "Conv2D": "convolution", "MaxPool": "max_pooling", "AvgPool": "average_pooling",
          "FisherVector": "fisher", "Add": "add", "MatMul": "matrix_product", "Softmax": "softmax"}
GATES = ("ReLU", "Tanh", "Flatten", "BatchNorm", "L2Norm", "SignedSqrt", "RegionMean", "LRN")
REFUSED = {   # what nobody should answer
    "Epsilon": lambda rule, kind, x: not rule.epsilon >= 0,
    "AlphaBeta": lambda rule, kind, x: rule.beta < 0 or abs(rule.alpha - rule.beta - 1) > 1e-12,
    "Gamma": lambda rule, kind, x: not 0 <= rule.gamma < np.inf,
    "ZBox": lambda rule, kind, x: np.size(rule.low) not in (1, x.shape[1]) or np.any(np.less(rule.high, rule.low)),
    "Winner": lambda rule, kind, x: kind in ("Linear", "Conv2D"),
    "Pass": lambda rule, kind, x: kind in LAYERS}


def dilation(layer):
    """How far apart the kernel's numbers lie; poolings have none."""
    return getattr(layer, "dilation", (1, 1))


def matrix(array):
    """(channels, height, width, channels, height, width) as (I, J): inputs by outputs."""
    return array.reshape(int(np.prod(array.shape[:3])), -1)
