"""The course's file filled in wrongly, as students do: one mistake each, and the words by which it must be named.

Each is the solution but for one method. `FILLINGS`: the class, the command's options, words of its first sentences.
"""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

sys.path.append(str(Path(__file__).parents[1] / "docs" / "course"))

from solution import Map, Mine, dilation, divide, matrix

# ---- Exercise 1 ----


class FlatByWeights(Mine):
    def flat(self, rule, m, R):
        return (divide(m.w, m.w.sum(0)) * R).sum(1)


class FlatOfWeightsThatAreNotZero(Mine):
    def flat(self, rule, m, R):
        c = m.w != 0
        return (divide(c, c.sum(0)) * R).sum(1)


class FlatOfActiveInputs(Mine):
    def flat(self, rule, m, R):
        c = m.c * (m.a != 0)[:, None]
        return (divide(c, c.sum(0)) * R).sum(1)


class FlatOverOutputs(Mine):
    def flat(self, rule, m, R):
        return (divide(m.c, m.c.sum(1, keepdims=True)) * R).sum(1)


# ---- Exercise 2 ----


class BiasForgotten(Mine):
    def epsilon(self, rule, m, R):
        z_ij = m.a[:, None] * m.w
        z = z_ij.sum(0)
        return (divide(z_ij, z + rule.epsilon * np.where(z >= 0, 1, -1)) * R).sum(1)


class SignOfZeroIsZero(Mine):
    def epsilon(self, rule, m, R):
        z_ij = m.a[:, None] * m.w
        z = z_ij.sum(0) + m.b
        return (divide(z_ij, z + rule.epsilon * np.sign(z)) * R).sum(1)


class SignOfZeroIsZeroAndDividedBy(Mine):
    def epsilon(self, rule, m, R):
        z_ij = m.a[:, None] * m.w
        z = z_ij.sum(0) + m.b
        with np.errstate(all="ignore"):
            return (z_ij / (z + rule.epsilon * np.sign(z)) * R).sum(1)


class SignForgotten(Mine):
    def epsilon(self, rule, m, R):
        z_ij = m.a[:, None] * m.w
        return (divide(z_ij, z_ij.sum(0) + m.b + rule.epsilon) * R).sum(1)


class EpsilonForgotten(Mine):
    def epsilon(self, rule, m, R):
        z_ij = m.a[:, None] * m.w
        return (divide(z_ij, z_ij.sum(0) + m.b) * R).sum(1)


class DividedByZero(Mine):
    def epsilon(self, rule, m, R):
        z_ij = m.a[:, None] * m.w
        z = z_ij.sum(0) + m.b
        with np.errstate(all="ignore"):
            return (z_ij / (z + rule.epsilon * np.where(z >= 0, 1, -1)) * R).sum(1)


class SharedByWeights(Mine):
    def epsilon(self, rule, m, R):
        z = m.w.sum(0) + m.b
        return (divide(m.w, z + rule.epsilon * np.where(z >= 0, 1, -1)) * R).sum(1)


class WeightsOverZ(Mine):
    def epsilon(self, rule, m, R):
        z = m.a @ m.w + m.b
        return (divide(m.w, z + rule.epsilon * np.where(z >= 0, 1, -1)) * R).sum(1)


# ---- Exercise 3 ----


def alpha_beta(rule: Any, plus: Any, minus: Any, b_plus: Any, b_minus: Any, R: Any) -> Any:
    up, down = divide(plus, plus.sum(0) + b_plus), divide(minus, minus.sum(0) + b_minus)
    return ((rule.alpha * up - rule.beta * down) * R).sum(1)


class WeightsSplit(Mine):
    def alpha_beta(self, rule, m, R):
        a = m.a[:, None]
        return alpha_beta(rule, a * np.maximum(m.w, 0), a * np.minimum(m.w, 0), np.maximum(m.b, 0),
                          np.minimum(m.b, 0), R)


class WeightsAlone(Mine):
    def alpha_beta(self, rule, m, R):
        return alpha_beta(rule, np.maximum(m.w, 0), np.minimum(m.w, 0), np.maximum(m.b, 0), np.minimum(m.b, 0), R)


class AlphaBetaWithoutBias(Mine):
    def alpha_beta(self, rule, m, R):
        z = m.a[:, None] * m.w
        return alpha_beta(rule, np.maximum(z, 0), np.minimum(z, 0), 0, 0, R)


class AlphaBetaWithTheWholeBias(Mine):
    def alpha_beta(self, rule, m, R):
        z = m.a[:, None] * m.w
        return alpha_beta(rule, np.maximum(z, 0), np.minimum(z, 0), m.b, m.b, R)


class PlusBeta(Mine):
    def alpha_beta(self, rule, m, R):
        z = m.a[:, None] * m.w
        return alpha_beta(type(rule)(rule.alpha, rule.beta) if rule.beta == 0 else Signed(rule.alpha, -rule.beta),
                          np.maximum(z, 0), np.minimum(z, 0), np.maximum(m.b, 0), np.minimum(m.b, 0), R)


class Signed(NamedTuple):
    alpha: float
    beta: float


class GammaOfOneForm(Mine):
    def gamma(self, rule, m, R):
        z = m.a[:, None] * m.w
        raised = z + rule.gamma * np.maximum(z, 0)
        return (divide(raised, raised.sum(0) + m.b + rule.gamma * np.maximum(m.b, 0)) * R).sum(1)


class GammaOfABareBias(Mine):
    def gamma(self, rule, m, R):
        z_ij = m.a[:, None] * m.w
        z = z_ij.sum(0) + m.b
        raised = z_ij + rule.gamma * np.where(z > 0, np.maximum(z_ij, 0), np.minimum(z_ij, 0))
        return (divide(raised, np.where(z == 0, 0, raised.sum(0) + m.b)) * R).sum(1)


# ---- Exercise 4 ----


def convolved(self: Mine, layer: Any, x: Any, channels_of: Any) -> Map:
    """The solution's convolution, but for which input channels an output channel sees and with which weights."""
    channels, _, *size = layer.weight.shape
    outputs = (channels, *layer.output_shape((1, *x.shape))[2:])
    c, w = np.zeros((2, *x.shape, *outputs))
    for o in range(channels):
        seen, weights = channels_of(layer, o)
        for v in range(outputs[1]):
            for h in range(outputs[2]):
                for row, column, y, x_ in self.pixels(layer, size, x.shape, v, h):
                    c[seen, y, x_, o, v, h] = 1
                    w[seen, y, x_, o, v, h] = weights[:, row, column]
    b = np.zeros((channels, 1)) if layer.bias is None else layer.bias.reshape(channels, -1)
    return Map(x.ravel(), matrix(c), matrix(w), (b + np.zeros((channels, outputs[1] * outputs[2]))).ravel())


class GroupsIgnored(Mine):
    def convolution(self, layer, x):
        return convolved(self, layer, x, lambda layer, o: (slice(layer.weight.shape[1]), layer.weight[o]))


class GroupsSeeAll(Mine):
    def convolution(self, layer, x):
        return convolved(self, layer, x, lambda layer, o: (slice(None), np.tile(layer.weight[o], (layer.groups, 1, 1))))


class GroupsByEveryChannel(Mine):
    """A loop over all channels, where a group's kernel has only its own: Python stops it."""

    def convolution(self, layer, x):
        return convolved(self, layer, x, lambda layer, o: (
            slice(None), np.stack([layer.weight[o, k] for k in range(len(x))])))


class KernelReversed(Mine):
    def convolution(self, layer, x):
        return super().convolution(replace(layer, weight=layer.weight[:, :, ::-1, ::-1]), x)


class Elsewhere(Mine):
    """Windows that lie elsewhere; what is not inside is left out as it should be."""

    def place(self, layer, v, h, row, column):
        return (v * layer.stride[0] + row * dilation(layer)[0] - layer.pad[0],
                h * layer.stride[1] + column * dilation(layer)[1] - layer.pad[1])

    def inside(self, y, x, shape):
        return 0 <= y < shape[1] and 0 <= x < shape[2]

    def pixels(self, layer, size, shape, v, h):
        every = [(row, column, *self.place(layer, v, h, row, column)) for row in range(size[0])
                 for column in range(size[1])]
        return [one for one in every if self.inside(*one[2:], shape)]


class PaddingForgotten(Elsewhere):
    def place(self, layer, v, h, row, column):
        return (v * layer.stride[0] + row * dilation(layer)[0], h * layer.stride[1] + column * dilation(layer)[1])


class NegativeIndices(Elsewhere):
    def inside(self, y, x, shape):
        return y < shape[1] and x < shape[2]


class PaddingExchanged(Elsewhere):
    def place(self, layer, v, h, row, column):
        y, x = super().place(layer, v, h, row, column)
        return y + layer.pad[0] - layer.pad[1], x + layer.pad[1] - layer.pad[0]


class StrideForgotten(Elsewhere):
    def place(self, layer, v, h, row, column):
        return super().place(replace(layer, stride=1), v, h, row, column)


class DilationForgotten(Elsewhere):
    def place(self, layer, v, h, row, column):
        return v * layer.stride[0] + row - layer.pad[0], h * layer.stride[1] + column - layer.pad[1]


class FirstWinnerTakesAll(Mine):
    def max_pooling(self, layer, x):
        c = self.pooled(layer, x)
        w = np.zeros(c.shape)
        w[np.where(c > 0, x.ravel()[:, None], -np.inf).argmax(0), np.arange(c.shape[1])] = 1
        return Map(x.ravel(), c, w, np.zeros(c.shape[1]), learned=False)


# ---- Exercises 5 and 6 ----


class WinnersCovered(Mine):
    def max_pooling(self, layer, x):
        m = super().max_pooling(layer, x)
        return Map(m.a, 1.0 * (m.w > 0), m.w, m.b, learned=False)


class PaddingCounted(Mine):
    def convolution(self, layer, x):
        self.size = np.prod(layer.weight.shape[1:])
        return super().convolution(layer, x)

    def flat(self, rule, m, R):
        return (m.c / self.size * R).sum(1)


class SquareOfTheBias(Mine):
    def w_square(self, rule, m, R):
        return (divide(m.w**2, (m.w**2).sum(0) + m.b**2) * R).sum(1)


class SquareOfContributions(Mine):
    def w_square(self, rule, m, R):
        z = (m.a[:, None] * m.w)**2
        return (divide(z, z.sum(0)) * R).sum(1)


class BoundsExchanged(Mine):
    def z_box(self, rule, m, R):
        low, high = (np.repeat(bound, len(m.a) // np.size(bound))[:, None] for bound in (rule.low, rule.high))
        z_ij = m.a[:, None] * m.w - high * np.maximum(m.w, 0) - low * np.minimum(m.w, 0)
        return (divide(z_ij, z_ij.sum(0)) * R).sum(1)


# ---- What is said of them ----

FLAT, EPSILON = "--rule Flat --layer Linear", "--rule Epsilon --layer Linear"
ALPHA_BETA, GAMMA = "--rule AlphaBeta --layer Linear", "--rule Gamma --layer Linear"
CONVOLUTION = "--rule Epsilon --layer Conv2D"
FILLINGS: list[tuple[type, str, list[str]]] = [
    (FlatByWeights, FLAT, ["Flat on Linear: an input contributes w in place of 1"]),
    (FlatOfWeightsThatAreNotZero, FLAT, ["an input contributes 1 where w is not 0, and else nothing, in place of 1"]),
    (FlatOfActiveInputs, FLAT, ["an input contributes 1 where a is not 0, and else nothing, in place of 1"]),
    (FlatOverOutputs, FLAT, ["the denominator is the sum over the outputs of the input, in place of the sum over the "
                             "inputs of the output"]),
    (BiasForgotten, EPSILON, ["Bias in epsilon: left out of the denominator"]),
    (SignOfZeroIsZero, EPSILON, ["Sign(0) = 0, and R over 0 is 0"]),
    (SignOfZeroIsZeroAndDividedBy, EPSILON, ["Sign(0) = 0, and R is divided by 0",
                                             "Epsilon(0) where z = 0: not a number"]),
    (SignForgotten, EPSILON, ["the stabiliser is epsilon without a sign in place of epsilon sign z"]),
    (EpsilonForgotten, EPSILON, ["the denominator has no stabiliser"]),
    (DividedByZero, EPSILON, ["Epsilon(0) where z = 0: not a number"]),
    (SharedByWeights, EPSILON, ["an input contributes w in place of a w",
                                "the stabiliser is epsilon with the sign of that sum in place of epsilon sign z"]),
    (WeightsOverZ, EPSILON, ["an input contributes w in the numerator alone in place of a w"]),
    (WeightsSplit, ALPHA_BETA, ["What alpha-beta splits by sign: weights, not products"]),
    (WeightsAlone, ALPHA_BETA, ["What alpha-beta splits by sign: weights, and inputs are not asked"]),
    (AlphaBetaWithoutBias, ALPHA_BETA, ["Bias in alpha-beta: left out"]),
    (AlphaBetaWithTheWholeBias, ALPHA_BETA, ["Bias in alpha-beta: whole in every denominator"]),
    (PlusBeta, ALPHA_BETA, ["in the share of negative contributions the part of R has the other sign"]),
    (GammaOfOneForm, GAMMA, ["Gamma: a w + gamma (a w)+ whatever the sign of z"]),
    (GammaOfABareBias, GAMMA, ["Bias in gamma: as it is"]),
    (GroupsIgnored, CONVOLUTION, ["as if there were no groups: every group reads the channels of the first"]),
    (GroupsSeeAll, CONVOLUTION, ["as if there were no groups: every input channel gets all"]),
    (GroupsByEveryChannel, CONVOLUTION,
     ["of those that raise IndexError all 3 have groups; none of the 18 that pass has"]),
    (KernelReversed, CONVOLUTION, ["with the kernel's rows and columns reversed"]),
    (PaddingForgotten, CONVOLUTION, ["as if there were no padding"]),
    (NegativeIndices, CONVOLUTION, ["with the image's other end in the padding, where negative indices lead"]),
    (PaddingExchanged, CONVOLUTION, ["with the paddings of rows and columns exchanged"]),
    (StrideForgotten, CONVOLUTION, ["as if the stride were 1"]),
    (DilationForgotten, CONVOLUTION, ["as if the kernel were not dilated"]),
    (FirstWinnerTakesAll, "--rule Winner --layer MaxPool", ["Max-pooling: the first winner takes all"]),
    (WinnersCovered, "--rule Flat --layer MaxPool", ["Flat in max-pooling: the winner"]),
    (PaddingCounted, "--rule Flat --layer Conv2D", ["Flat: 1 over the whole window"]),
    (SquareOfTheBias, "--rule WSquare --layer Linear", ["Bias in w-square: squared into the denominator"]),
    (SquareOfContributions, "--rule WSquare --layer Linear", ["an input contributes a^2 w^2 in place of w^2"]),
    (BoundsExchanged, "--rule ZBox --layer Linear",
     ["an input contributes a w - high w+ - low w- in place of a w - low w+ - high w-"]),
]
