"""The backward pass as a whole: targets, what an explanation holds, suffixes, and what is refused at the door."""

from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from helpers import F, fractions, image, mixed, refused, total, types_in

import lrp_ref.relevance
from lrp_ref import (
    AlphaBeta,
    AvgPool,
    Conv2D,
    Epsilon,
    Flat,
    Flatten,
    Linear,
    MaxPool,
    Network,
    Pass,
    ReLU,
    SumPool,
    Winner,
    WSquare,
    ZPlus,
    assign,
    explain,
    paper_cnn,
)
from lrp_ref.checks.claims.examples import RULES
from lrp_ref.layers.linear import Dense

NETWORK = Network([
    ("conv1", Conv2D(mixed((2, 1, 2, 3), 1), mixed((2,), 2), pad=(0, 1))), ("relu1", ReLU()),
    ("pool1", MaxPool((2, 1))), ("flat", Flatten()), ("fc", Linear(mixed((12, 4), 11), mixed((4,), 4))),
])
X = mixed((3, 1, 5, 3), 9)
SCORES = NETWORK(X)


# ---- By hand ----


def test_two_layers_by_hand() -> None:
    network = Network([("fc1", Linear(fractions(["1 2", "-1 1"]), fractions("0 1"))), ("relu", ReLU()),
                       ("fc2", Linear(fractions(["3 1", "2 0"]), fractions("-4 1")))])
    # fc1: 2 - 3 = -1 and 4 + 3 + 1 = 8; relu: 0, 8; fc2: 16 - 4 = 12 and 1
    e = explain(network, fractions(["2 3"]))
    assert e.scores.tolist() == [[12, 1]] and e.start.tolist() == [[12, 0]]
    # fc2: 16/12 of 12 to the second hidden unit; fc1: 4/8 and 3/8 of 16
    assert e.relevances["relu"].tolist() == e.relevances["fc1"].tolist() == [[0, 16]]
    assert e.relevances["fc2"].tolist() == [[12, 0]]
    assert e.relevance.tolist() == [[8, 6]]
    assert e.ledger["fc2"].bias.tolist() == [[-4, 0]] and e.ledger["fc1"].bias.tolist() == [[0, 2]]


def test_each_layer_gets_its_own_rule() -> None:
    network = Network([("fc1", Linear(fractions(["1 2", "-1 1"]), fractions("0 1"))), ("relu", ReLU()),
                       ("fc2", Linear(fractions(["3 1", "2 0"]), fractions("-4 1")))])
    rules = {"fc1": Flat(), "relu": Pass(), "fc2": AlphaBeta(2, 1)}
    # fc2: z+ = 16 (the first hidden unit is 0), z- = -4, all bias: 24 to the second hidden unit; fc1: halves
    e = explain(network, fractions(["2 3"]), rules)
    assert e.relevances["relu"].tolist() == [[0, 24]] and e.relevance.tolist() == [[12, 12]]
    assert e.ledger["fc2"].bias.tolist() == [[-12, 0]] and not e.ledger["fc2"].dead.any()


# ---- What an explanation holds ----


def test_an_explanation_holds_every_tensor_by_the_name_of_its_layer_and_its_relevance() -> None:
    e = explain(NETWORK, X)
    assert list(e.activations) == list(e.relevances) == ["input", *NETWORK.names]
    for name, x in NETWORK.activations(X).items():
        assert (e.activations[name] == x).all() and e.relevances[name].shape == x.shape
    assert (e.scores == SCORES).all() and e.relevance is e.relevances["input"] and e.relevance.shape == X.shape
    assert (e.relevances["fc"] == e.start).all() and list(e.messages) == list(NETWORK.names)
    for name, below in zip(NETWORK.names, e.relevances.values()):
        assert [message is below for message in e.messages[name]] == [True]


def test_every_layer_receives_what_the_one_above_hands_down() -> None:
    e = explain(NETWORK, X, paper_cnn(NETWORK))
    assert list(e.ledger.names) == list(NETWORK.names)[::-1]
    for name in NETWORK.names:
        assert (e.ledger[name].received == e.relevances[name]).all(), name


def test_the_input_and_the_target_are_not_changed() -> None:
    x, R = X.astype(float), mixed(SCORES.shape, 6, np.float64)
    copies = x.copy(), R.copy()
    for rules in (None, paper_cnn(NETWORK), {name: Flat() for name in NETWORK.names}):
        e = explain(NETWORK.astype(np.float64), x, rules, R)
        assert (x == copies[0]).all() and (copies[1] == R).all() and e.start is R


def test_no_rules_means_every_default() -> None:
    assert (explain(NETWORK, X).relevance == explain(NETWORK, X, assign(NETWORK)).relevance).all()


# ---- Targets ----


def test_without_a_target_it_is_each_images_top_score() -> None:
    e = explain(NETWORK, X)
    top = [row.index(max(row)) for row in SCORES.tolist()]
    assert top == [2, 1, 0]
    wanted = [[score if j == best else 0 for j, score in enumerate(row)] for row, best in zip(SCORES.tolist(), top)]
    assert e.start.tolist() == wanted and types_in(e.start) == {F}


def test_of_tied_top_scores_the_first_is_the_target() -> None:
    network = Network([("relu", ReLU())])
    assert explain(network, fractions(["1 3 3 2"])).start.tolist() == [[0, 3, 0, 0]]


@pytest.mark.parametrize("target", [2, np.int64(2), np.array(2), np.uint8(2)], ids=["int", "int64", "array", "uint8"])
def test_a_class_index_is_the_target_of_every_image(target: Any) -> None:
    start = explain(NETWORK, X, target=target).start
    assert start.tolist() == [[0, 0, row[2], 0] for row in SCORES.tolist()]


@pytest.mark.parametrize("target", [[3, 0, 1], np.array([3, 0, 1]), (3, 0, 1)], ids=["list", "array", "tuple"])
def test_indices_are_the_targets_of_the_images_in_turn(target: Any) -> None:
    a, b, c = SCORES.tolist()
    assert explain(NETWORK, X, target=target).start.tolist() == [[0, 0, 0, a[3]], [b[0], 0, 0, 0], [0, c[1], 0, 0]]


def test_an_array_shaped_like_the_scores_is_the_relevance_itself() -> None:
    R = mixed(SCORES.shape, 6)
    assert (explain(NETWORK, X, target=R).start == R).all()
    assert (explain(NETWORK, X, target=R.tolist()).start == R).all()


def test_a_score_of_zero_starts_with_nothing() -> None:
    e = explain(Network([("relu", ReLU())]), fractions(["-1 2"]), target=0)
    assert e.start.tolist() == e.relevance.tolist() == [[0, 0]]


@pytest.mark.parametrize(("target", "got"), [
    (4, "got target 4, needed class indices from 0 to 3"), (-1, "got target -1, needed class indices from 0 to 3"),
    ([0, 1, 4], "got target [0 1 4], needed class indices from 0 to 3"),
    ([0, -1, 1], "got target [ 0 -1  1], needed class indices from 0 to 3"),
    ([0, 1], "got a target of shape (2,) and type int64, needed a class index, 3 indices, or an array of shape (3, 4)"),
    (1.0, "got a target of shape () and type float64, needed a class index, 3 indices, or an array of shape (3, 4)"),
    (True, "got a target of shape () and type bool, needed a class index, 3 indices, or an array of shape (3, 4)"),
    ("cat", "got a target of shape () and type <U3, needed a class index, 3 indices, or an array of shape (3, 4)"),
    (np.ones((4, 3)), "got a target of shape (4, 3) and type float64, needed a class index, 3 indices, or an array of "
                      "shape (3, 4)"),
])
def test_a_target_that_is_none_is_refused(target: Any, got: str) -> None:
    with refused(got):
        explain(NETWORK, X, target=target)


def test_a_target_array_has_the_scores_number_type_and_is_finite() -> None:
    network = NETWORK.astype(np.float32)
    x, ones = X.astype(np.float32), np.ones((3, 4))
    with refused("got a target of float64, needed the scores' float32: use target.astype"):
        explain(network, x, target=ones)
    with refused("got numbers of type int64, needed float32…"):
        explain(network, x, target=ones.astype(int))
    for bad in (np.nan, np.inf):
        with refused("got a target with NaN or infinity, needed finite relevance"):
            explain(network, x, target=(ones * bad).astype(np.float32))


def test_scores_that_are_images_need_a_target_of_their_shape() -> None:
    network = NETWORK[:3]
    text = ("the scores have shape (3, 2, 2, 3), needed (N, classes) to choose a class: end the network with "
            "Flatten(), or give an array of that shape as the target")
    for target in (None, 1):
        with refused(text):
            explain(network, X, target=target)
    R = mixed((3, 2, 2, 3), 6)
    assert (explain(network, X, target=R).start == R).all()


# ---- Parts of a network, batches ----


def test_a_suffix_explains_its_own_part_exactly() -> None:
    rules = paper_cnn(NETWORK)
    whole = explain(NETWORK, X, rules, target=1)
    for i, below in enumerate(["input", *NETWORK.names[:-1]]):
        part = explain(NETWORK[i:], whole.activations[below], rules, target=1)
        assert (part.relevance == whole.relevances[below]).all() and (part.scores == whole.scores).all()
        if i:
            prefix = explain(NETWORK[:i], X, rules, target=whole.relevances[below])
            assert (prefix.relevance == whole.relevance).all()


def test_a_column_of_one_is_written_down_in_parts_as_in_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network([("fc", Linear(fractions([["2"], ["-1"]]), fractions("-3")))])
    x, R = fractions(["1 -4", "3 1", "2 5"]), fractions(["1", "-5", "2"])
    whole = explain(network, x, {"fc": Epsilon(0)}, R).ledger["fc"]
    monkeypatch.setattr(lrp_ref.relevance, "BATCH", 1)     # one image, and so one output, at a time
    parts = explain(network, x, {"fc": Epsilon(0)}, R).ledger["fc"]
    # z = 6 - 3, 5 - 3, -1 - 3: handed 2, -25/2, 1/2 and bias -1, 15/2, 3/2
    assert whole.handed.tolist() == parts.handed.tolist() == [[2], [F(-25, 2)], [F(1, 2)]]
    assert whole.bias.tolist() == parts.bias.tolist() == [[-1], [F(15, 2)], [F(3, 2)]]
    even = explain(network, x, {"fc": WSquare()}, fractions(["1", "1", "1"])).ledger["fc"]
    assert even.handed.tolist() == [[1], [1], [1]] and not even.bias.any()


def test_what_one_image_has_not_another_of_its_batch_may_have() -> None:
    # the first image has no negative input, the second no positive one, the third is empty
    layer = Linear(fractions([["2", "-3"], ["-1", "5"], ["4", "-2"]]), fractions("1 -2"))
    x = fractions(["1 0 3", "-2 -1 -4", "0 0 0"])
    R = fractions(["3 -1", "2 7", "-4 6"])
    network = Network([("fc", layer)])
    for order in ([0, 1, 2], [1, 0, 2], [2, 0, 1]):
        below = explain(network, x[order], {"fc": AlphaBeta(2, 1)}, R[order]).relevance
        for n, one in enumerate(order):
            alone = explain(network, x[one : one + 1], {"fc": AlphaBeta(2, 1)}, R[one : one + 1]).relevance
            assert (below[n] == alone[0]).all()
        assert below[order.index(0)].any() and below[order.index(1)].any()


@pytest.mark.parametrize("batch", [1, 31, 70])
def test_large_batches_in_parts_are_the_same_as_whole(batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rules = assign(NETWORK, {Conv2D: AlphaBeta(2, 1), Linear: Epsilon(F(1, 4)), ReLU: Epsilon(0)})
    whole = explain(NETWORK, X, rules)
    monkeypatch.setattr(lrp_ref.relevance, "BATCH", batch)
    parts = explain(NETWORK, X, rules)
    for name in NETWORK.names:
        assert (parts.relevances[name] == whole.relevances[name]).all()
        for column in ("received", "handed", "bias", "stabiliser", "dead"):
            got, wanted = getattr(parts.ledger[name], column), getattr(whole.ledger[name], column)
            assert got.shape == wanted.shape and (got == wanted).all()


@pytest.mark.parametrize(("lean", "batch", "sizes"), [(True, 1, [3]), (False, 1, [1, 1, 1]), (False, 16, [2, 1]),
                                                       (False, 24, [3])])
def test_a_map_that_is_not_lean_is_made_for_some_samples_at_a_time(lean: bool, batch: int, sizes: list[int],
                                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    class Watched(SumPool):
        def linearize(self, x: Any) -> Any:
            made.append(len(x))
            return super().linearize(x)

    layer, x = Watched((1, 2)), mixed((3, 1, 2, 4), 2)     # eight numbers a sample, and four above
    R = layer(x)
    monkeypatch.setattr(Watched, "lean", lean)
    monkeypatch.setattr(lrp_ref.relevance, "BATCH", batch)
    made.clear()
    lrp_ref.relevance.through_layer(Epsilon(0), layer, x, R)
    assert made == sizes


class Hebbian(Epsilon):
    """R_i = a_i^2 / (sum_i a_i^2) R: the weights are the input."""

    def seen(self, m: Any, a: Any) -> Any:
        return Dense(np.transpose(a), 0 * m.bias)


def test_the_map_that_a_rule_sees_may_depend_on_the_input() -> None:
    network = Network([("fc", Linear(fractions(["5", "7"]), fractions("2")))])
    e = explain(network, fractions(["3 -1"]), {"fc": Hebbian()}, fractions(["20"]))
    assert e.relevance.tolist() == [[18, 2]]


def test_without_the_layers_output_what_is_handed_down_is_the_same() -> None:
    layer, x = Linear(mixed((4, 3), 1), mixed((3,), 2)), mixed((2, 4), 5)
    z, R = layer(x), mixed((2, 3), 7)
    (below, account), (wanted, expected) = (lrp_ref.relevance.through_layer(Epsilon(F(1, 4)), layer, x, R, *known)
                                            for known in ((), (z,)))
    assert below.tolist() == wanted.tolist()
    assert [column.tolist() for column in account.parts()] == [column.tolist() for column in expected.parts()]


# ---- Numbers large and small ----


def test_huge_values_that_fit_pass() -> None:
    network = Network([("fc", Linear(np.array([[1e150], [1e150]]), np.array([-1e300])))])
    e = explain(network, np.array([[3e150, 1e150]]))
    # z = 3e300: parts 3/3 and 1/3 of it, -1/3 to the bias, within a few roundings
    assert np.abs(e.relevance / 1e300 - [[3, 1]]).max() < 4 * np.spacing(4.0)
    exact = explain(network.astype(F), fractions([[10**150 * 3, 10**150]]))
    assert total(exact.relevance) + total(exact.ledger["fc"].bias) == exact.scores.item()


@pytest.mark.parametrize("number", [np.float32, np.float64], ids=["float32", "float64"])
def test_scores_that_overflow_are_refused_by_layer(number: type) -> None:
    large = np.finfo(number).max / 2
    network = Network([("flat", Flatten()), ("fc", Linear(np.full((4, 2), large, number)))])
    with (refused("layer fc gives NaN or infinity for this input: are its weights too large?"),
          np.errstate(all="ignore")):
        explain(network, np.ones((1, 1, 2, 2), number))


def test_float32_overflows_where_float64_does_not() -> None:
    network, x = Network([("pool", SumPool(1, scale=1e30)), ("flat", Flatten())]), image("1").astype(float) * 1e10
    assert explain(network, x).scores.item() == 1e40
    with refused("layer pool gives NaN or infinity…"), np.errstate(all="ignore"):
        explain(network, x.astype(np.float32))


def test_relevance_that_overflows_names_layer_and_unit() -> None:
    # z of the second sample's output 1 is 1e-320, and 1 / 1e-320 is too large for a float
    network = Network([("fc", Linear(np.array([[1.0, 1], [1, 1e-320]])))])
    x, R = np.array([[1.0, 1], [0, 1]]), np.array([[1.0, 1], [1, 1]])
    text = ("layer fc: relevance overflows at output unit (1, 1), where R is divided by a z that is almost 0: "
            "give the layer a stabiliser, by_name={'fc': Epsilon(1e-6)}")
    with refused(text):
        explain(network, x, target=R)
    assert np.isfinite(explain(network, x, {"fc": Epsilon(1e-6)}, R).relevance).all()


def test_relevance_that_overflows_at_an_input_names_it() -> None:
    # each output hands down 1e308, which is a float; the second input receives 2e308, which is none
    network = Network([("fc", Linear(np.array([[0.0, 0.0], [1.0, 1.0]])))])
    with refused("layer fc: relevance overflows at input unit (0, 1), where R is divided by …"):
        explain(network, np.ones((1, 2)), target=np.full((1, 2), 1e308))


def test_a_tiny_bias_alone_overflows_by_name_and_is_no_nan() -> None:
    network = Network([("fc", Linear(np.ones((1, 1)), np.array([1e-320])))])
    with refused("layer fc: relevance overflows at output unit (0, 0)…"):
        explain(network, np.zeros((1, 1)), target=np.ones((1, 1)))


def test_no_warning_is_left_to_numpy_on_the_way_down(recwarn: pytest.WarningsRecorder) -> None:
    network = Network([("fc", Linear(np.array([[1.0, 1], [-1, 1e-320]])))])
    explain(network, np.array([[1.0, 1]]), target=np.array([[1.0, 0]]))
    with refused("…overflows…"):
        explain(network, np.array([[0.0, 1]]), target=np.array([[0.0, 1]]))
    assert not recwarn.list


class Cancelling(Epsilon):
    """A guard that takes every denominator to 0."""

    def guard(self, z: Any) -> Any:
        return -z


def test_a_guard_that_leaves_a_denominator_of_zero_is_reported_by_name_and_not_by_numpy(
        recwarn: pytest.WarningsRecorder) -> None:
    network = Network([("fc", Linear(np.array([[2.0], [3.0]])))])
    with refused("layer fc: relevance overflows at output unit (0, 0)…"):
        explain(network, np.array([[1.0, 4.0]]), {"fc": Cancelling()}, np.array([[5.0]]))
    assert not recwarn.list


def test_a_stabiliser_too_small_for_the_number_type_leaves_the_relevance_dead() -> None:
    network = Network([("fc", Linear(np.array([[1], [-1]], np.float32)))])
    x, R = np.ones((1, 2), np.float32), np.full((1, 1), 3, np.float32)
    account = explain(network, x, {"fc": Epsilon(1e-60)}, R).ledger["fc"]
    assert [column.item() for column in account.parts()] == [0, 0, 0, 3]


# ---- At the door ----


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_an_image_that_is_not_finite_is_refused_with_its_place(bad: float) -> None:
    x = X.astype(float)
    x[2, 0, 4, 1] = bad
    text = f"got {bad} at (2, 0, 4, 1) of the input, needed finite numbers: fill it first"
    with refused(text):
        explain(NETWORK.astype(np.float64), x)


def test_a_decimal_that_is_not_finite_is_refused_too() -> None:
    x = mixed((1, 3), 1, Decimal)
    for bad in ("NaN", "Infinity"):
        x[0, 1] = Decimal(bad)
        with refused(f"got {bad} at (0, 1) of the input, needed finite numbers…"):
            explain(Network([("relu", ReLU())]), x)


@pytest.mark.parametrize(("network", "x", "message"), [
    (F, np.float64, "got an input of float64 for a network of Fraction: use network.astype(float64)"),
    (np.float32, np.float64, "got an input of float64 for a network of float32: use network.astype(float64), or "
                             "x.astype(numpy.float32)"),
    (np.float64, F, "got an input of Fraction for a network of float64: use network.astype(Fraction), or "
                    "x.astype(numpy.float64)"),
    (F, Decimal, "got an input of Decimal for a network of Fraction: use network.astype(Decimal)"),
], ids=["exact network", "float32 network", "exact image", "Decimal image"])
def test_mixed_number_types_are_refused_with_the_cure(network: type, x: type, message: str) -> None:
    with refused(message):
        explain(NETWORK.astype(network), mixed((1, 1, 5, 3), 1, x))


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.bool_, np.float16])
def test_integer_boolean_and_half_float_images_are_refused_with_the_cure(dtype: type) -> None:
    for network in (NETWORK, Network([("relu", ReLU())])):
        with refused(f"got numbers of type {np.dtype(dtype)}, needed float32, …; use "
                     "x.astype(numpy.float64)…"):
            explain(network, np.ones((1, 1, 5, 3), dtype))


@pytest.mark.parametrize("shape", [(0, 1, 5, 3), (15,), ()])
def test_an_input_is_a_batch_of_at_least_one(shape: tuple[int, ...]) -> None:
    text = f"got an input of shape {shape}, needed a batch (N, ...) of at least one: x[None]?"
    with refused(text):
        explain(NETWORK.astype(np.float64), np.ones(shape))


def test_an_image_without_its_batch_axis_is_refused_by_the_layer_that_needs_it() -> None:
    with refused("layer conv1: Conv2D got an input of shape (1, 5, 3), needed (N, C, H, W)"):
        explain(NETWORK, X[0])


def test_every_layer_needs_a_rule() -> None:
    rules = assign(NETWORK)
    del rules["relu1"], rules["flat"]
    text = "got no rule for relu1, flat: make the rules with assign(network, ...)"
    with refused(text):
        explain(NETWORK, X, rules)


def test_rules_come_in_the_networks_order() -> None:
    rules = dict(reversed(assign(NETWORK).items()))
    with refused("got rules in the order fc, flat, pool1, relu1, conv1, needed the network's, …"):
        explain(NETWORK, X, rules)


@pytest.mark.parametrize("bad", [Epsilon, "flat", None, 3])
def test_what_is_no_rule_is_refused_by_layer(bad: Any) -> None:
    text = f"layer pool1: got {bad!r}, needed a rule such as Epsilon(0.01)"
    with refused(text):
        explain(NETWORK, X, assign(NETWORK) | {"pool1": bad})


@pytest.mark.parametrize(("name", "rule", "message"), [
    ("pool1", Pass(), "layer pool1: Pass needs a gate, and this layer mixes units; use Epsilon(0) or Flat()"),
    ("conv1", Pass(), "layer conv1: Pass needs a gate, and this layer mixes units; use Epsilon(0) or Flat()"),
    ("conv1", Winner(), "layer conv1: Winner needs a pooling, whose weights say who won; use Epsilon(0) or Flat()"),
])
def test_a_rule_that_is_not_for_its_layer_is_refused_by_name(name: str, rule: Any, message: str) -> None:
    with refused(message):
        explain(NETWORK, X, assign(NETWORK) | {name: rule})


def test_explaining_twice_gives_the_same() -> None:
    rules = assign(NETWORK, {Conv2D: ZPlus(), MaxPool: Flat()})
    first, second = explain(NETWORK, X, rules), explain(NETWORK, X, rules)
    assert (first.relevance == second.relevance).all() and (NETWORK(X) == SCORES).all()


def test_every_rule_can_be_given_to_a_layer_that_takes_it() -> None:
    network = Network([("pool", AvgPool(2)), ("flat", Flatten())])
    for rule in RULES.values():
        if not isinstance(rule, Pass):
            e = explain(network, image("1 2, 3 4", "-1 0, 0 5"), {"pool": rule, "flat": Pass()}, target=0)
            assert e.relevance.shape == (1, 2, 2, 2)


@pytest.mark.parametrize("x", [np.matrix([[1.0, 2.0]]), np.ma.masked_array([[1.0, 2.0]], [[False, True]])],
                         ids=["matrix", "masked"])
def test_arrays_that_multiply_or_hide_differently_are_refused(x: np.ndarray) -> None:
    network = Network([("fc", Linear(np.array([[2.0, -1.0], [3.0, 5.0]])))])
    with pytest.raises(ValueError, match=rf"^got a {type(x).__name__}, .*use numpy.asarray"):
        explain(network, x)
