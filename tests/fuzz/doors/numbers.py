"""Arrays and numbers: constructors of layers and rules, networks, explain, cut-offs, heatmaps, assertions and bounds.

A case is a right call in which one thing, or several, is put in another's place: numbers that are extreme, of another
type or no numbers, arrays of another shape or kind, objects that are no arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
from harness import Attempt, Door

import lrp_ref
from lrp_ref import Flatten, Linear, Network, ReLU, assign, cutoff, explain, heatmap
from lrp_ref.arrays import Array, convert_numbers
from lrp_ref.checks import bounds, monte_carlo, one_layer
from lrp_ref.checks.claims.examples import LAYERS as EXAMPLES
from lrp_ref.hints import shown
from lrp_ref.layers import LAYERS
from lrp_ref.rules import RULES
from lrp_ref.testing import assert_cutoff, assert_ledger, assert_relevance_close

FLOATS = (0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 1e-5, 5e-324, 2.2e-308, 1e-45, 1e19, 3.4e38, 1e154, 1e308,
          1.7976931348623157e308)


class Odd:
    """No number and no array, with a name for itself that no terminal should see."""

    def __repr__(self) -> str:
        return "\x1b[2J" + "odd" * 400


class Broken:
    """An object whose array is not to be had."""

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise RuntimeError("no array today")


def some_number(rng: np.random.Generator) -> Any:
    """Something where a number belongs."""
    value = float(rng.choice(FLOATS))
    return pick(
        rng, value, -value, int(rng.integers(-3, 9)), int(rng.integers(1, 5)), 10**20, 10**400, 10**5000,
        True, np.bool_(True), None, "1", "a\x1b[31m", "x" * 900, b"1", 1j, np.nan, np.inf, -np.inf, np.float16(1),
        np.float32(0.5), np.int64(2), np.longdouble(2), Fraction(1, 3), Fraction(10**400), Fraction(1, 10**400),
        Decimal("0.25"), Decimal("NaN"),
        Decimal("sNaN"), Decimal("1e999999"), np.array(0.5), np.array([1.0]), np.array([2, 1]), [], (1, 2), [1.0, 2.0],
        (2, 3, 4), (10**9, 1), {}, object(), Odd(), len)


def pick(rng: np.random.Generator, *choices: Any) -> Any:
    return choices[rng.integers(len(choices))]


def extreme(rng: np.random.Generator, shape: tuple[int, ...], number: Any = np.float64) -> Array:
    """A few extreme numbers of either sign, many times each."""
    few = rng.choice(FLOATS, rng.integers(1, 5)) * rng.choice([1.0, -1.0])
    with np.errstate(all="ignore"):
        return (rng.choice(few, shape) * rng.choice([1, 1, -1], shape)).astype(number)


def spoilt(rng: np.random.Generator, x: Any) -> Any:
    """The array as something that may be none, or of another shape, type or kind."""
    x = np.asarray(x)
    plain = x.astype(np.float64) if x.dtype == object else x
    return (
        lambda: x, lambda: plain.astype(pick(rng, np.float32, np.float64)), lambda: extreme(rng, x.shape),
        lambda: extreme(rng, x.shape, np.float32), lambda: convert_numbers(x, pick(rng, Fraction, Decimal)),
        lambda: plain.astype(pick(rng, np.float16, np.longdouble, int, bool, complex, ">f8", str, object)),
        lambda: plain.tolist(), lambda: x[..., :-1], lambda: x[None], lambda: np.swapaxes(x, 0, -1), lambda: x[:0],
        lambda: np.ma.masked_array(plain, rng.integers(0, 2, x.shape)), lambda: np.ma.masked_array(plain, False),
        lambda: np.matrix(plain.reshape(len(plain), -1) if plain.ndim else plain),
        lambda: np.where(plain > 0, np.nan, plain),
        lambda: np.where(plain > 0, np.inf, plain), lambda: np.full(x.shape, pick(rng, None, "a", Odd(), 1, 1.5, {})),
        lambda: np.full(x.shape, Decimal(pick(rng, "NaN", "1e99999", "1e-99999", "sNaN")), dtype=object),
        lambda: np.full(x.shape, Fraction(10**400), dtype=object), lambda: [[1.0, 2.0], [3.0]],
        lambda: plain.view([("a" * 300, plain.dtype)]), lambda: np.asfortranarray(plain), lambda: np.flip(plain),
        lambda: np.broadcast_to(np.float64(1), x.shape), Broken, Odd, lambda: some_number(rng),
        lambda: [np.ma.masked_array([1.0])],
        lambda: -plain, lambda: plain * 0, lambda: NETWORK, lambda: explain(NETWORK, X), lambda: iter([1.0]),
    )[rng.integers(33)]()


X = np.array([[[[1.0, -2.0, 0.5], [3.0, 0.0, -1.0]]]])
NETWORK = Network([("relu", ReLU()), ("flat", Flatten()), ("fc", Linear(np.array([[1.0, -1]] * 3 + [[0.5, 2]] * 3)))])
SOME_RULES = [kind.examples()[0] for kind in RULES.values()]


def told(*parts: Any) -> str:
    """What came in, in a line."""
    return ascii("; ".join(shown(part) for part in parts))[:400]


def try_layer(layer: Any, x: Array) -> None:
    """What a layer is for, once it is there: forwards, and back."""
    network = Network([("it", layer)])
    explain(network, x.astype(network.number or np.float64) if x.dtype == object else x,
            target=np.ones(layer.output_shape(x.shape), network.number or np.float64))


def layers(rng: np.random.Generator) -> Attempt:
    example = EXAMPLES[pick(rng, *EXAMPLES)]
    layer = example.layer.astype(pick(rng, np.float32, np.float64))
    given = {field.name: getattr(layer, field.name) for field in fields(layer)}
    for name in rng.permutation(list(given))[: rng.integers(1, 3)]:
        value = given[str(name)]
        in_place = isinstance(value, np.ndarray) and rng.integers(4)
        given[str(name)] = spoilt(rng, value) if in_place else some_number(rng)
    kind = type(layer)
    x = convert_numbers(example.x(1, number=np.float64), np.float64)
    return Attempt(told(kind.__name__, given), lambda: try_layer(kind(**given), x))


def rules(rng: np.random.Generator) -> Attempt:
    kind = RULES[pick(rng, *RULES)]
    given: list[Any] = [spoilt(rng, np.ones(3)) if rng.integers(5) == 0 else some_number(rng)
                        for _ in fields(kind)]  # type: ignore[arg-type]
    network = NETWORK.astype(pick(rng, np.float32, np.float64))

    def call() -> None:
        explain(network, X.astype(network.number), {**assign(network), "fc": kind(*given)})

    return Attempt(told(kind.__name__, given), call)


def networks(rng: np.random.Generator) -> Attempt:
    layer = Linear(np.ones((2, 2)))
    pairs = pick(
        rng, [("a", layer)], [("a", layer), ("b", ReLU())], [(some_number(rng), layer)], [("a", some_number(rng))],
        [("a",)], "ab", None, 5, [("a", layer)] * 2, [(f"layer {n}" * 9, ReLU()) for n in range(300)],
        [("\x1b", layer)], {"a": layer}, [("a", layer), ("b", Linear(np.ones((2, 2), np.float32)))],
        [("x" * 2000, layer)], NETWORK, iter([("a", layer)]), {("a", layer)}, [["a", layer]], Odd(), some_number(rng))
    key, x, shape = some_number(rng), spoilt(rng, np.ones((1, 2))), some_number(rng)
    then = pick(rng, lambda n: n(x), lambda n: n[key], lambda n: n.shapes(shape), lambda n: n.index(key),
                lambda n: n[:1], lambda n: n.astype(key), lrp_ref.merge_batchnorm,
                lambda n: lrp_ref.receptive_field(n, key))
    return Attempt(told("Network", pairs, key, x), lambda: then(Network(pairs)))


def a_network(rng: np.random.Generator) -> Any:
    return pick(rng, *[NETWORK] * 20, NETWORK.astype(np.float32), NETWORK.astype(Fraction), NETWORK.astype(Decimal),
                None, X, explain(NETWORK, X), ReLU(), [("relu", ReLU())], Odd(), some_number(rng))


def some_rules(rng: np.random.Generator) -> Any:
    mapping = dict(assign(NETWORK))
    if rng.integers(3) == 0:
        mapping[pick(rng, "relu", "flat", "fc", 5, "no")] = pick(rng, *SOME_RULES, some_number(rng))
    if rng.integers(9) == 0:
        mapping.pop(pick(rng, "relu", "flat", "fc"))
    return pick(rng, *[mapping] * 9, None, list(mapping), dict(reversed(mapping.items())), {}, some_number(rng), Odd())


def an_x(rng: np.random.Generator) -> Any:
    return pick(rng, X, X, spoilt(rng, X), spoilt(rng, X), extreme(rng, (2, 1, 2, 3)))


def a_target(rng: np.random.Generator) -> Any:
    return pick(rng, None, None, 0, 1, some_number(rng), spoilt(rng, np.ones((1, 2))), spoilt(rng, np.array([1])),
                extreme(rng, (1, 2)))


def a_start(rng: np.random.Generator) -> Any:
    """A function of the scores, or relevance that begins elsewhere."""
    value, at = some_number(rng), pick(rng, "relu", "fc", "input", some_number(rng))
    try:
        elsewhere = {at: spoilt(rng, np.ones((1, 2)))}
    except TypeError:   # a name that is no key
        elsewhere = {}
    return pick(rng, lrp_ref.one_hot(value), lrp_ref.logit_difference(0, value), lrp_ref.softmax_gradient(value),
                elsewhere)


def explains(rng: np.random.Generator) -> Attempt:
    watch = {"watch": some_number(rng)} if rng.integers(9) == 0 else {}
    through = pick(rng, some_number(rng), {"relu": some_number(rng)}, {"fc": [0]}, {"fc": spoilt(rng, np.ones(2))})
    more: dict[str, Any] = watch | ({"through": through} if rng.integers(3) == 0 else {})
    target = a_start(rng) if rng.integers(4) == 0 else a_target(rng)
    given = a_network(rng), an_x(rng), some_rules(rng), target
    return Attempt(told("explain", *given, more), lambda: explain(*given, **more))


def parts(rng: np.random.Generator) -> Attempt:
    """The relevance of weights, the highest channels, relevance of probabilities."""
    e = explain(NETWORK, X)
    value, array = some_number(rng), spoilt(rng, np.ones((1, 2)))
    rules, network = pick(rng, assign(NETWORK), some_rules(rng)), pick(rng, NETWORK, a_network(rng))
    call = pick(rng, lambda: lrp_ref.weight_relevance(network, pick(rng, e, value), rules, pick(rng, "fc", value)),
                lambda: lrp_ref.top_channels(pick(rng, array, value), pick(rng, 2, value)),
                lambda: e.top(pick(rng, "fc", value), pick(rng, 2, value)),
                lambda: lrp_ref.of_probabilities(pick(rng, array, value), pick(rng, 0, value)))
    return Attempt(told("parts", value, array, rules), call)


def cut_offs(rng: np.random.Generator) -> Attempt:
    mapping, below, filler = some_rules(rng), pick(rng, "fc", "flat", some_number(rng)), pick(
        rng, None, *SOME_RULES, some_number(rng))
    by = {pick(rng, *LAYERS.values(), int): filler}, {pick(rng, "fc", "no"): filler}
    preset = pick(rng, lrp_ref.paper_cnn, lrp_ref.paper_fv, lrp_ref.epsilon_plus, lrp_ref.attnlrp, lrp_ref.cp_lrp,
                  lrp_ref.ali)
    network, value = a_network(rng), some_number(rng)
    call = pick(rng, lambda: cutoff(mapping, below, filler), lambda: assign(network, by[0]),
                lambda: assign(network, first=filler), lambda: assign(network, None, None, by[1]),
                lambda: assign(network, value), lambda: preset(network, value))
    return Attempt(told(mapping, below, filler, by, value), call)


def heatmaps(rng: np.random.Generator) -> Attempt:
    x, shape = spoilt(rng, np.ones((1, 2, 3, 4))), pick(rng, (4, 5), some_number(rng))
    call = pick(rng, lambda: heatmap(x), lambda: lrp_ref.regions_of(x, shape),
                lambda: lrp_ref.regions_of(np.ones((3, 2)), (4, 5), x))
    return Attempt(told("heatmap", x), call)


def checked(rng: np.random.Generator) -> Callable[[], object]:
    number = pick(rng, np.float32, np.float64)
    network, x = NETWORK.astype(number), X.astype(number)
    e = explain(network, x)
    u = pick(rng, *[2.0**-24 if number is np.float32 else 2.0**-53] * 9, 2.0**-11, some_number(rng))
    whole, others = pick(rng, network, network, a_network(rng)), pick(rng, assign(NETWORK), some_rules(rng))
    x = pick(rng, x, x, an_x(rng))
    actual: Any = pick(rng, e.relevance, spoilt(rng, e.relevance), dict(e.relevances),
                       {name: spoilt(rng, R) if rng.integers(2) else R for name, R in e.relevances.items()}, e)
    R = pick(rng, None, 0, e.start, a_target(rng))
    more = {"activations": pick(rng, None, dict(e.activations), {"relu": spoilt(rng, X)}, some_number(rng))}
    layer = pick(rng, *EXAMPLES.values()).layer.astype(np.float64)
    x_l, R_l, rule = spoilt(rng, np.ones((1, 2, 3, 4))), spoilt(rng, np.ones((1, 2, 3, 4))), pick(rng, *SOME_RULES)
    return pick(rng, lambda: assert_relevance_close(actual, whole, x, others, R, u, **more),
                lambda: assert_ledger(whole, x, others, actual, R, u, **more),
                lambda: assert_cutoff(actual, whole, x, others, pick(rng, "fc", "no"), R, u, **more),
                lambda: bounds(whole, x, others, R), lambda: monte_carlo(whole, x, others, R, u, runs=2),
                lambda: one_layer(rule, layer, x_l, R_l, u))


def assertions(rng: np.random.Generator) -> Attempt:
    call = checked(rng)

    def judged() -> None:
        with suppress(AssertionError):   # an assertion's own verdict
            call()

    return Attempt("an assertion or a bound", judged)


DOORS = (Door("layers", layers), Door("rules", rules), Door("networks", networks), Door("explain", explains),
         Door("cut-offs", cut_offs), Door("heatmaps", heatmaps), Door("parts", parts),
         Door("assertions and bounds", assertions))
