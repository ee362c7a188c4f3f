"""The smoke test tells a broken adapter from an implementation that is wrong."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import small_suite
from small_suite import Right, Single, SquaredBias, Zero

from lrp_ref import AlphaBeta, Epsilon, Flat
from lrp_ref.arrays import Array
from lrp_ref.conformance.adapter import Unsupported
from lrp_ref.conformance.adapters.ours import ours
from lrp_ref.conformance.dialects import DIALECTS
from lrp_ref.conformance.judge.run import run
from lrp_ref.conformance.judge.smoke import Broken, smoke
from lrp_ref.conformance.report.as_json import as_json
from lrp_ref.conformance.report.facts import report
from lrp_ref.rules import Rule

Relevance = Callable[..., Any]


class Given:
    """An adapter of one function."""

    name, version, unit_roundoff = "given", "1", 2.0**-53
    conventions: Mapping[str, Any] = {}

    def __init__(self, relevance: Relevance) -> None:
        self.relevance = relevance


def right(network: Any, rules: Any, x: Array, R: Array) -> Array:
    return Right().relevance(network, rules, x, R)


def weights(network: Any) -> Array:
    return network.layers[0][1].weight


# ---- Wrong implementations, whose adapters are not broken ----


def gradient_times_input(network: Any, rules: Any, x: Array, R: Array) -> Array:
    return x * (R @ weights(network).T)


def batch_summed(network: Any, rules: Any, x: Array, R: Array) -> Array:
    return x * ((R / network(x).sum(axis=0)) @ weights(network).T)


def without_signs(network: Any, rules: Any, x: Array, R: Array) -> Array:
    return x * ((R / (network(x) + 0.1)) @ weights(network).T)


@pytest.mark.parametrize("relevance", [right, gradient_times_input, batch_summed, without_signs])
def test_an_implementation_that_is_wrong_has_no_broken_adapter(relevance: Relevance) -> None:
    smoke(Given(relevance))


@pytest.mark.parametrize("adapter", [Right(), Single(), SquaredBias(), *(ours(f"dialect:{name}") for name in DIALECTS)],
                         ids=lambda adapter: adapter.name)
def test_a_library_passes(adapter: Any) -> None:
    smoke(adapter)


def only(*kinds: type[Rule]) -> Given:
    def relevance(network: Any, rules: Any, x: Array, R: Array) -> Array:
        if not isinstance(rules["fc"], kinds):
            raise Unsupported("not that rule")
        return right(network, rules, x, R)
    return Given(relevance)


@pytest.mark.parametrize("adapter", [only(AlphaBeta), only(Flat), only()], ids=["alpha-beta", "flat", "none"])
def test_an_implementation_of_few_rules_is_not_broken(adapter: Given) -> None:
    smoke(adapter)


# ---- Broken adapters ----


class Twice:
    """Every second answer is another."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, network: Any, rules: Any, x: Array, R: Array) -> Array:
        self.calls += 1
        return right(network, rules, x, R) * self.calls


def changing(what: str) -> Relevance:
    def relevance(network: Any, rules: Any, x: Array, R: Array) -> Array:
        found = right(network, rules, x, R)
        given = {"x": x, "R": R, "the weights": weights(network)}[what]
        given += 1
        return found
    return relevance


@pytest.mark.parametrize(("relevance", "how"), [
    (Zero().relevance, "all relevance is 0, needed [[-5.0, 7.0, 3.0], [11.0, 13.0, -2.0]] or so: does what it returns "
                       "come from R?"),
    (lambda network, rules, x, R: right(network, rules, x, R).T, "relevance has shape (3, 2), needed x's (2, 3)"),
    (lambda network, rules, x, R: R @ weights(network), "what came back is in the order of transposed weights"),
    (lambda network, rules, x, R: -right(network, rules, x, R), "relevance is [[4.0, -5.6, -2.4], "),
    (lambda network, rules, x, R: network(x) @ weights(network).T, "relevance is [[1.0, 1.0, 1.0], "),
    (lambda network, rules, x, R: right(network, rules, x, R) / 0, "needed finite numbers"),
    (lambda network, rules, x, R: right(network, rules, x, R) + (R == 0), "for R = 0, needed 0: does it start from R"),
    (Twice(), "two calls gave"),
    (changing("x"), "it changed x that it was given: work on a copy"),
    (changing("R"), "it changed R that it was given"),
    (changing("the weights"), "it changed the weights that it was given"),
    (lambda network, rules, x, R: network.nothing, "raised AttributeError: 'Network' object has no attribute "
                                                   "'nothing', for Epsilon(epsilon=0.25) on a Linear layer "
                                                   "with weight (3, 3), x (2, 3) and R (2, 3) of float64"),
    (lambda network, rules, x, R: None, "raised TypeError: relevance returned NoneType of object"),
])
def test_a_broken_adapter_is_told_how_it_is_broken(relevance: Relevance, how: str) -> None:
    with pytest.raises(Broken) as error, np.errstate(all="ignore"):
        smoke(Given(relevance))
    assert str(error.value).startswith("broken adapter: given: ") and how in str(error.value)
    assert "\n" not in str(error.value)


def test_an_epsilon_that_all_inputs_share_breaks_no_adapter() -> None:
    """R_i = sum_j (a_i w_ij + epsilon sign(z_j) / n) R_j / (z_j + epsilon sign z_j), as for recurrent networks."""
    def shared(network: Any, rules: Any, x: Array, R: Array) -> Array:
        (rule,) = rules.values()
        if not isinstance(rule, Epsilon):
            raise Unsupported("no such rule")
        w = weights(network)
        z = x @ w
        more = float(rule.epsilon) * np.sign(z)
        return ((x[:, :, None] * w + more[:, None] / x.shape[1]) * (R / (z + more))[:, None]).sum(2)

    smoke(Given(shared))
    with pytest.raises(Broken, match=r"needed .* or so"):   # who shares what is no epsilon is broken
        smoke(Given(lambda network, rules, x, R: 0 * x + R.sum(1, keepdims=True) / 3))


def test_an_answer_may_miss_what_a_stabiliser_takes() -> None:
    def relevance(network: Any, rules: Any, x: Array, R: Array) -> Array:
        assert rules["fc"] == Epsilon(0.25)
        return 0.7 * right(network, rules, x, R)
    smoke(Given(relevance))


@pytest.mark.parametrize(("attributes", "how"), [
    ({"unit_roundoff": 2.0**-11}, "given: got unit_roundoff 0.00048828125, needed 2.0**-53 (float64) or 2.0**-24"),
    ({"conventions": ["epsilon"]}, "given: got conventions ['epsilon'], needed {question: answer} or {}"),
    ({"conventions": {"stabilizer": 1e-6}}, "given: got the convention 'stabilizer', which is no question: did you "
                                            "mean 'stabiliser'? they are start, default_epsilon, "),
    ({"conventions": {"bias_epsilon": "leftout"}}, "given: got the convention bias_epsilon = 'leftout', which is no "
                                                   "answer: needed 'kept', 'left out', or None where it has none"),
    ({"conventions": {"sign_of_zero": "-1"}}, "sign_of_zero = '-1', which is no answer: needed 1, -1, 0, 'nan', "
                                                "'dead', or None"),
    ({"conventions": {"sign_of_zero": True}}, "sign_of_zero = True, which is no answer"),
    ({"conventions": {"split": ["weights"]}}, "split = ['weights'], which is no answer"),
    ({"conventions": {"max_pool": 7}}, "max_pool = 7, which is no answer: needed 'ties share', 'first', "),
    ({"conventions": {"zero_rule": "none"}}, "needed 'dead', 'nan', any number from 0 on, or None where"),
    ({"conventions": {"stabiliser": -1e-6}},
     "stabiliser = -1e-06, which is no answer: needed 'nan', any number from 0"),
    ({"conventions": {"default_epsilon": np.nan}}, "default_epsilon = nan, which is no answer: needed any number"),
    ({"conventions": {"stabiliser": np.inf}}, "stabiliser = inf, which is no answer"),
])
def test_an_adapter_says_what_it_is(attributes: dict[str, Any], how: str) -> None:
    adapter = Given(right)
    vars(adapter).update(attributes)
    with pytest.raises(Broken) as error:
        smoke(adapter)
    assert how in str(error.value)


@pytest.mark.parametrize("name", DIALECTS)
def test_every_dialects_answers_may_be_declared(name: str) -> None:
    adapter = Given(right)
    vars(adapter).update(conventions=dict(DIALECTS[name].conventions.answers))
    smoke(adapter)


def test_a_broken_adapter_is_told_in_one_line_whatever_its_name() -> None:
    adapter = Given(lambda *_: np.zeros(3))
    adapter.name = "of two\nlines"   # type: ignore[misc]
    with pytest.raises(Broken, match="broken adapter: of two lines: relevance has shape"):
        smoke(adapter)


def test_an_adapter_without_its_parts_is_broken() -> None:
    class Nothing:
        name = "nothing"

    with pytest.raises(Broken, match="broken adapter: Nothing has no version, unit_roundoff, conventions, relevance"):
        smoke(Nothing())   # type: ignore[arg-type]


@pytest.mark.parametrize("number", [np.float32, np.float64])
def test_a_roundoff_is_taken_as_any_librarys_number(number: Any) -> None:
    """And every number that is computed with it is as precise as with Python's own."""
    adapter = Given(right)
    adapter.unit_roundoff = np.finfo(number).eps / 2
    smoke(adapter)
    suite = small_suite.suite()
    facts = as_json(report(run(adapter, suite)))
    assert facts["counts"]["failed"] == 0 and type(facts["adapter"]["unit_roundoff"]) is float
    json.dumps(facts)


@pytest.mark.parametrize("roundoff", [[2.0**-53], "2.0**-53", None, "float32"], ids=repr)
def test_a_roundoff_that_is_no_number_is_told(roundoff: Any) -> None:
    adapter = Given(right)
    adapter.unit_roundoff = roundoff
    with pytest.raises(Broken) as caught:
        smoke(adapter)
    assert str(caught.value) == (f"broken adapter: given: got unit_roundoff {roundoff!r}, needed 2.0**-53 (float64) or "
                                 "2.0**-24 (float32)")


@pytest.mark.parametrize("answers", [1, 2, 4, 5])
def test_what_an_adapter_had_once_it_must_have_again(answers: int) -> None:
    """Its first answers come; then it has nothing any more."""
    calls = []

    def relevance(network: Any, rules: Any, x: Array, R: Array) -> Array:
        calls.append(R)
        if len(calls) > answers:
            raise Unsupported("gone")
        return right(network, rules, x, R)

    with pytest.raises(Broken, match=r"given: it answered Epsilon\(.*\) .* then said that it does not have it"):
        smoke(Given(relevance))


def test_a_network_that_an_adapter_has_not_is_no_fault_of_it() -> None:
    calls = []

    def relevance(network: Any, rules: Any, x: Array, R: Array) -> Array:
        calls.append(R)
        if len(calls) > 3:   # the second network's
            raise Unsupported("gone")
        return right(network, rules, x, R)

    smoke(Given(relevance))
