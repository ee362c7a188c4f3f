"""Where every bit of relevance went: per unit, per layer, in total, and in print."""

import copy
import pickle
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from helpers import F, fractions, mixed, refused
from test_relevance import NETWORK, X

from lrp_ref import (
    AlphaBeta,
    Conv2D,
    Epsilon,
    Explanation,
    Flat,
    Gamma,
    Linear,
    Network,
    ReLU,
    assign,
    explain,
    paper_cnn,
    relevance,
)
from lrp_ref.arrays import Array, same
from lrp_ref.checks.claims.laws import network_hands_on
from lrp_ref.layers.linear import Dense
from lrp_ref.ledger import COLUMNS, Account, Again, Ledger
from lrp_ref.linear_map import LinearMap, Term
from lrp_ref.rules import Rule, Share

RULES: dict[str, Any] = {
    "defaults": assign(NETWORK), "paper": paper_cnn(NETWORK), "gates too": {name: Epsilon(0) for name in NETWORK.names},
    "stabilised": {name: Epsilon(F(1, 3)) for name in NETWORK.names},
    "gamma": assign(NETWORK, {Conv2D: Gamma(F(1, 4)), Linear: AlphaBeta(F(3, 2), F(1, 2))}),
}
rules = pytest.mark.parametrize("rules", RULES.values(), ids=RULES)


def hand_made() -> Ledger:
    """Two layers, two samples, two outputs each, every column another number."""
    def account(*columns: str) -> Account:
        return Account(*(fractions([row.strip() for row in column.split(",")]) for column in columns))
    upper = account("8 2, 0 4", "5 1, 0 1", "2 0, 0 -1", "1 0, 0 3", "0 1, 0 1")
    lower = account("6 0, 1 0", "2 0, 0 0", "-1 0, 2 0", "3 0, -1 0", "2 0, 0 0")
    return Ledger(("upper", "lower"), (upper, lower), fractions(["3 -1", "-4 4"]))   # the input's: 2 and 0 in all


def test_every_column_has_its_own_array_over_the_outputs() -> None:
    e = explain(NETWORK, X)
    for name in NETWORK.names:
        shape = e.activations[name].shape
        for column in COLUMNS:
            assert getattr(e.ledger[name], column).shape == shape
    assert COLUMNS == ("received", "handed", "bias", "stabiliser", "dead")


@rules
def test_the_ledger_of_a_network_closes_whatever_its_rules(rules: Any) -> None:
    assert network_hands_on(NETWORK, X, rules).holds


def test_each_kind_of_loss_is_in_its_own_column() -> None:
    def lost(e: Explanation) -> list[str]:
        return [column for column in COLUMNS[2:] if e.ledger.total()[column].any()]
    assert lost(explain(NETWORK, X)) == ["bias"]
    assert lost(explain(NETWORK, X, RULES["stabilised"])) == ["bias", "stabiliser"]
    assert lost(explain(NETWORK, X, RULES["paper"])) == ["bias", "dead"]
    without = NETWORK[4:]
    assert lost(explain(without, mixed((3, 12), 1), {"fc": Flat()})) == []


@dataclass(frozen=True)
class Guarded(Rule):
    """R_i = sum_j 2 a_i w_ij / (z_j + z_j^2 / 4) R_j, z_j = sum_i 2 a_i w_ij: its own guard, and another map."""

    def guard(self, z: Array) -> Array:
        return z * z / 4

    def seen(self, m: LinearMap, a: Array) -> LinearMap:
        assert isinstance(m, Dense)
        return Dense(2 * m.weight, 0 * m.bias)

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        return [Share(1, [Term(a, same, m.bias)])]


def test_the_stabilisers_column_is_what_a_rules_own_guard_takes() -> None:
    """z = 2 (3 + 1) = 8, the guard 16: of R = 72 a third is handed down, 6 : 2 as a w, and the guard takes the rest."""
    e = explain(Network([("fc", Linear(fractions(["1", "1"]), fractions("5")))]), fractions(["3 1"]),
                {"fc": Guarded()}, fractions(["72"]))
    account = e.ledger["fc"]
    assert e.relevance.tolist() == [[18, 6]]
    assert [column.item() for column in account.parts()] == [24, 0, 48, 0]


def test_totals_add_up_every_layers_losses_sample_by_sample() -> None:
    t = hand_made().total()
    assert {name: column.tolist() for name, column in t.items()} == {
        "received": [10, 4], "handed": [2, 0], "bias": [1, 1], "stabiliser": [4, 2], "dead": [3, 1]}
    upper = hand_made()["upper"].totals()
    assert [column.tolist() for column in upper] == [[10, 4], [6, 1], [2, -1], [1, 3], [1, 1]]


def test_accounts_are_found_by_name_and_run_from_the_highest_layer_down() -> None:
    ledger = explain(NETWORK, X).ledger
    assert [name for name, _ in ledger] == list(NETWORK.names)[::-1]
    for name, account in ledger:
        assert ledger[name] is account
    with refused("got the layer name 'conv2', needed one of fc, flat, pool1, relu1, conv1"):
        ledger["conv2"]


def test_the_table_is_in_per_cent_of_what_arrives_in_absolute_value() -> None:
    # upper, sample 0: |8| + |2| = 10; lower: |6| = 6; in total 10 arrived
    lines = [line.split() for line in hand_made().table().splitlines()]
    assert lines == [
        ["sum", "|R|", "received", "handed", "bias", "stabiliser", "dead"],
        ["upper", "10", "100.000%", "60.000%", "20.000%", "10.000%", "10.000%"],
        ["lower", "6", "100.000%", "33.333%", "-16.667%", "50.000%", "33.333%"],
        ["total", "10", "100.000%", "20.000%", "10.000%", "40.000%", "30.000%"],
    ]
    assert [line.split()[1] for line in hand_made().table(1).splitlines()[1:]] == ["4", "1", "4"]
    assert len({len(line) for line in hand_made().table().splitlines()}) == 1


def test_relevance_of_both_signs_is_measured_by_its_absolute_values() -> None:
    account = Account(*(fractions([column]) for column in ("3 -1", "3 -1", "0 0", "0 0", "0 0")))
    [_, line, _] = Ledger(("fc",), (account,), account.handed).table().splitlines()
    assert line.split() == ["fc", "4", "50.000%", "50.000%", "0.000%", "0.000%", "0.000%"]


def test_a_tiny_negative_share_prints_without_its_sign() -> None:
    account = Account(*(fractions([[column]]) for column in (1, 1, F(-1, 10**9), F(1, 10**9), 0)))
    assert "-0.000%" not in Ledger(("fc",), (account,), account.handed).table()


def test_a_layer_at_which_nothing_arrives_has_dashes() -> None:
    nothing = fractions([[0, 0]])
    table = Ledger(("fc",), (Account(*[nothing] * 5),), nothing).table()
    assert table.splitlines()[1].split() == ["fc", "0", "-", "-", "-", "-", "-"]


def test_a_ledger_prints_its_first_sample_and_says_how_to_see_the_others() -> None:
    ledger = explain(NETWORK, X).ledger
    assert str(ledger) == ledger.table(0) + "\n(sample 0 of 3; ledger.table(n) prints another)"
    one = explain(NETWORK, X[2:]).ledger
    assert str(one) == one.table() and one.table(0) == ledger.table(2)


@pytest.mark.parametrize("number", [np.float32, np.float64])
def test_the_law_holds_in_floats_within_rounding(number: type) -> None:
    e = explain(NETWORK.astype(number), X.astype(number), RULES["gamma"])
    for name, account in e.ledger:
        size = sum(abs(part) for part in account.parts())
        gap = abs(account.received - sum(account.parts()))
        # z_j and s_j z_ij are sums of at most 12 products, then divided, times and added: some 20 roundings, twice over
        assert (gap <= 40 * np.finfo(number).eps * (size + abs(account.received) * condition(e, name))).all()


def condition(e: Explanation, name: str) -> Any:
    """sum |z_ij| + |b_j| over |z_j|: how much the rounding errors of z_j weigh."""
    layer = NETWORK.astype(e.scores.dtype.type)[name]
    a, m = layer.linearize(NETWORK.read(name, e.activations))
    z = abs(m(a))
    return np.where(z == 0, 1, (m.apply(abs(a), abs) + abs(m.bias)) / np.where(z == 0, 1, z))


def test_names_and_accounts_are_as_many() -> None:
    ledger = hand_made()
    for names, accounts in ((("upper", "lower", "more"), ledger.accounts), (ledger.names, ledger.accounts[:1])):
        with pytest.raises(ValueError, match="zip"):
            list(Ledger(names, accounts, ledger.reached))


FLOATS = NETWORK.astype(np.float64)
NUMBERS = np.random.default_rng(3).normal(size=X.shape)


def explained_twice(monkeypatch: pytest.MonkeyPatch, **more: Any) -> tuple[Explanation, Explanation]:
    """With all accounts kept, and with the sums alone."""
    rules = assign(FLOATS, {Conv2D: Gamma(0.25), Linear: AlphaBeta(1.5, 0.5)})
    kept = explain(FLOATS, NUMBERS, rules, **more)
    monkeypatch.setattr(relevance, "KEPT", 0)
    again = explain(FLOATS, NUMBERS, rules, **more)
    monkeypatch.undo()
    assert {type(account) for account in kept.ledger.accounts} == {Account}
    assert {name for name, account in zip(again.ledger.names, again.ledger.accounts) if type(account) is Account} == {
        name for name in FLOATS.names if name in more.get("through", ()) or not kept.relevances[name].any()}
    return kept, again


@pytest.mark.parametrize("more", [{}, {"target": 1}, {"through": {FLOATS.names[2]: [0, 1]}}], ids=str)
def test_accounts_worked_out_again_are_those_that_were_kept(monkeypatch: pytest.MonkeyPatch, more: Any) -> None:
    """Bit for bit, one by one and all in turn, as a copy and after pickling; the tables to the letter."""
    kept, again = explained_twice(monkeypatch, **more)
    others = [again.ledger, copy.deepcopy(again.ledger), pickle.loads(pickle.dumps(again.ledger))]
    for ledger in others:
        for (name, one), (other_name, other) in zip(kept.ledger, ledger, strict=True):
            assert name == other_name and type(other) is Account
            for column in COLUMNS:
                assert np.array_equal(getattr(one, column), getattr(other, column))
                assert np.array_equal(getattr(ledger[name], column), getattr(one, column))
        assert str(ledger) == str(kept.ledger) and ledger.brief(1) == kept.ledger.brief(1)
        assert all(np.array_equal(one, two) for one, two in zip(
            kept.ledger.total().values(), ledger.total().values(), strict=True))
        for name, sums in kept.ledger.sums().items():
            assert all(map(np.array_equal, sums, ledger.sums()[name]))
    first = next(account for account in again.ledger.accounts if type(account) is Again)
    assert np.array_equal(first.bias, kept.ledger.accounts[again.ledger.accounts.index(first)].bias)
    with pytest.raises(AttributeError, match="an account has no relevance, needed one of received, handed"):
        first.relevance   # noqa: B018
    assert {type(account) for account in others[1].accounts} == {type(account) for account in others[2].accounts} == {
        Account}


def test_sums_of_pieces_are_those_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a layer that is worked on in pieces, some samples and some outputs at a time; up to the rounding of sums."""
    rng = np.random.default_rng(2)
    layer = Conv2D(rng.normal(size=(40, 24, 3, 3)), np.arange(40.0), pad=1)
    network, x, R = Network([("conv", layer)]), rng.normal(size=(2, 24, 150, 150)), rng.normal(size=(2, 40, 150, 150))
    monkeypatch.setattr(relevance, "BATCH", 1 << 10)
    rules = {"conv": AlphaBeta(2, 1)}
    assert sum(1 for _ in relevance.pieces(layer, x, R, None)) > 2   # of each image, too
    ledger = explain(network, x, rules, R).ledger
    account, = ledger.accounts
    assert type(account) is Again
    for one, column in zip(ledger.sums()["conv"], COLUMNS):
        whole = getattr(ledger["conv"], column)
        # pairwise sums of pieces: some 30 roundings, each of a part of the sum of all sizes
        assert np.all(abs(one - whole.sum((1, 2, 3))) <= 30 * 2.0**-53 * abs(whole).sum((1, 2, 3)))


def test_a_sum_beyond_all_floats_is_no_overflow_of_a_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its numbers are finite; where one of them is not, the unit is named as before."""
    monkeypatch.setattr(relevance, "KEPT", 0)
    network = Network([("fc", Linear(np.eye(2)))])
    with np.errstate(over="ignore"):
        e = explain(network, np.ones((1, 2)), {"fc": Epsilon(0)}, np.array([[1.5e308, 1.5e308]]))
    assert e.relevance.tolist() == [[1.5e308, 1.5e308]] and e.ledger.sums()["fc"][0] == np.inf
    with pytest.raises(ValueError, match=r"layer fc: relevance overflows at output unit \(0, 1\)"):
        explain(network, np.array([[1.0, 1e-300]]), {"fc": Epsilon(0)}, np.array([[1.0, 1e300]]))


@pytest.mark.parametrize("what", ["the input", "a relevance", "a weight"])
def test_arrays_that_were_written_into_give_no_other_ledger(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """As a loop does that reads every image into the same array."""
    monkeypatch.setattr(relevance, "KEPT", 0)
    rng = np.random.default_rng(4)
    weight, x = rng.normal(size=(3, 2, 2, 2)), rng.normal(size=(2, 2, 5, 6))
    network, R = Network([("conv", Conv2D(weight, np.array([2.0, -1.0, 0.5])))]), rng.normal(size=(2, 3, 4, 5))
    e = explain(network, x, {"conv": AlphaBeta(2, 1)}, R)   # biases keep more or less, as weights and inputs are
    assert type(e.ledger["conv"]) is Account
    array = {"the input": x, "a relevance": e.relevances["conv"], "a weight": weight}[what]
    array[1 if what != "a weight" else 0] *= 1.001
    with pytest.raises(ValueError, match="one of these arrays was written into: explain again, and change copies"):
        e.ledger["conv"]


def test_exact_accounts_are_kept_however_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fractions take long to work out again, and their arrays are small."""
    monkeypatch.setattr(relevance, "KEPT", 0)
    assert {type(account) for account in explain(NETWORK, X).ledger.accounts} == {Account}


def test_the_table_asks_for_no_account_again(monkeypatch: pytest.MonkeyPatch) -> None:
    _, again = explained_twice(monkeypatch)
    monkeypatch.setattr(relevance, "through_layer", None)   # what works an account out
    assert str(again.ledger) and again.ledger.total() and again.ledger.sums()
    with pytest.raises(TypeError):
        again.ledger[FLOATS.names[0]]


def test_the_table_to_the_letter() -> None:
    """Names to the left of a column as wide as 'total'; -0.0001 per cent is 0; a second sample is spoken of."""
    account = Account(*(np.array([[part, 0], [1, 0]]) for part in (-4.0, -5.0, 1 + 4e-6, 0.0, -4e-6)))
    assert str(Ledger(("fc",), (account,), account.handed)).splitlines() == [
        "          sum |R|    received      handed        bias  stabiliser        dead",
        "fc              4   -100.000%   -125.000%     25.000%      0.000%      0.000%",
        "total           4   -100.000%   -125.000%     25.000%      0.000%      0.000%",
        "(sample 0 of 2; ledger.table(n) prints another)"]


def test_a_long_ledger_is_shown_by_its_ends_and_its_largest_losses() -> None:
    """Nothing is lost but in two layers with a bias, of which the account of `lossy` is the larger."""
    layers: list[Any] = [(f"relu{n}", ReLU()) for n in range(30)]
    layers[5:5] = [("small", Linear(np.eye(3), np.full(3, 0.5)))]
    layers[20:20] = [("lossy", Linear(np.eye(3), np.full(3, 8.0)))]
    network = Network(layers)
    ledger = explain(network, np.array([[1.0, 2.0, 3.0]]), target=np.array([[1.0, 1.0, -1.0]])).ledger
    lines = ledger.brief().splitlines()[1:]
    assert [line.split()[0] for line in lines] == [
        "relu29", "relu28", "relu27", "..", "lossy", "..", "small", "..", "relu2", "relu1", "relu0", "total"]
    assert [line for line in lines if ".." in line] == ["  .. 8 layers", "  .. 14 layers", "  .. 2 layers"]
    assert ledger.table().count("\n") == 33 and set(lines) - set(ledger.table().splitlines()) == {
        "  .. 8 layers", "  .. 14 layers", "  .. 2 layers"}
    short = explain(Network(layers[:20]), np.ones((1, 3)), target=np.ones((1, 3))).ledger
    assert short.brief() == short.table()
    assert [line.split()[:2] for line in short.table(only=["small"]).splitlines()[1:]] == [
        ["..", "14"], ["small", "3"], ["..", "5"], ["total", "3"]]
