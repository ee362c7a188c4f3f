"""LRP, written by a student: all exercises of the course, filled in."""

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
        return (divide(m.c, m.c.sum(0)) * R).sum(1)

    def epsilon(self, rule, m, R):
        """Exercise 2. By what each contributes, with rule.epsilon in the denominator."""
        z_ij = m.a[:, None] * m.w
        z = z_ij.sum(0) + m.b
        sign = np.where(z >= 0, 1, -1)
        return (divide(z_ij, z + rule.epsilon * sign) * R).sum(1)

    def alpha_beta(self, rule, m, R):
        """Exercise 3. rule.alpha parts by the positive contributions, -rule.beta by the negative ones."""
        z_ij = m.a[:, None] * m.w
        plus, minus = np.maximum(z_ij, 0), np.minimum(z_ij, 0)
        b_plus, b_minus = np.maximum(m.b, 0), np.minimum(m.b, 0)
        up = divide(plus, plus.sum(0) + b_plus)
        down = divide(minus, minus.sum(0) + b_minus)
        return ((rule.alpha * up - rule.beta * down) * R).sum(1)

    def z_plus(self, rule, m, R):
        """Exercise 3. By the positive contributions alone."""
        plus = np.maximum(m.a[:, None] * m.w, 0)
        return (divide(plus, plus.sum(0) + np.maximum(m.b, 0)) * R).sum(1)

    def gamma(self, rule, m, R):
        """Exercise 3. By all contributions, those of the output's sign raised by rule.gamma."""
        z_ij = m.a[:, None] * m.w
        z = z_ij.sum(0) + m.b
        raised = z_ij + rule.gamma * np.where(z > 0, np.maximum(z_ij, 0), np.minimum(z_ij, 0))
        b = m.b + rule.gamma * np.where(z > 0, np.maximum(m.b, 0), np.minimum(m.b, 0))
        return (divide(raised, np.where(z == 0, 0, raised.sum(0) + b)) * R).sum(1)

    def winner(self, rule, m, R):
        """Exercise 4. By the weights, which in a max-pooling say who won."""
        return (m.w * R).sum(1)

    def w_square(self, rule, m, R):
        """Exercise 6. By the squares of the weights; flat where weights were not learned."""
        if not m.learned:
            return self.flat(rule, m, R)
        return (divide(m.w**2, (m.w**2).sum(0)) * R).sum(1)

    def z_box(self, rule, m, R):
        """Exercise 6. By how far each contribution lies above the least that the box allows."""
        low = np.repeat(rule.low, len(m.a) // np.size(rule.low))[:, None]
        high = np.repeat(rule.high, len(m.a) // np.size(rule.high))[:, None]
        z_ij = m.a[:, None] * m.w - low * np.maximum(m.w, 0) - high * np.minimum(m.w, 0)
        return (divide(z_ij, z_ij.sum(0)) * R).sum(1)

    # ---- Layers: a layer and one input x are made a Map ----

    def linear(self, layer, x):
        """Given. Every input reaches every output."""
        b = np.zeros(layer.weight.shape[1]) if layer.bias is None else layer.bias
        return Map(x, np.ones_like(layer.weight), layer.weight, b)

    def pixels(self, layer, size, shape, v, h):
        """Exercise 4. What output (v, h) sees: a list of (row, column, y, x), kernel number and pixel under it.

        size: rows and columns of the kernel; shape: (channels, height, width) of the image, outside which is nothing.
        """
        found = []
        for row in range(size[0]):
            for column in range(size[1]):
                y = v * layer.stride[0] + row * dilation(layer)[0] - layer.pad[0]
                x = h * layer.stride[1] + column * dilation(layer)[1] - layer.pad[1]
                if 0 <= y < shape[1] and 0 <= x < shape[2]:
                    found.append((row, column, y, x))
        return found

    def convolution(self, layer, x):
        """Exercise 4. Inputs are the pixels of all channels, outputs likewise."""
        channels, per_group, *size = layer.weight.shape
        outputs = (channels, *layer.output_shape((1, *x.shape))[2:])
        c, w = np.zeros((2, *x.shape, *outputs))
        for o in range(channels):
            first = o // (channels // layer.groups) * per_group   # the first input channel of the group that o is in
            for v in range(outputs[1]):
                for h in range(outputs[2]):
                    for row, column, y, x_ in self.pixels(layer, size, x.shape, v, h):
                        c[first : first + per_group, y, x_, o, v, h] = 1
                        w[first : first + per_group, y, x_, o, v, h] = layer.weight[o, :, row, column]
        b = np.zeros((channels, 1)) if layer.bias is None else layer.bias.reshape(channels, -1)
        return Map(x.ravel(), matrix(c), matrix(w), (b + np.zeros((channels, outputs[1] * outputs[2]))).ravel())

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
        c, z = self.pooled(layer, x), layer(x[None]).ravel()
        wins = c * (x.ravel()[:, None] == z)
        return Map(x.ravel(), c, divide(wins, wins.sum(0)), 0 * z, learned=False)

    def average_pooling(self, layer, x):
        """Exercise 5. A window has one weight: the layer's output for an image of ones, over how many it sees."""
        c, of_ones = self.pooled(layer, x), layer(np.ones((1, *x.shape))).ravel()
        return Map(x.ravel(), c, c * divide(of_ones, c.sum(0)), 0 * of_ones, learned=False)

    def fisher(self, layer, x):
        """Exercise 7. Each descriptor is present, a = 1, and what it adds to the vector, Eq. 3 and 4, is its weight."""
        pi, sigma = layer.weights[:, None], np.sqrt(layer.variances)
        u = (x[:, None] - layer.means) / sigma                                   # (L, K, D)
        log = np.log(layer.weights) - (u**2 / 2 + np.log(sigma)).sum(2)          # (L, K), but for what all k share
        p = np.exp(log - log.max(1, keepdims=True))
        p = p / p.sum(1, keepdims=True)
        p = np.where(p < layer.threshold, 0, p)[:, :, None]
        psi = np.stack([p / np.sqrt(pi) * u, p / np.sqrt(2 * pi) * (u**2 - 1)], axis=1)   # (L, mean or spread, K, D)
        regions = np.ones((1, len(x))) if layer.regions is None else layer.regions
        c, w = np.zeros((2, *x.shape, len(regions), *psi.shape[1:]))             # (L, D) by (regions, 2, K, D)
        for r, of_region in enumerate(regions):
            for i in range(x.shape[1]):
                c[:, i, r, :, :, i] = of_region[:, None, None]
                w[:, i, r, :, :, i] = of_region[:, None, None] * psi[:, :, :, i]
        c, w = c.reshape(x.size, -1), w.reshape(x.size, -1)
        return Map(np.ones(x.size), c, w, np.zeros(c.shape[1]), learned=False)

    def add(self, layer, x):
        """Exercise 8. x has the tensors that are added along its first axis; each reaches its own place of the sum."""
        coefficients = np.ones(len(x)) if layer.coefficients is None else layer.coefficients
        same = np.eye(x[0].size)
        return Map(x.ravel(), np.vstack([same] * len(x)), np.vstack([k * same for k in coefficients]),
                   np.zeros(x[0].size), learned=False)

    def matrix_product(self, layer, x):
        """Exercise 8. z = A B; x has the numbers of A, then those of B. A weight is a share of what 1 more adds."""
        split = int(np.prod(layer.left))
        A, B = x.ravel()[:split].reshape(layer.left), x.ravel()[split:].reshape(layer.right)
        of_A, of_B = (1 / 2, 1 / 2) if layer.shares is None else layer.shares
        c, w = [], []
        for one in np.eye(A.size).reshape(-1, *A.shape):
            w.append(of_A * (one @ B).ravel())
            c.append((of_A != 0) * (one @ np.ones_like(B)).ravel())
        for one in np.eye(B.size).reshape(-1, *B.shape):
            w.append(of_B * (A @ one).ravel())
            c.append((of_B != 0) * (np.ones_like(A) @ one).ravel())
        return Map(x.ravel(), np.array(c), np.array(w), np.zeros((A @ B).size), learned=False)

    def softmax(self, layer, x):
        """Exercise 8. The tangent of every row, w_ij = z_j (d_ij - z_i); b is what it leaves over of z."""
        z, n = layer(x[None])[0], x.shape[-1]
        seen = np.broadcast_to(1.0 if layer.mask is None else layer.mask != 0, x.shape)
        c, w = np.zeros((2, x.size, x.size))
        for row in range(x.size // n):
            here = slice(row * n, (row + 1) * n)
            of_row, z_row = seen.reshape(-1, n)[row], z.reshape(-1, n)[row]
            c[here, here] = np.outer(of_row, of_row)
            w[here, here] = z_row * (np.eye(n) - z_row[:, None])
        return Map(x.ravel(), c, w, z.ravel() - x.ravel() @ w, learned=False)

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
