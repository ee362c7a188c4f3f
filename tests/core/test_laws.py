"""What holds of every layer, every rule, and every rule on every layer: the laws that selfcheck claims, and more."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from helpers import FUNCTIONS, F, assert_holds, law, total, types_in

from lrp_ref import LRN, AlphaBeta, Epsilon, Gamma, Network, ZBox, ZPlus, explain
from lrp_ref.arrays import Array, negative, ones_like, positive, same
from lrp_ref.checks.claims.claim import Claim
from lrp_ref.checks.claims.examples import (
    LAYERS,
    RATIONAL,
    RULES,
    Example,
    mixed,
    relevance_for,
    takes,
)
from lrp_ref.checks.claims.laws import COLUMNS, closes
from lrp_ref.checks.numbers.decimals import DECIMALS
from lrp_ref.layers import Layer
from lrp_ref.layers.elementwise import Gate
from lrp_ref.linear_map import LinearMap, Term
from lrp_ref.rules import Rule, Share
from lrp_ref.step import step

# DenseSift's map has no weights: that it takes no function of them but 1 stands in test_sift.py
WEIGHTED = {name: example for name, example in LAYERS.items() if "Epsilon(0)" in example.rules()}
of_examples = pytest.mark.parametrize("example", WEIGHTED.values(), ids=WEIGHTED)
rational = pytest.mark.parametrize("example", RATIONAL.values(), ids=RATIONAL)


# ---- What selfcheck claims ----


@law("layers")
def test_a_layer_and_its_map_are_their_definition(claim: Claim) -> None:
    assert_holds(claim)


@law("rules")
def test_a_rule_is_its_definition(claim: Claim) -> None:
    assert_holds(claim)


@law("matrix")
def test_a_rule_is_its_formula_on_the_matrix(claim: Claim) -> None:
    assert_holds(claim)


@law("ledger")
def test_the_ledger_closes_and_hands_on_what_arrives(claim: Claim) -> None:
    assert_holds(claim)


@law("network ledger")
def test_the_ledger_of_a_network_closes(claim: Claim) -> None:
    assert_holds(claim)


@law("batches")
def test_a_batch_is_its_samples(claim: Claim) -> None:
    assert_holds(claim)


@law("linearity")
def test_relevance_and_ledger_are_linear(claim: Claim) -> None:
    assert_holds(claim)


@law("scaling")
def test_scales_do_not_matter(claim: Claim) -> None:
    assert_holds(claim)


@law("equal rules")
def test_rules_that_are_equal_are_equal(claim: Claim) -> None:
    assert_holds(claim)


@law("gradient")
def test_lrp_0_is_gradient_times_input(claim: Claim) -> None:
    assert_holds(claim)


# ---- Linearisation: m(a) = layer(x) ----


def taylor(layer: Layer) -> bool:
    """A documented exception: a first-order map, which is not the layer itself. (DenseSift's has no m(a) at all.)"""
    return isinstance(layer, LRN) and layer.taylor


@pytest.mark.parametrize("number", [np.float32, np.float64])
@pytest.mark.parametrize("name", [name for name, example in WEIGHTED.items() if not taylor(example.layer)])
def test_the_map_is_the_layer_within_rounding(name: str, number: type) -> None:
    layer, x = WEIGHTED[name].at(number)
    a, m = layer.linearize(x)
    terms = int(m.apply(ones_like(a), ones_like).max())
    # every weight carries two roundings (a division, a sum), every product one, and the sum and bias one per term
    n, unit = terms + 4, float(np.finfo(number).eps) / 2
    bound = n * unit / (1 - n * unit) * (m.apply(abs(a), abs) + abs(m.bias))
    assert (abs(m(a) - layer(x)) <= bound).all()


@of_examples
def test_the_map_has_the_layers_shapes(example: Example) -> None:
    layer, x = example.at(np.float64, 3)
    a, m = layer.linearize(x)
    assert a.shape == x.shape and m(a).shape == layer(x).shape == layer.output_shape(x.shape)
    assert np.broadcast_shapes(m.bias.shape, m(a).shape) == m(a).shape
    assert m.transpose(m(a), same, a.shape).shape == x.shape


# ---- Adjoint: sum_j s_j apply(a, f)_j = sum_i a_i transpose(s, f)_i ----


def assert_adjoint(m: LinearMap, a: Array, name: str, seed: int = 3) -> None:
    f = FUNCTIONS[name]
    forward = m.apply(a, f)
    s = relevance_for(forward, seed)
    assert forward.any() or f in (positive, negative), name
    assert total(s * forward) == total(a * m.transpose(s, f, a.shape)), name


@of_examples
def test_forward_and_backward_are_adjoint(example: Example) -> None:
    a, m = example.map()
    for name in FUNCTIONS:
        assert_adjoint(m, a, name)
        assert_adjoint(m, mixed(a.shape, 17), name)      # a map is linear: any input will do


@rational
def test_a_map_names_functions_of_its_weights_and_keeps_zero_outside_its_coverage(example: Example) -> None:
    # f = same plus twice ones_like is same + 2 on every connection, and on nothing else
    a, m = example.map()
    ones = m.apply(a, ones_like)
    for name, f in FUNCTIONS.items():
        both = m.apply(a, lambda w, f=f: f(w) + 2 * ones_like(w))
        assert (both == m.apply(a, f) + 2 * ones).all(), name


@rational
def test_several_functions_together_are_each_of_them(example: Example) -> None:
    a, m = example.map()
    chosen = [positive, same, FUNCTIONS["w - 3 w+"], ones_like]
    each = [m.apply(a, f) for f in chosen]
    assert all((z == w).all() for z, w in zip(m.apply_each(a, chosen), each, strict=True))
    s = [relevance_for(z, n) for n, z in enumerate(each)]
    parts = [m.transpose(s_f, f, a.shape) for s_f, f in zip(s, chosen)]
    assert (m.transpose_sum(s, chosen, a.shape) == sum(parts[1:], start=parts[0])).all()


# ---- Number types: what goes in comes out ----

NUMBERS = [np.float32, np.float64, F, Decimal]
number_types = pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number.__name__)

PARAMETERS: dict[str, Callable[[Any], Any]] = {
    "Python floats": float, "NumPy floats": np.float64, "NumPy single floats": lambda c: np.float32(float(c)),
    "Fractions": F,
}


def rules_to_try() -> list[Rule]:
    """Every rule, and with parameters of every type of number."""
    return [*RULES.values(), *(rule for p in PARAMETERS.values() for rule in (
        Epsilon(p(F(1, 8))), AlphaBeta(p(F(3, 2)), p(F(1, 2))), Gamma(p(F(1, 8))), ZBox(p(-4), p(5))))]


# every layer in every number type in which its forward pass exists
in_number_types = pytest.mark.parametrize(("example", "number"), [
    pytest.param(example, number, id=f"{name}-{number.__name__}") for name, example in WEIGHTED.items()
    for number in NUMBERS
    if name in RATIONAL or number in (np.float32, np.float64)
    or (number is Decimal and type(LAYERS[name].layer) not in DECIMALS)])


@in_number_types
def test_layers_return_the_number_type_they_are_given(example: Example, number: type) -> None:
    layer, x = example.at(number)
    a, m = layer.linearize(x)
    assert types_in(layer(x)) == types_in(m(a)) == types_in(m.bias) == types_in(m.weight) == {number}
    for f in FUNCTIONS.values():
        z = m.apply(a, f)
        assert types_in(z) == types_in(m.transpose(z, f, a.shape)) == {number}


@in_number_types
def test_rules_return_the_number_type_they_are_given(example: Example, number: type) -> None:
    layer, x = example.at(number, 1)
    a, m = layer.linearize(x)
    R = relevance_for(m(a))
    for rule in rules_to_try():
        if takes(m, rule):
            below, account = step(rule, m, a, R)
            assert types_in(below) == {number} and below.shape == a.shape, rule
            for column in ("received", *COLUMNS):
                assert types_in(getattr(account, column)) == {number}, (rule, column)
                assert getattr(account, column).shape == R.shape, (rule, column)


@number_types
def test_explanations_hold_one_number_type_all_through(number: type) -> None:
    network = Network([(name, RATIONAL[name].layer) for name in (
        "Conv2D, no bias", "MaxPool", "AvgPool", "ReLU", "Flatten")]).astype(number)
    x = RATIONAL["Conv2D, no bias"].x(number=number)
    e = explain(network, x, target=1)
    arrays = [e.scores, e.start, *e.activations.values(), *e.relevances.values(), *e.ledger.total().values()]
    assert set.union(*map(types_in, arrays)) == {number}
    for _, account in e.ledger:
        assert set.union(*(types_in(getattr(account, column)) for column in ("received", *COLUMNS))) == {number}


def test_a_float_parameter_enters_exact_arithmetic_at_its_exact_value() -> None:
    a, m = RATIONAL["Linear"].map()
    R = relevance_for(m(a))
    assert (step(Epsilon(0.1), m, a, R)[0] == step(Epsilon(F(0.1)), m, a, R)[0]).all()
    assert (step(Epsilon(0.1), m, a, R)[0] != step(Epsilon(F(1, 10)), m, a, R)[0]).any()


# ---- What the ledger catches, and what it does not ----

LOSSY: dict[str, Rule] = {"handed": Epsilon(0), "bias": Epsilon(0), "stabiliser": Epsilon(F(1, 4)),
                          "dead": AlphaBeta(2, 1)}


@pytest.mark.parametrize("column", COLUMNS)
def test_the_law_catches_a_column_that_is_dropped_or_scaled(column: str) -> None:
    a, m = RATIONAL["Conv2D"].map()
    account = step(LOSSY[column], m, a, relevance_for(m(a)))[1]
    values = getattr(account, column)
    assert closes(account) and values.any()
    assert not closes(replace(account, **{column: 0 * values})) and not closes(replace(account, **{column: -values}))


@dataclass(frozen=True)
class Only(Rule):
    """One share of a rule."""

    rule: Rule
    share: int

    @property
    def epsilon(self) -> Any:    # type: ignore[override]
        return self.rule.epsilon

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        return [self.rule.shares(m, a)[self.share]]


@pytest.mark.parametrize("share", [0, 1])
@pytest.mark.parametrize("column", ["handed", "bias"])
@pytest.mark.parametrize("rule", [AlphaBeta(2, 1), Gamma(F(1, 4))], ids=repr)
@pytest.mark.parametrize("name", ["Linear", "Conv2D"])
def test_the_law_catches_a_share_that_a_column_forgets(name: str, rule: Rule, column: str, share: int) -> None:
    a, m = RATIONAL[name].map()
    R = relevance_for(m(a))
    account = step(rule, m, a, R)[1]
    forgotten = getattr(step(Only(rule, share), m, a, R)[1], column)
    assert forgotten.any() and not closes(replace(account, **{column: getattr(account, column) - forgotten}))


@dataclass(frozen=True)
class Without(Rule):
    """A rule, less one of its terms, or less the bias of its terms."""

    rule: Rule
    share: int
    term: int
    bias: bool = False

    def shares(self, m: LinearMap, a: Array) -> list[Share]:
        shares = self.rule.shares(m, a)
        terms = list(shares[self.share].terms)
        terms[self.term] = replace(terms[self.term], **({"b": 0} if self.bias else {"a": 0 * terms[self.term].a}))
        shares[self.share] = Share(shares[self.share].part, terms)
        return shares


@pytest.mark.parametrize("bias", [False, True], ids=["product", "bias"])
@pytest.mark.parametrize(("rule", "share", "term"), [
    (AlphaBeta(2, 1), 0, 0), (AlphaBeta(2, 1), 0, 1), (AlphaBeta(2, 1), 1, 0), (AlphaBeta(2, 1), 1, 1),
    (Gamma(1), 0, 0), (Gamma(1), 0, 1), (Gamma(1), 1, 0), (Gamma(1), 1, 1), (ZBox(-4, 5), 0, 1), (ZBox(-4, 5), 0, 2),
], ids=str)
def test_a_forgotten_term_changes_the_relevance_though_the_ledger_closes(rule: Rule, share: int, term: int,
                                                                         bias: bool) -> None:
    # the law says where R went and not that the rule is right: for that there are the definitions
    a, m = RATIONAL["Conv2D"].map()
    R = relevance_for(m(a))
    below, account = step(Without(rule, share, term, bias), m, a, R)
    assert closes(account)
    has_one = not bias or (term == 0 and not isinstance(rule, ZBox))
    assert (below != step(rule, m, a, R)[0]).any() == has_one


@pytest.mark.parametrize("name", ["Linear", "Conv2D", "AvgPool", "LRN, taylor"])
def test_z_box_of_nothing_is_epsilon_zero_without_the_bias(name: str) -> None:
    a, m = RATIONAL[name].map()
    R = relevance_for(m(a))
    (r, account), (s, wanted) = (step(rule, m, a, R) for rule in (ZBox(0, 0), replaced_bias(m)))
    assert (r == s).all() and all((p == q).all() for p, q in zip(account.parts(), wanted.parts()))


def replaced_bias(m: LinearMap) -> Rule:
    """Epsilon(0) without the bias, which is ZBox(0, 0)."""
    class Biasless(Rule):
        def shares(self, m: LinearMap, a: Array) -> list[Share]:
            [share] = Epsilon(0).shares(m, a)
            return [Share(1, [replace(share.terms[0], b=0)])]
    return Biasless()


# ---- The forward pass's output, known already ----


@rational
def test_with_the_output_known_relevance_and_ledger_are_the_same(example: Example) -> None:
    if example.layer.approximate:
        return     # of a tangent the forward pass leaves something else
    a, m = example.map()
    z = m(a)
    R = relevance_for(z)
    for name, rule in example.rules().items():
        (below, account), (wanted, expected) = step(rule, m.recalling(a, z), a, R), step(rule, m, a, R)
        assert (below == wanted).all(), name
        assert all((got == column).all() for got, column in zip(account.parts(), expected.parts())), name


@dataclass(frozen=True, eq=False)
class Uphill(LinearMap):
    """A map that works out no output."""

    there: LinearMap

    @property
    def bias(self) -> Array:    # type: ignore[override]
        return self.there.bias

    def apply_each(self, a: Array, functions: Any) -> list[Array]:
        raise AssertionError("the output was known")

    def transpose_sum(self, s: Any, functions: Any, shape: Any) -> Array:
        return self.there.transpose_sum(s, functions, shape)


@pytest.mark.parametrize("name", ["Linear", "Conv2D"])
def test_a_known_output_is_not_worked_out_again_where_the_rule_divides_by_it(name: str) -> None:
    a, m = RATIONAL[name].map()
    z = m(a)
    R = relevance_for(z)
    assert (step(Epsilon(F(1, 4)), Uphill(m).recalling(a, z), a, R)[0] == step(Epsilon(F(1, 4)), m, a, R)[0]).all()
    class Inputs(Rule):
        def shares(self, m: LinearMap, a: Array) -> list[Share]:
            return [Share(1, [Term(positive(a), same, m.bias)])]

    for rule in (ZPlus(), Gamma(F(1, 4)), ZBox(-4, 5), replaced_bias(m), Inputs()):   # divide by something else
        with pytest.raises(AssertionError, match="the output was known"):
            step(rule, Uphill(m).recalling(a, z), a, R)


def test_in_floats_a_known_output_is_divided_by_as_it_is_but_for_two_roundings() -> None:
    rng, u = np.random.default_rng(0), 2.0**-24
    a, b = (rng.normal(size=(1, 200000)).astype(np.float32) for _ in range(2))
    m = Gate(ones_like(a), b, a.shape)
    z = m(a)
    [product] = m.recalling(a, z).products([Term(a, same, b)])
    d = product + b      # what step divides by
    assert (abs(d.astype(float) - z) <= u * (abs(product) + abs(z))).all() and (d != z).mean() < 1e-4
    assert (product != a).mean() > 0.1      # the forward pass's sum was rounded, and step sees no other


def test_the_output_of_a_layer_whose_map_is_another_is_not_taken_for_the_maps() -> None:
    example = RATIONAL["LRN, taylor"]
    x = example.x()
    a, m = example.layer.linearize(x)
    R = relevance_for(m(a))
    e = explain(Network([("lrn", example.layer)]), x, {"lrn": Epsilon(F(1, 4))}, target=R)
    assert example.layer.approximate and (e.scores != m(a)).any()
    assert (e.relevance == step(Epsilon(F(1, 4)), m, a, R)[0]).all()


def test_only_the_documented_exceptions_have_a_map_that_is_not_the_layer() -> None:
    assert {name for name, example in LAYERS.items() if example.layer.approximate} == {
        "DenseSift", "LRN, taylor", "LRN, Caffe, taylor"}
