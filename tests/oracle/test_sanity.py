"""What a map depends on: shuffled weights, other classes, and how like each other two maps are."""

from fractions import Fraction

import numpy as np
import pytest
from helpers import fractions, refused

from lrp_ref import (
    AvgPool,
    Conv2D,
    Epsilon,
    Flatten,
    Linear,
    Network,
    ReLU,
    WSquare,
    ZPlus,
    assign,
    explain,
    heatmap,
)
from lrp_ref.checks.sanity import Likeness, cascade, cosine, edges, likeness, sanity, shuffled

rng = np.random.default_rng(5)
NETWORK = Network([("conv1", Conv2D(rng.normal(size=(4, 2, 3, 2)), rng.normal(size=4))), ("relu1", ReLU()),
                   ("pool", AvgPool(2)), ("conv2", Conv2D(rng.normal(size=(3, 4, 2, 2)), rng.normal(size=3))),
                   ("relu2", ReLU()), ("flat", Flatten()),
                   ("fc", Linear(rng.normal(size=(24, 5)), rng.normal(size=5)))])
X = rng.normal(size=(1, 2, 8, 11))
WEIGHTS = dict.fromkeys(NETWORK.names, WSquare())
RULES = assign(NETWORK, Epsilon(0.01))


def test_likeness_by_hand() -> None:
    """Ranks 3 1 2 0 and 0 1 2 3 have the covariance -4/4; |R| 3 1 2 0 and 4 1 2 8 -> 2 0 1 3."""
    one, other = np.array([[3.0, 1.0], [2.0, 0.0]]), np.array([[-4.0, 1.0], [2.0, 8.0]])
    found = likeness(one, other)
    # centred ranks 1.5 -.5 .5 -1.5 and -1.5 -.5 .5 1.5: (-2.25 + .25 + .25 - 2.25) / 5
    assert found.rank == pytest.approx(-4 / 5, abs=1e-15)   # sums of four numbers below 3
    assert found.absolute == pytest.approx((0.75 + 0.75 - 0.25 - 2.25) / 5, abs=1e-15)   # .5 -1.5 -.5 1.5
    assert found.cosine == pytest.approx((-12 + 1 + 4) / (14 * 85) ** 0.5, abs=1e-15)
    assert likeness(one, 7 * one) == Likeness(1, 1, 1) and likeness(one, -one) == Likeness(-1, 1, -1)


def test_equal_numbers_share_their_places() -> None:
    """Places 0, 1 1 (of two), 3 beside 0 1 2 3 in the order 0 2 1 3: the covariance is that of 0 1.5 1.5 3."""
    found = likeness(np.array([[0.0, 5.0, 5.0, 9.0]]), np.array([[0.0, 2.0, 1.0, 3.0]]))
    assert found.rank == pytest.approx((2.25 + 2.25) / (4.5 * 5) ** 0.5, abs=1e-15)   # sums of four numbers below 3


@pytest.mark.parametrize("other", [np.zeros((2, 2)), None])
def test_where_there_is_no_map_there_is_no_likeness(other: np.ndarray | None) -> None:
    assert likeness(np.array([[1.0, 2.0], [3.0, -4.0]]), other) == Likeness(None, None, None)
    even = likeness(np.array([[1.0, 2.0]]), np.ones((1, 2)))   # all of one rank, but of a direction
    assert (even.rank, even.absolute) == (None, None) and even.cosine == pytest.approx(3 / 10**0.5, abs=1e-15)


@pytest.mark.parametrize("size", [1e-300, 1.0, 1e300])
def test_no_square_overflows_or_vanishes(size: float) -> None:
    assert cosine(size * np.array([3.0, -4.0]), np.array([4.0, 3.0])) == 0
    assert cosine(size * np.array([3.0, 4.0]), np.array([4.0, 3.0])) == pytest.approx(0.96, abs=1e-15)   # two products


def test_shuffled_layers_have_the_same_numbers_in_another_order_and_others_are_as_they_were() -> None:
    other = shuffled(NETWORK, ["fc", "conv2"], 3)
    for name, layer in NETWORK:
        for of, array in layer.arrays().items():
            new = other[name].arrays()[of]
            assert sorted(new.ravel()) == sorted(array.ravel()) and new.shape == array.shape
            assert ((new == array).all()) == (name == "conv1"), (name, of)
    assert (shuffled(NETWORK, ["fc"], 3)["fc"].weight == other["fc"].weight).all()   # type: ignore[attr-defined]
    again, seeded = shuffled(NETWORK, ["fc", "conv2"], 3), shuffled(NETWORK, ["fc"], 4)
    assert (again["conv2"].weight == other["conv2"].weight).all()   # type: ignore[attr-defined]
    assert (seeded["fc"].weight != other["fc"].weight).any()   # type: ignore[attr-defined]


def test_a_cascade_goes_from_the_top_and_ends_with_all_layers_that_have_weights() -> None:
    assert cascade(NETWORK) == [("fc",), ("fc", "conv2"), ("fc", "conv2", "conv1")]
    assert cascade(NETWORK, 2) == [("fc",), ("fc", "conv2", "conv1")]
    many = Network([(f"fc{n}", Linear(np.eye(2))) for n in range(50)])
    assert [len(names) for names in cascade(many)] == [1, 11, 21, 30, 40, 50] and cascade(many)[1][-1] == "fc39"
    with refused("got a network without weights, needed some to put in another order"):
        cascade(Network([("relu", ReLU())]))


def test_maps_start_from_1_at_the_class_and_are_those_of_explain() -> None:
    found = sanity(NETWORK, X, RULES, 2, [4, 0], seed=1)
    assert [one.what for one in found.compared] == [("fc",), ("fc", "conv2"), ("fc", "conv2", "conv1"), 4, 0]

    def wanted(network: Network, index: int) -> np.ndarray:
        return heatmap(explain(network, X, RULES, np.eye(5)[[index]]).relevance)[0]
    assert (found.values == wanted(NETWORK, 2)).all()
    for one in found.compared:
        values = wanted(NETWORK, one.what) if isinstance(one.what, int) else wanted(shuffled(NETWORK, one.what, 1), 2)
        assert (one.values == values).all() and one.likeness == likeness(found.values, values)
    assert found.edges == likeness(found.values, edges(X))


def test_a_map_of_the_weights_alone_is_the_same_of_every_photograph() -> None:
    """Under w-square neither the photograph nor any activation is asked."""
    found = sanity(NETWORK, X, WEIGHTS, 2, [0])
    same = sanity(NETWORK, 3 * X[..., ::-1] + 1, WEIGHTS, 2, [0])
    assert (found.values == same.values).all() and found.edges != same.edges
    assert found.compared[-1].likeness == same.compared[-1].likeness
    assert max(abs(one.likeness.rank) for one in found.compared) < 1   # type: ignore[type-var,arg-type]


def test_where_shuffled_weights_overflow_there_is_no_map() -> None:
    """1e200 * 1e-200 + 1e200 is finite, 1e200 * 1e200 is not."""
    network = Network([("flat", Flatten()), ("fc", Linear(np.array([[1e-200], [1e200]])))])
    x, rules = np.array([[[[1e200, 1.0]]]]), assign(network, Epsilon(0))
    turned = next(seed for seed in range(9) if shuffled(network, ["fc"], seed)["fc"].weight[0] == 1e200)
    one, = sanity(network, x, rules, 0, seed=turned).compared
    assert one.values is None and one.likeness == Likeness(None, None, None)
    with refused("layer fc gives NaN or infinity for this input: …"):
        sanity(network, x * np.array([1.0, 1e200]), rules, 0)


def test_edges_are_central_differences_of_the_mean_of_the_channels() -> None:
    x = np.zeros((1, 2, 3, 4))
    x[0, :, 1, 2] = 6, 2   # the mean is 4
    assert edges(x)[1].tolist() == [0, 2, 0, 4] and edges(x)[:, 2].tolist() == [4, 0, 4]


def test_it_runs_in_fractions_too() -> None:
    network = Network([("flat", Flatten()), ("fc", Linear(fractions([[1, 2], [3, -4], [-2, 5], [1, 1]])))])
    x = fractions([[[[1, 2], [3, -1]]]])
    found = sanity(network, x, assign(network, ZPlus()), 0, [1])
    assert found.values.tolist() == [[float(Fraction(1, 7)), float(Fraction(6, 7))], [0, 0]]   # 1 2 and 3 6 are above 0


def test_layers_of_the_same_numbers_are_shuffled_each_in_its_own_order() -> None:
    weight = np.arange(36.0).reshape(6, 6)
    other = shuffled(Network([("one", Linear(weight)), ("two", Linear(weight))]), ["one", "two"], 0)
    assert (other["one"].weight != other["two"].weight).any()   # type: ignore[attr-defined]
