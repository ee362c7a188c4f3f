"""Claims on networks of real depth, modulo two primes: identities for the gates (signs, winners) that float64 chose."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, cached_property, partial
from typing import Any

import numpy as np

from lrp_ref import assignment
from lrp_ref.arrays import Array, ones_like, same
from lrp_ref.checks.claims.claim import FRACTIONS, PRIMES, Case, Claim, Found, equal
from lrp_ref.checks.claims.examples import lenet, lenet_image, rational, vgg, vgg_image
from lrp_ref.checks.claims.laws import closes
from lrp_ref.checks.numbers.modular import modulo, modulo_primes
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


@dataclass(frozen=True, eq=False)
class Modulo:
    """A network and its images modulo two primes, and what several cases look at: all made once."""

    number: Number
    plain: Callable[[], Network]
    images: Callable[[], Array]

    @cached_property
    def network(self) -> Network:
        return self.plain().astype(self.number)

    @cached_property
    def x(self) -> Array:
        return self.number(self.images())

    @cached_property
    def e(self) -> Explanation:
        """The first image's under LRP-0."""
        return explain(self.network, self.x[:1], ruled(self.network, Epsilon(0)), 3)


def lenet_images(seed: int) -> Array:
    return lenet_image(seed, samples=2)


def modulo_cases(laws: dict[str, Callable[[Modulo], Found]], network: Callable[[int], Network],
                 images: Callable[[int], Array], seed: int, full: bool) -> Iterator[Case]:
    """A case for every law, each modulo the first primes that divide no denominator."""
    made = cache(lambda primes: Modulo(modulo(*primes), partial(network, seed), partial(images, seed)))
    for what, law in laws.items():
        yield Case(f"{what}, seed {seed}", partial(modulo_primes, partial(of_primes, law, made)), full)


def of_primes(law: Callable[[Modulo], Found], made: Callable[..., Modulo], number: Number) -> Found:
    return law(made(number.primes))


def ledger_of(name: str, of: Modulo) -> Found:
    """The ledger of one explanation: unit by unit, and R_L = R_0 + what was absorbed."""
    e = explain(of.network, of.x[:1], CHOICES[name](of.network), target=3)
    total = e.ledger.total()
    absorbed = total["bias"] + total["stabiliser"] + total["dead"]
    holds = all(closes(account) for _, account in e.ledger) and bool(e.relevance.any())
    holds = holds and equal(e.start.sum(axis=1), e.relevance.sum(axis=(1, 2, 3)) + absorbed)
    holds = holds and equal(total["handed"], e.relevance.sum(axis=(1, 2, 3)))
    return Found(holds, (e.relevance, *total.values()))


def lenet_ledger() -> Iterator[Case]:
    for seed in range(4):
        yield from modulo_cases({name: partial(ledger_of, name) for name in CHOICES}, lenet, lenet_images, seed,
                                full=seed > 0)


def vgg_ledger() -> Iterator[Case]:
    for seed in range(2):
        yield from modulo_cases({name: partial(ledger_of, name) for name in CHOICES}, vgg, vgg_image, seed, full=True)


def relevance_of(network: Network, x: Array, rules: dict[str, Rule], target: Any = 3) -> Array:
    return explain(network, x, rules, target).relevance


def gradient_of(network: Network, e: Explanation) -> Array:
    """df/dx from the maps' transposes alone, f being the explained score."""
    slope = e.start / np.where(e.start == 0, 1, e.start)
    for _, layer, (t,) in reversed(network.nodes):
        a, m = layer.linearize(e.activations[t])
        slope = m.transpose(slope, same, a.shape)
    return slope


def walked(network: Network, e: Explanation, below: str) -> Array:
    """T_1' .. T_n' R with T[j, i] = c_ij / n_j, from the coverage of the layers under `below`."""
    R = e.relevances[network.reads[below][0]]
    for _, layer, (t,) in reversed(network.nodes[: network.index(below)]):
        a, m = layer.linearize(e.activations[t])
        R = m.transpose(R / m.apply(ones_like(a), ones_like), ones_like, a.shape)
    return R


def no_beta_is_z_plus(of: Modulo) -> Found:
    alpha, plus = (relevance_of(of.network, of.x[:1], ruled(of.network, rule)) for rule in (AlphaBeta(1, 0), ZPlus()))
    return Found(equal(alpha, plus), (plus,))


def is_gradient_times_input(of: Modulo) -> Found:
    return Found(equal(of.e.relevance, of.x[:1] * gradient_of(of.network, of.e)), (of.e.relevance,))


def batch_is_singles(of: Modulo) -> Found:
    both = relevance_of(of.network, of.x, ruled(of.network, Gamma(0.25)))
    singles = [relevance_of(of.network, of.x[n : n + 1], ruled(of.network, Gamma(0.25))) for n in range(2)]
    return Found(equal(both, np.concatenate(singles)), (both,))


def cut_off_walks(of: Modulo) -> Found:
    flat = explain(of.network, of.x[:1], assignment.cutoff(ruled(of.network, AlphaBeta(2, 1)), "conv2"), 3)
    return Found(equal(flat.relevance, walked(of.network, flat, "conv2")), (flat.relevance,))


IDENTITIES: dict[str, Callable[[Modulo], Found]] = {
    "AlphaBeta(1, 0) = ZPlus": no_beta_is_z_plus, "LRP-0 = gradient x input": is_gradient_times_input,
    "batch = singles": batch_is_singles,
    "linear in R": lambda of: Found(linear_in_R(of.network, of.e, ruled(of.network, AlphaBeta(2, 1)))),
    "weights of fc1 times 3/2": lambda of: Found(equal(scaled(of), of.e.relevance)),
    "the cut-off below conv2 is the walk": cut_off_walks,
}


def lenet_identities() -> Iterator[Case]:
    for seed in range(4):
        yield from modulo_cases(IDENTITIES, lenet, lenet_images, seed, full=seed > 0)


def linear_in_R(network: Network, e: Explanation, rules: dict[str, Rule]) -> bool:
    """Layer by layer: what 2 R - 3 S hands down is 2 times what R does less 3 times what S does."""
    for name, layer in network:
        a, m = layer.linearize(network.read(name, e.activations))
        R = m(a)
        S = R * R + 1
        r, s, t = (step(rules[name], m, a, some)[0] for some in (R, S, 2 * R - 3 * S))
        if not equal(t, 2 * r - 3 * s):
            return False
    return True


def scaled(of: Modulo) -> Array:
    """LRP-0 of the network whose fc1 is 3/2 times as strong and whose later biases too, the score being 3/2 f."""
    layers = []
    above = False
    for name, layer in of.plain():
        above = above or name == "fc1"
        if isinstance(layer, Linear):
            weight = layer.weight * 1.5 if name == "fc1" else layer.weight
            layer = Linear(weight, layer.bias * 1.5 if above else layer.bias)
        layers.append((name, layer))
    network = Network(layers).astype(of.number)
    return relevance_of(network, of.x[:1], ruled(network, Epsilon(0))) / of.number(1.5)


@dataclass(frozen=True, eq=False)
class Gates:
    """A network whose activations in float64 and in Fractions are made once."""

    what: str
    network: Network
    x: Array

    @cached_property
    def activations(self) -> dict[str, tuple[Array, Array]]:
        """{name: (input in float64, in Fractions)}"""
        exact = self.network.astype(Fraction)
        return dict(zip(self.network.names, zip(self.network.activations(self.x).values(),
                                                exact.activations(rational(self.x)).values())))

    @property
    def names(self) -> list[str]:
        return [name for name, layer in self.network if isinstance(layer, (ReLU, MaxPool))]

    def differ(self, name: str) -> Array:
        """Where the two differ about a sign or a winner."""
        layer, (a, b) = self.network[name], self.activations[name]
        if isinstance(layer, MaxPool):
            return np.stack([(w > 0) != (v > 0) for w, v in zip(*(
                layer.linearize(some)[1].weights for some in (a, b)))])   # type: ignore[attr-defined]
        return (a > 0) != (b > 0)


def all_decided(networks: list[Gates]) -> Found:
    differ = [gates.differ(name) for gates in networks for name in gates.names]
    undecided, units = sum(int(one.sum()) for one in differ), sum(one.size for one in differ)
    return Found(undecided == 0, (), f"{units} signs and winners, {undecided} undecided")


def gates() -> Iterator[Case]:
    networks = [Gates("LeNet-sized", lenet(0), lenet_image(0))]
    for name in networks[0].names:
        yield Case(f"LeNet-sized {name}", partial(is_decided, networks[0], name))
    yield Case("in all", partial(all_decided, networks[:1]))
    deep = Gates("VGG-16-shaped", vgg(0), vgg_image(0))
    for name in deep.names:
        yield Case(f"VGG-16-shaped {name}", partial(is_decided, deep, name), full=True)
    yield Case("in all of both", partial(all_decided, [*networks, deep]), full=True)


def is_decided(of: Gates, name: str) -> bool:
    return not of.differ(name).any()


CLAIMS = (
    Claim("LeNet ledger", "LeNet-sized (28 x 28, 61 706 weights): the ledger at every unit, and R_L = R_0 + what was "
          "absorbed.", PRIMES, lenet_ledger),
    Claim("LeNet identities", "LeNet-sized: AlphaBeta(1, 0) = ZPlus; LRP-0 = gradient x input; batch = singles; "
          "relevance linear in R; weights times c under Epsilon(0); the cut-off is the walk.", PRIMES,
          lenet_identities),
    Claim("gates", "The gates that float64 chose are the exact ones: the sign at every ReLU, the winners of every "
          "max-pooling.", FRACTIONS, gates),
    Claim("VGG ledger", "VGG-16's thirteen convolutions at an eighth of the channels, 32 x 32 pixels: the ledger at "
          "every unit, and R_L = R_0 + what was absorbed.", PRIMES, vgg_ledger),
)
