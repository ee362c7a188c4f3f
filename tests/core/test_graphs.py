"""Networks with branches: relevance by hand, every frontier's ledger, cut-offs, what is refused."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from helpers import assert_holds, fractions, law, refused

from lrp_ref import (
    Add,
    AvgPool,
    Concat,
    Conv2D,
    Epsilon,
    Flat,
    Linear,
    MaxPool,
    Multiply,
    Network,
    ReceptiveField,
    ReLU,
    assign,
    cutoff,
    explain,
    receptive_field,
)
from lrp_ref.arrays import Array
from lrp_ref.checks import bounds, monte_carlo
from lrp_ref.checks.claims.claim import Claim
from lrp_ref.checks.claims.graphs import GRAPHS, graph
from lrp_ref.layers.example import mixed
from lrp_ref.relevance import through_network

F = Fraction


def by_hand(*text: str) -> Array:
    return fractions([*text])


# ---- By hand ----


def test_a_sum_of_two_shares_relevance_by_what_each_contributes() -> None:
    # a = (3, -2), b = (1, 1): z = (4, -1); R = (4, 2): a gets 3/4 of 4 and 2 of 2, b 1/4 of 4 and -1 of 2
    network = Network([("add", Add())])
    x = by_hand("3 -2", "1 1")[None]
    e = explain(network, x, target=by_hand("4 2"))
    assert e.relevance.tolist() == [[[3, 4], [1, -2]]]


def test_x_and_twice_x_give_back_what_arrived() -> None:
    # x + 2 x at x = 3, R = 9: 3 to the skip and 6 through the layer, 9 in all; a bare + would give 18
    network = Network([("twice", Linear(by_hand("2"))), ("add", Add(), ("twice", "input"))])
    e = explain(network, by_hand("3"), target=by_hand("9"))
    assert [m.item() for m in e.messages["add"]] == [6, 3] and e.relevance.tolist() == [[9]]
    assert e.relevances["twice"].tolist() == [[6]] and list(e.relevances) == ["input", "twice", "add"]


def test_ten_sums_of_a_tensor_and_itself_do_not_double_relevance() -> None:
    layers: list[Any] = [("add0", Add(), ("input", "input"))]
    layers += [(f"add{n}", Add(), (f"add{n - 1}", f"add{n - 1}")) for n in range(1, 10)]
    e = explain(Network(layers), by_hand("1 -2"), target=by_hand("1 5"))
    assert e.scores.tolist() == [[1024, -2048]] and e.relevance.tolist() == [[1, 5]]


def test_a_sum_of_zero_is_dead_and_a_stabiliser_by_name_takes_it() -> None:
    network = Network([("minus", Linear(by_hand("-1"))), ("add", Add(), ("minus", "input"))])
    x, R = by_hand("3"), by_hand("2")
    dead = explain(network, x, target=R)
    assert dead.relevance.tolist() == [[0]] and dead.ledger["add"].dead.tolist() == [[2]]
    e = explain(network, x, assign(network, by_name={"add": Epsilon(F(1, 2))}), R)
    assert [m.item() for m in e.messages["add"]] == [-12, 12] and e.ledger["add"].stabiliser.tolist() == [[2]]
    assert e.relevance.tolist() == [[0]]   # minus hands its -12 on


def test_coefficients_are_the_weights_of_a_sum() -> None:
    # 1/2 * 4 - 3 * 1 = -1, R = 6: 1/2 * 4 / -1 * 6 and -3 * 1 / -1 * 6
    e = explain(Network([("add", Add(by_hand("1/2 -3")[0]))]), by_hand("4", "1")[None], target=by_hand("6"))
    assert e.scores.tolist() == [[-1]] and e.relevance.tolist() == [[[-12], [18]]]


def test_a_product_gives_every_factor_its_share() -> None:
    # A = (1/4, 3/4) times V = (4, 8): z = (1, 6), R = (1, 6): a half each; or all to V, whose gate A decides
    x, R = by_hand("1/4 3/4", "4 8")[None], by_hand("1 6")
    assert explain(Network([("times", Multiply())]), x, target=R).relevance.tolist() == [[[F(1, 2), 3], [F(1, 2), 3]]]
    gated = Network([("times", Multiply(by_hand("0 1")[0]))])
    assert explain(gated, x, target=R).relevance.tolist() == [[[0, 0], [1, 6]]]


def test_a_gate_per_channel_is_spread_and_its_relevance_summed() -> None:
    # squeeze and excitation: a gate (1, 2, 1, 1) times an image (1, 2, 1, 3)
    image = mixed((1, 2, 1, 3), 5)
    network = Network([("pool", AvgPool((1, 3))), ("times", Multiply(), ("input", "pool"))])
    e = explain(network, image, target=network(image))
    to_image, to_gate = e.messages["times"]
    assert to_image.shape == image.shape and to_gate.shape == (1, 2, 1, 1)
    assert (to_image * 2 == e.start).all() and (to_gate[..., 0] == e.start.sum(axis=3) / 2).all()


def test_channels_beside_each_other_keep_their_relevance() -> None:
    network = Network([("one", Linear(by_hand("1 2 3"))), ("two", Linear(by_hand("4 -5")), "input"),
                       ("beside", Concat(), ("two", "one"))])
    R = by_hand("1 2 3 4 5")
    e = explain(network, by_hand("2"), target=R)
    assert e.scores.tolist() == [[8, -10, 2, 4, 6]]
    assert e.relevances["two"].tolist() == [[1, 2]] and e.relevances["one"].tolist() == [[3, 4, 5]]
    assert e.relevance.tolist() == [[15]]


# ---- Laws, on graphs that are drawn ----


@law("graph ledger")
def test_what_began_is_at_every_frontier_what_it_has_and_what_was_absorbed_above(claim: Claim) -> None:
    assert_holds(claim)


@law("graph cut-off")
def test_a_cut_off_changes_what_a_layer_is_made_of_and_below_it_no_image_matters(claim: Claim) -> None:
    assert_holds(claim)


def test_several_names_cut_every_branch_and_one_below_another_is_refused() -> None:
    network = Network([("a1", ReLU()), ("a2", ReLU()), ("b1", ReLU(), "input"), ("b2", ReLU()),
                       ("add", Add(), ("a2", "b2"))])
    rules = assign(network)
    assert [name for name, rule in cutoff(rules, "a2").items() if rule == Flat()] == ["a1"]
    assert [name for name, rule in cutoff(rules, ("a2", "b2")).items() if rule == Flat()] == ["a1", "b1"]
    assert [name for name, rule in cutoff(rules, "add").items() if rule == Flat()] == ["a1", "a2", "b1", "b2"]
    with refused("got a2, a1, of which a1 is below another: leave it out"):
        cutoff(rules, ("a2", "a1"))
    with refused("cutoff got below='c', …"):
        cutoff(rules, ("a2", "c"))
    assert cutoff(cutoff(rules, "a2"), "b2") == cutoff(rules, ("a2", "b2"))   # what it gives knows the graph too


@pytest.mark.parametrize("seed", GRAPHS)
def test_the_exact_relevance_lies_within_the_radius_of_every_tensor(seed: int) -> None:
    network = graph(seed)
    if any(isinstance(layer, Multiply) for _, layer in network):
        with refused("bounds knows no ball for layer …"):
            bounds(network.astype(np.float64), np.ones((1, 2, 3, 4)))
        return
    network = network.astype(np.float64)
    x = np.random.default_rng(seed).normal(size=(1, 2, 3, 4))
    R = np.random.default_rng(seed + 1).normal(size=(1, 3, 1, 1))
    rules = assign(network, {Conv2D: Epsilon(0.25), Add: Epsilon(0.25)})
    b = bounds(network, x, rules, R)
    exact = np.vectorize(F, otypes=[object])
    wanted = through_network(network.astype(F), rules, exact(x), exact(R))
    for t, radius in b.radii.items():
        known = np.isfinite(radius)
        gap = abs(exact(b.relevances[t]) - wanted[t])
        assert (gap[known] <= exact(radius[known])).all(), t
    assert list(b.radii) == ["input", *network.names] and np.isfinite([*b.radii.values()][-2]).any()
    sigma = monte_carlo(network, x, rules, R, u=2.0**-20, runs=8)
    assert list(sigma) == ["input", *network.names] and sigma["input"].any()


# ---- Parts, fields, merging ----


def test_a_part_that_one_tensor_enters_is_a_network() -> None:
    network = Network([("a", ReLU()), ("b", ReLU()), ("add", Add(), ("a", "b")), ("c", ReLU()), ("d", ReLU())])
    assert network.crossings() == ["a", "add", "c"] and not network.is_chain
    x = mixed((2, 3), 1)
    part = network[3:]
    assert part.names == ("c", "d") and part.is_chain and part.reads["c"] == ("input",)
    assert (network[1:](network.activations(x)["a"]) == network(x)).all() and network[1:3].names == ("b", "add")
    with refused("the layers add .. d read a, b from outside, needed one tensor to begin with: one alone crosses "
                 "after a, add, c"):
        network[2:]


def test_where_branches_meet_a_unit_sees_from_the_first_to_the_last_if_steps_are_equal() -> None:
    two = [("a", Conv2D(np.ones((1, 1, 3, 3)), pad=1)), ("b", Conv2D(np.ones((1, 1, 1, 5)), pad=(0, 2)), "input")]
    network = Network([*two, ("add", Add(), ("a", "b")), ("pool", MaxPool(2))])
    assert receptive_field(network, "add") == ReceptiveField((3, 5), (1, 1), (-1, -2))
    assert receptive_field(network, "pool") == ReceptiveField((4, 6), (2, 2), (-1, -2))
    other = Network([("a", MaxPool(2)), ("b", MaxPool(3, 3), "input"), ("add", Add(), ("a", "b")), ("c", ReLU())])
    assert receptive_field(other, "c") is None and receptive_field(other, "b") == ReceptiveField((3, 3), (3, 3), (0, 0))


# ---- What is refused ----


@pytest.mark.parametrize(("layers", "text"), [
    ([("a", ReLU(), "b"), ("b", ReLU(), "a")], "layer a reads b, which is made after it: …; a network has no cycles"),
    ([("a", ReLU(), "a")], "layer a reads a, which is made by itself: …"),
    ([("relu", ReLU()), ("b", ReLU(), "rely")], "layer b reads 'rely', which nothing makes: did you mean 'relu'? …"),
    ([("a", ReLU()), ("b", ReLU(), "input"), ("c", ReLU(), "input")], "nobody reads a, b: a network has one output, …"),
    ([("input", ReLU())], "Network got two tensors named input: …"),
    ([("a", ReLU()), ("b", ReLU(), ("a", "input"))],
     "layer b, a ReLU, got 2 tensors to read (a, input), needed one: …"),
    ([("a", ReLU(), ())], "Network got …, needed pairs of a name and a layer, or triples …"),
    ([("a", ReLU(), ("input", 3))], "Network got …, needed pairs of a name and a layer, or triples …"),
], ids=range(8))
def test_what_is_no_graph_is_refused(layers: Any, text: str) -> None:
    with refused(text):
        Network(layers)


def test_tensors_that_do_not_go_together_are_named_with_their_shapes() -> None:
    pool = [("pool", MaxPool(2))]
    x = np.ones((2, 3, 4, 4))
    for layer, needed in ((Add(), "Add got tensors of shapes (2, 3, 2, 2) and (2, 3, 4, 4), needed one shape: …"),
                          (Concat(), "Concat got tensors of shapes (2, 3, 2, 2) and (2, 3, 4, 4), needed the same …"),
                          (Multiply(), "Multiply got tensors of shapes (2, 3, 2, 2) and (2, 3, 4, 4), needed one …")):
        network = Network([*pool, ("meet", layer, ("pool", "input"))])
        for refuse in (lambda network=network: network(x), lambda network=network: network.shapes(x.shape)):
            with refused(f"layer meet: {needed}"):
                refuse()
    with refused("layer add: Add got 2 tensors and 3 coefficients: give one for each"):
        Network([("add", Add(np.ones(3)), ("input", "input"))])(x)
    with refused("layer times: Multiply got 2 tensors and 3 shares: give one for each"):
        Network([("times", Multiply(np.array([0.5, 0.25, 0.25])), ("input", "input"))])(x)
    with refused("Multiply got shares …, needed (K,) numbers that sum to 1"):
        Multiply(np.array([0.5, 0.25]))


@pytest.mark.parametrize("order", [("exact", "rounded"), ("rounded", "exact")])
def test_the_radius_of_a_tensor_holds_the_errors_of_all_that_read_it(order: tuple[str, str]) -> None:
    # z = 1 + 1 + 2 is exact, and so is what it hands down; z = 0.1 + 0.7 - 0.79 loses two digits, and so does R / z
    weights = {"exact": np.array([[1.0], [1.0], [2.0]]), "rounded": np.array([[0.1], [0.7], [-0.79]])}
    network = Network([*((name, Linear(weights[name]), "input") for name in order), ("both", Concat(), order)])
    x, exact = np.array([[1.0, 1.0, 1.0]]), np.vectorize(F, otypes=[object])
    for R in (np.array([[2.0, 4.0]]), np.array([[2.0, 2.0**-60]]), np.array([[2.0**-60, 2.0]])):
        b = bounds(network, x, assign(network), R)
        wanted = through_network(network.astype(F), assign(network), exact(x), exact(R))["input"]
        gap = abs(exact(b.relevances["input"]) - wanted)
        assert (gap <= exact(b.radius)).all() and gap.any() and (b.radius < 1e-10).all()   # 1e-14 of 80 times R


def test_the_radius_of_a_tensor_holds_the_rounding_of_its_readers_sum() -> None:
    # 1, and then 60 times 0.95 u, each of which rounds away: the messages are exact, their sum is off by 57 u
    names = [f"relu{n}" for n in range(61)]
    network = Network([*((name, ReLU(), "input") for name in names), ("all", Concat(), names)])
    R = np.array([[0.95 * 2.0**-53] * 60 + [1.0]])
    b = bounds(network, np.array([[3.0]]), assign(network), R)
    lost = abs(F(float(b.relevances["input"][0, 0])) - sum(map(F, R[0].tolist())))
    assert lost == 60 * F(0.95 * 2.0**-53) and lost <= F(float(b.radius[0, 0])) < 1000 * F(2.0**-53)


def test_rules_that_lost_what_reads_what_are_refused_and_not_taken_for_a_chains() -> None:
    network = Network([("a", ReLU()), ("b", ReLU(), "input"), ("sum", Add(), ("a", "b"))])
    rules, x = assign(network), np.array([[1.0, 2.0]])
    assert cutoff(rules, "b")["a"] == rules["a"] and cutoff({**rules}, "b")["a"] == Flat()   # a plain dict is a chain's
    with refused("got rules by which b, sum reads other layers than in the network, so that a cut-off went another "
                 "way: make the rules with assign(network, ...), and cut these off"):
        explain(network, x, cutoff({**rules}, "b"), target=x)
    explain(network, x, cutoff(rules, "b"), target=x)


def test_rules_of_a_network_are_rules_of_its_parts() -> None:
    network = Network([("a", ReLU()), ("b", ReLU()), ("c", ReLU(), "a"), ("sum", Add(), ("b", "c"))])
    part, x = network[1:], np.array([[1.0, 2.0]])
    assert explain(part, x, cutoff(assign(network), "sum"), target=x).relevance.sum() == 3
