"""What a layer states of itself is so: bounds, receptive fields and default rules rest on it."""

from typing import Any

import numpy as np
import pytest

from lrp_ref import AvgPool, BatchNorm, Conv2D, MaxPool, Network, Tanh, assign, receptive_field
from lrp_ref.arrays import Array, convert_numbers, ones_like
from lrp_ref.assignment import DEFAULTS
from lrp_ref.checks.claims.claim import equal
from lrp_ref.checks.claims.examples import LAYERS, Example, F, takes
from lrp_ref.checks.rounding.bounds import bounds
from lrp_ref.checks.rounding.twins import equals, lifted
from lrp_ref.conformance.diagnose.shrink import drawable
from lrp_ref.layers import Layer
from lrp_ref.layers.window import Window


def numbers(example: Example, seed: int) -> tuple[Any, Array]:
    """The layer and an input, exact where the layer is."""
    number = F if example.rational else np.float64
    return example.layer.astype(number), convert_numbers(example.x(2, seed), number)


def affine(example: Example) -> bool:
    """The map is the same at two inputs, and its input is the layer's."""
    (layer, x), (_, y) = numbers(example, 1), numbers(example, 2)
    (a, m), (_, n) = layer.linearize(x), layer.linearize(y)
    return equal(a, x) and equal(m.weight, n.weight) and equal(m.bias, n.bias)


def monotone(example: Example) -> bool:
    """Where every input is at least as large so is every output."""
    (layer, x), (_, y) = numbers(example, 1), numbers(example, 2)
    return bool((layer(np.minimum(x, y)) <= layer(np.maximum(x, y))).all())


def selects(example: Example) -> bool:
    """Every output is a number of the input, one of the layer's own as it stands, or 0."""
    layer, x = numbers(example, 1)
    own = [number for array in layer.arrays().values() for number in array.flat]
    return set(layer(x).flat) <= {*x.flat, *own, 0 * x.flat[0]}


def seen(example: Example) -> bool:
    """No output of an image is reached from outside its window; an output of anything else, by more than one input."""
    a, m = example.map(1)
    window = example.layer.sees
    for i in np.ndindex(a.shape[1:]):
        alone = 0 * a
        alone[0][i] = alone[0][i] + 1
        reached = np.argwhere(m.apply(alone, ones_like)[0] != 0)
        if len(i) == 3 == reached.shape[1]:
            for axis in (0, 1):
                place = i[axis + 1] - (reached[:, axis + 1] * window.stride[axis] - window.before[axis])
                if ((place < 0) | (place >= window.extent[axis])).any():
                    return False
        elif len(reached) > 1:
            return False
    return True


def covered(example: Example) -> bool:
    """Every c_ij > 0 is one of those that are stated."""
    a, m = example.map(1)
    found = set()
    for i in np.ndindex(a.shape[1:]):
        alone = 0 * a
        alone[0][i] = alone[0][i] + 1
        found |= set(map(float, m.apply(alone, ones_like).flat))
    return found - {0.0} <= set(map(float, np.ravel(m.coverages)))


def twins(example: Example) -> bool:
    """Outputs that are said to be equal are, on an input of two numbers only."""
    layer, x = numbers(example, 1)
    x = np.where(x > 0, 0 * x + 2, 0 * x - 1)
    z = layer(x)
    ids = lifted(layer, equals(x.astype(float)), z.shape)
    return all(len(set(z[ids == number].flat)) == 1 for number in np.unique(ids))


STATED = {name: example for name, example in LAYERS.items() if not example.layer.approximate}
each = pytest.mark.parametrize("name", LAYERS)


@each
def test_what_a_layer_states_is_so(name: str) -> None:
    example = LAYERS[name]
    layer = example.layer.astype(np.float64)
    assert not layer.affine or affine(example)
    assert not layer.monotone or monotone(example)
    assert layer.roundings.output != 0 or selects(example)
    assert layer.sees is None or name == "LRN, taylor" or seen(example)
    assert covered(example)
    assert layer.alike is None or twins(example)
    assert not layer.affine or not layer.undecided(*[numbers(example, 1)[1]] * 4).any()


@pytest.mark.parametrize("name", STATED)
def test_the_rule_that_a_layer_has_by_default_takes_it(name: str) -> None:
    assert takes(STATED[name].map(1)[1], DEFAULTS[STATED[name].layer.hands_down])


class MaxOf(MaxPool):
    affine = True


class Falling(AvgPool):
    monotone = True

    def __call__(self, x: Array) -> Array:
        return -super().__call__(x)


class Narrow(Conv2D):
    sees = Window((1, 1), (1, 1))   # type: ignore[assignment]


class OneStatistic(BatchNorm):
    alike = "everywhere"


@pytest.mark.parametrize(("kind", "fact"), [(MaxOf, affine), (Falling, monotone), (Tanh, selects), (Narrow, seen),
                                            (OneStatistic, twins)], ids=lambda one: one.__name__)
def test_a_statement_that_is_not_so_is_seen(kind: Any, fact: Any) -> None:
    own = kind.example()
    assert not fact(Example(own.layer.astype(F), own.shape, own.suited, own.rational))


def test_a_coverage_that_is_not_stated_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lrp_ref.layers.fisher.sift.Coverage.coverages", (0.5, 1))
    assert not covered(LAYERS["DenseSift"])


class Own(Layer):
    """A layer that states nothing."""

    def __call__(self, x: Array) -> Array:
        return x

    def arrays(self) -> dict[str, Array]:
        return {"weight": np.ones(1)}


def test_of_a_layer_that_states_nothing_nothing_is_known() -> None:
    network, x = Network([("own", Own())]), np.array([[1.0, 2]])
    assert receptive_field(network, "own") is None and not Own().weighted and not drawable(Own())
    assert Own().normalised(x[0], x[0], x[0]) is None and Own().undecided(x, x + 1, x, x).all()
    for call in (assign, lambda network: bounds(network, x)):
        with pytest.raises(ValueError, match=r"knows no (rule|ball) for (layer )?own, a Own"):
            call(network)
