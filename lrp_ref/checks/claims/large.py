"""Claims on networks of real depth, modulo two primes: identities for the gates (signs, winners) that float64 chose."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from lrp_ref import assignment
from lrp_ref.arrays import Array, ones_like, same
from lrp_ref.checks.claims import case
from lrp_ref.checks.claims.case import Case
from lrp_ref.checks.claims.examples import lenet, lenet_image, rational, vgg, vgg_image
from lrp_ref.checks.claims.laws import closes
from lrp_ref.checks.numbers.modular import modulo_primes
from lrp_ref.checks.numbers.residues import Residues
from lrp_ref.layers import Conv2D, Linear, MaxPool, ReLU
from lrp_ref.network import Network
from lrp_ref.relevance import Explanation, explain
from lrp_ref.rules import AlphaBeta, Epsilon, Gamma, Rule, WSquare, ZBox, ZPlus
from lrp_ref.step import step

Number = type[Residues]


def ruled(network: Network, rule: Rule, first: Rule | None = None) -> dict[str, Rule]:
    return assignment.assign(network, {Conv2D: rule, Linear: rule}, first)


CHOICES: dict[str, Callable[[Network], dict[str, Rule]]] = {
    "Epsilon(0)": lambda n: ruled(n, Epsilon(0)), "Epsilon(1/4)": lambda n: ruled(n, Epsilon(0.25)),
    "AlphaBeta(2, 1)": lambda n: ruled(n, AlphaBeta(2, 1)), "ZPlus": lambda n: ruled(n, ZPlus()),
    "Gamma(1/4), ZBox first": lambda n: ruled(n, Gamma(0.25), ZBox(-1, 1)),
    "ZPlus, WSquare first": lambda n: ruled(n, ZPlus(), WSquare()),
    "AlphaBeta(2, 1), cut off": lambda n: assignment.cutoff(ruled(n, AlphaBeta(2, 1)), n.names[len(n) // 2]),
}


def ledgers(network: Network, x: Array, names: Iterable[str], seed: int) -> list[Case]:
    """The ledger of one explanation per choice of rules: unit by unit, and R_L = R_0 + what was absorbed."""
    def compute(number: Number) -> list[Case]:
        chain, image = network.astype(number), number(x)
        cases = []
        for name in names:
            e = explain(chain, image, CHOICES[name](chain), target=3)
            total = e.ledger.total()
            absorbed = total["bias"] + total["stabiliser"] + total["dead"]
            holds = all(closes(account) for _, account in e.ledger) and bool(e.relevance.any())
            holds = holds and case.same(e.start.sum(axis=1), e.relevance.sum(axis=(1, 2, 3)) + absorbed)
            holds = holds and case.same(total["handed"], e.relevance.sum(axis=(1, 2, 3)))
            cases.append(Case(f"{name}, seed {seed}", holds, (e.relevance, *total.values())))
        return cases
    return modulo_primes(compute)


def lenet_ledger(full: bool) -> Iterator[Case]:
    """LeNet-sized (28 x 28, 61 706 weights): the ledger at every unit, and R_L = R_0 + what was absorbed."""
    for seed in range(4 if full else 1):
        yield from ledgers(lenet(seed), lenet_image(seed), CHOICES, seed)


def vgg_ledger(full: bool) -> Iterator[Case]:
    """VGG-16's thirteen convolutions at an eighth of the channels, 32 x 32 pixels: the ledger at every unit, and R_L =
    R_0 + what was absorbed."""
    for seed in range(2):
        yield from ledgers(vgg(seed), vgg_image(seed), CHOICES, seed)


def relevance_of(network: Network, x: Array, rules: dict[str, Rule], target: Any = 3) -> Array:
    return explain(network, x, rules, target).relevance


def gradient_of(network: Network, e: Explanation) -> Array:
    """df/dx from the maps' transposes alone, f being the explained score."""
    slope = e.start / np.where(e.start == 0, 1, e.start)
    for name, layer in reversed(list(network)):
        a, m = layer.linearize(e.activations[name])
        slope = m.transpose(slope, same, a.shape)
    return slope


def walked(network: Network, e: Explanation, below: str) -> Array:
    """T_1' .. T_n' R with T[j, i] = c_ij / n_j, from the coverage of the layers under `below`."""
    R = e.relevances[below]
    for name, layer in reversed(network.layers[: network.index(below)]):
        a, m = layer.linearize(e.activations[name])
        R = m.transpose(R / m.apply(ones_like(a), ones_like), ones_like, a.shape)
    return R


def lenet_identities(full: bool) -> Iterator[Case]:
    """LeNet-sized: AlphaBeta(1, 0) = ZPlus; LRP-0 = gradient x input; batch = singles; relevance linear in R; weights
    times c under Epsilon(0); the cut-off is the walk."""
    for seed in range(4 if full else 1):
        def compute(number: Number, seed: int = seed) -> list[Case]:
            network, x = lenet(seed).astype(number), number(lenet_image(seed, samples=2))
            one = x[:1]
            alpha, plus = (relevance_of(network, one, ruled(network, rule)) for rule in (AlphaBeta(1, 0), ZPlus()))
            e = explain(network, one, ruled(network, Epsilon(0)), 3)
            both = relevance_of(network, x, ruled(network, Gamma(0.25)))
            singles = [relevance_of(network, x[n : n + 1], ruled(network, Gamma(0.25))) for n in range(2)]
            cut = assignment.cutoff(ruled(network, AlphaBeta(2, 1)), "conv2")
            flat = explain(network, one, cut, 3)
            return [Case(f"AlphaBeta(1, 0) = ZPlus, seed {seed}", case.same(alpha, plus), (plus,)),
                    Case(f"LRP-0 = gradient x input, seed {seed}",
                         case.same(e.relevance, one * gradient_of(network, e)), (e.relevance,)),
                    Case(f"batch = singles, seed {seed}", case.same(both, np.concatenate(singles)), (both,)),
                    Case(f"linear in R, seed {seed}", linear_in_R(network, e, ruled(network, AlphaBeta(2, 1)))),
                    Case(f"weights of fc1 times 3/2, seed {seed}", case.same(scaled(seed, number, one), e.relevance)),
                    Case(f"the cut-off below conv2 is the walk, seed {seed}",
                         case.same(flat.relevance, walked(network, flat, "conv2")), (flat.relevance,))]
        yield from modulo_primes(compute)


def linear_in_R(network: Network, e: Explanation, rules: dict[str, Rule]) -> bool:
    """Layer by layer: what 2 R - 3 S hands down is 2 times what R does less 3 times what S does."""
    for name, layer in network:
        a, m = layer.linearize(e.activations[name])
        R = m(a)
        S = R * R + 1
        r, s, t = (step(rules[name], m, a, some)[0] for some in (R, S, 2 * R - 3 * S))
        if not case.same(t, 2 * r - 3 * s):
            return False
    return True


def scaled(seed: int, number: Number, x: Array) -> Array:
    """LRP-0 of the network whose fc1 is 3/2 times as strong and whose later biases too, the score being 3/2 f."""
    layers = []
    above = False
    for name, layer in lenet(seed):
        above = above or name == "fc1"
        if isinstance(layer, Linear):
            weight = layer.weight * 1.5 if name == "fc1" else layer.weight
            layer = Linear(weight, layer.bias * 1.5 if above else layer.bias)
        layers.append((name, layer))
    network = Network(layers).astype(number)
    return relevance_of(network, x, ruled(network, Epsilon(0))) / number(1.5)


def gates(full: bool) -> Iterator[Case]:
    """The gates that float64 chose are the exact ones: the sign at every ReLU, the winners of every max-pooling."""
    undecided = units = 0
    cases = [("LeNet-sized", lenet(0), lenet_image(0))] + ([("VGG-16-shaped", vgg(0), vgg_image(0))] if full else [])
    for what, network, x in cases:
        exact = network.astype(Fraction)
        for (name, layer), a, b in zip(network, network.activations(x), exact.activations(rational(x))):
            if isinstance(layer, ReLU):
                differ = (a > 0) != (b > 0)
            elif isinstance(layer, MaxPool):
                differ = np.stack([(w > 0) != (v > 0) for w, v in zip(*(
                    layer.linearize(some)[1].weights for some in (a, b)))])   # type: ignore[attr-defined]
            else:
                continue
            undecided, units = undecided + int(differ.sum()), units + differ.size
            yield Case(f"{what} {name}", not differ.any())
    yield Case("in all", undecided == 0, (), f"{units} signs and winners, {undecided} undecided")


