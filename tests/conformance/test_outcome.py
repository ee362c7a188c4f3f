"""Every status by a case that has it, and every way an answer can be none."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import small_suite
from small_suite import ABOUT, Partial, Right, Single, SquaredBias, Stabilised, Talkative

from lrp_ref import Epsilon, Gamma, Linear, MaxPool, Network, Winner, ZPlus
from lrp_ref.arrays import Array
from lrp_ref.checks.numbers.exact import guarded
from lrp_ref.checks.rounding.sums import dyadic
from lrp_ref.conformance.adapter import Unsupported
from lrp_ref.conformance.adapters.ours import ours
from lrp_ref.conformance.judge.expected import expected, right_at
from lrp_ref.conformance.judge.outcome import Outcome, in_float64, outcome
from lrp_ref.conformance.judge.run import Answers
from lrp_ref.conformance.judge.tolerance import bounded, certain
from lrp_ref.conformance.make.made import one, other
from lrp_ref.conformance.make.numbers import picture
from lrp_ref.conformance.vectors.case import Case
from lrp_ref.conventions import changes
from lrp_ref.layers import FisherVector
from lrp_ref.relevance import through_network

CASES = {case.id.rpartition("-")[0]: case for case in small_suite.cases()}


def ended(adapter: Any, case: Case) -> Outcome:
    return outcome(adapter, case, Answers().of(adapter))


def of(adapter: Any, slug: str) -> tuple[str, str]:
    return of_case(adapter, CASES[slug])


def of_case(adapter: Any, case: Case) -> tuple[str, str]:
    found = ended(adapter, case)
    return found.status, found.reason


def declared(kind: type, **conventions: Any) -> Any:
    adapter = kind()
    adapter.conventions = conventions
    return adapter


@pytest.mark.parametrize("number", ["float64", "float32"])
def test_this_package_passes_whatever_the_format_decides(number: str) -> None:
    adapter = ours(f"lrp_ref:{number}")
    undecided = {"cancels": "undetermined", "fine": "unsupported"} if number == "float32" else {}
    assert {slug: of(adapter, slug)[0] for slug in CASES} == {slug: undecided.get(slug, "passed") for slug in CASES}


def test_an_input_that_float32_does_not_hold_is_unsupported_and_no_failure() -> None:
    assert of(Single(), "fine") == ("unsupported", "float32 does not hold x")
    assert of(Right(), "fine") == ("passed", "")


def test_what_rounding_leaves_open_is_undetermined_and_wrong_numbers_there_are_too() -> None:
    class Half(Single):
        def changed(self, relevance: Array) -> Any:
            return relevance / 2

    assert of(Single(), "cancels") == of(Half(), "cancels") == ("undetermined", "")
    assert of(Half(), "plain")[0] == "failed"


def test_a_wrong_number_fails_and_the_worst_is_named() -> None:
    class Off(Right):
        def changed(self, relevance: Array) -> Any:
            return relevance + np.array([0, 1e-3])   # 1e-3 is far outside float64's bound, 0 is not

    # z = (-1/2, 6, -5): R_1 = -1 (3 * 3 / (-3/4) - 1 * -5 / (25/4) + 2 * 7 / (-21/4)) = 12 - 4/5 + 8/3
    exact = 208 / 15
    status, reason = of(Off(), "plain")
    assert status == "failed"
    assert reason.startswith(f"at (0, 1): got {exact + 1e-3:.9g}, needed {exact:.9g}, error over bound ")


def test_within_the_bound_but_beyond_six_sigma_is_loose() -> None:
    (want,) = expected(CASES["plain"], 2.0**-53, {})
    six = np.maximum(6 * want.sigma(), 2.0**-53 * abs(want.value))
    between = np.where(want.radius > six, (want.radius + six) / 2, 0.0)
    assert between.any()

    class Loose(Right):
        def changed(self, relevance: Array) -> Any:
            return want.value + between

    assert of(Loose(), "plain")[0] == "loose"

    class Beyond(Right):
        def changed(self, relevance: Array) -> Any:
            return want.value + 1.01 * want.radius

    assert of(Beyond(), "plain")[0] == "failed"


def test_a_refusal_is_unsupported_with_its_reason_and_issue() -> None:
    got = ended(Partial(), CASES["split"])
    assert (got.status, got.reason, got.url) == ("unsupported", "there is no alpha-beta", "https://example.org/partial/3")


@pytest.mark.parametrize(("given", "reason"), [
    (NotImplementedError("no\nalpha-beta"), "no alpha-beta"), (NotImplementedError(), "NotImplementedError()"),
    ("there is\n  none ", "there is none"), (7, "7")])
def test_a_reason_may_be_an_exception_and_is_one_line(given: Any, reason: str) -> None:
    class Lacking(Right):
        def changed(self, relevance: Array) -> Any:
            raise Unsupported(given, None)

    got = ended(Lacking(), CASES["plain"])
    assert (got.status, got.reason, got.url) == ("unsupported", reason, "")


def test_any_other_exception_fails_with_one_line() -> None:
    assert of(Partial(), "even") == ("failed", "raised KeyError: 'flat\\nrule'")


def test_who_refuses_what_its_format_cannot_hold_is_not_wrong() -> None:
    """R / z = 1e308 / 2^-60 is beyond float64, though R_0 = a w R / z is not."""
    z = Fraction(1, 2**60)
    with np.errstate(over="ignore"):   # float32 does not hold 1e308
        beyond = one("beyond", Epsilon(0), Linear(guarded([[z]])), guarded([[1]]), guarded([[10**308]]), level="stress",
                     **ABOUT)
    status, reason = of_case(ours("lrp_ref"), beyond)
    assert status == "undetermined" and reason.startswith("raised ValueError: layer linear: relevance overflows at ")
    assert of_case(Right(), beyond)[0] == "undetermined" and of_case(Refusing(), CASES["plain"])[0] == "failed"


class Refusing(Right):
    def changed(self, relevance: Array) -> Any:
        raise ValueError("too large")


def test_a_library_that_ends_the_program_only_fails() -> None:
    class Exits(Right):
        def changed(self, relevance: Array) -> Any:
            raise SystemExit(3)

    assert of(Exits(), "plain") == ("failed", "raised RuntimeError: it wanted to end the program: exit(3)")


@pytest.mark.parametrize(("answer", "reason"), [
    (np.ones((2, 3)), "returned relevance of shape (2, 3) for an x of shape (1, 2)"),
    (np.ones((2, 1)), "returned relevance of shape (2, 1) for an x of shape (1, 2)"),
    (None, "raised TypeError: relevance returned NoneType of object, needed an array of numbers"),
    (np.ones((1, 2), complex), "raised TypeError: relevance returned ndarray of complex128, needed an array of "),
    ([[1.0], [2.0, 3.0]], "raised ValueError: setting an array element"),
    ([[np.nan, 1.0]], "at (0, 0): got nan, needed "),
])
def test_what_is_no_relevance_fails(answer: Any, reason: str) -> None:
    class Answers_(Right):
        def changed(self, relevance: Array) -> Any:
            return answer

    assert of(Answers_(), "plain")[1].startswith(reason)


def test_a_tensor_is_an_answer() -> None:
    class Tensor:
        def __init__(self, values: Any) -> None:
            self.values = values

        def detach(self) -> "Tensor":
            return self

        cpu = double = detach

        def __array__(self, *_: Any, **__: Any) -> Array:
            return np.array(self.values)

    assert in_float64(Tensor([[1, 2]])).tolist() == [[1.0, 2.0]]


def test_what_an_implementation_prints_goes_to_stderr_and_its_warnings_nowhere(
        capsys: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder) -> None:
    assert of(Talkative(), "plain")[0] == "passed"
    assert capsys.readouterr() == ("", "here I am\n") and not recwarn.list


# ---- Negative cases ----


def test_a_negative_case_passes_where_it_is_refused() -> None:
    status, reason = of(Right(), "refused")
    assert status == "passed" and reason.startswith("refused: ValueError: AlphaBeta got alpha=2, beta=2")


def test_a_negative_case_fails_where_it_is_answered() -> None:
    class Answering(Right):
        def relevance(self, network: Any, rules: Any, x: Array, R: Array) -> Any:
            return x

    assert of(Answering(), "refused") == ("failed", "answered, and must refuse: alpha - beta = 0")


# ---- Conventions ----


def test_an_undeclared_convention_fails_by_its_name() -> None:
    got = ended(SquaredBias(), CASES["squared"])
    assert (got.status, got.convention) == ("failed", ("bias_w_square", "squared"))
    assert ended(ours("dialect:lxt"), CASES["minus"]).convention == ("epsilon_sign", "none")
    assert ended(ours("dialect:torchlrp"), CASES["zero"]).convention == ("sign_of_zero", -1)   # 0.1 in float32


def test_a_declared_convention_passes_by_its_name_and_no_other_does() -> None:
    got = ended(declared(SquaredBias, bias_w_square="squared"), CASES["squared"])
    assert (got.status, got.convention) == ("passed", ("bias_w_square", "squared"))
    assert ended(declared(SquaredBias, bias_w_square="left out"), CASES["squared"]).status == "failed"
    assert ended(declared(Right, bias_w_square="squared"), CASES["squared"]).convention is None


def test_a_declared_stabiliser_is_allowed_for_in_every_case_and_no_other_is() -> None:
    slugs = ("split", "even", "whole", "rounded", "squared")
    adapter = declared(Stabilised, stabiliser=1e-6)
    assert {of(adapter, slug)[0] for slug in slugs} <= {"passed", "loose"}
    assert {of(Stabilised(), slug)[0] for slug in slugs} == {"failed"}
    assert {of(declared(Stabilised, stabiliser=2e-6), slug)[0] for slug in slugs} == {"failed"}
    assert of(declared(Right, stabiliser=1e-6), "split")[0] == "passed"   # without one is right as well


def test_a_stabiliser_beside_another_convention_does_not_hide_it() -> None:
    got = ended(ours("dialect:zennit"), CASES["squared"])
    assert (got.status, got.convention) == ("failed", ("bias_w_square", "squared"))
    both = replace(ours("dialect:zennit"), conventions={"stabiliser": 1e-6, "bias_w_square": "squared"})  # type: ignore[type-var]
    assert ended(both, CASES["squared"]).status == "loose"   # no bound is known of both together


def test_what_epsilon_0_does_where_z_is_0_may_be_declared_a_number_or_none() -> None:
    class Tiny(Right):
        def rule(self, rule: Any, layer: Any) -> Any:
            return rule if rule.epsilon else with_tiny(rule)

    assert of(Tiny(), "dead")[0] == "failed" and of(declared(Tiny, zero_rule=1e-9), "dead")[0] == "passed"
    zennit = ours("dialect:zennit")
    assert of(zennit, "dead")[1].startswith("at (0, 0): got inf, needed 0")
    assert of(replace(zennit, conventions={"zero_rule": "nan"}), "dead")[0] == "passed"   # type: ignore[type-var]
    assert of(declared(Right, zero_rule="nan"), "dead")[0] == "passed"


def test_a_declared_nan_is_allowed_only_where_0_over_0_comes_down_to() -> None:
    case = one("half-dead", Epsilon(0), Linear(guarded([[1], [-1]])), guarded([[1, 1], [3, 1]]), guarded([[1], [5]]),
               level="stress", **ABOUT)   # z is 0 in the first sample, 2 in the second

    class NaN(Right):
        rows = slice(1)

        def changed(self, relevance: Array) -> Any:
            relevance[self.rows] = np.nan
            return relevance

    class Everywhere(NaN):
        rows = slice(2)

    assert of_case(declared(NaN, zero_rule="nan"), case)[0] == "passed"
    assert of_case(declared(NaN), case)[0] == "failed"
    assert of_case(declared(Everywhere, zero_rule="nan"), case)[0] == "failed"


def test_a_declared_stabiliser_excuses_no_other_rule_that_some_libraries_have_with_it() -> None:
    """A library that divides a maximum by itself, and a stabiliser, loses what arrives at a maximum of 0."""
    class Divided(Right):
        def rule(self, rule: Any, layer: Any) -> Any:
            return Epsilon(1e-6)

    def maximum(x: str) -> Case:
        return one("maximum", Winner(), MaxPool((1, 3)), picture(x), picture("7"), **ABOUT)

    adapter = declared(Divided, stabiliser=1e-6)
    assert of_case(adapter, maximum("2 -5 3"))[0] == "passed"
    assert of_case(adapter, maximum("0 -5 -3"))[0] == "failed"


@pytest.mark.parametrize(("part", "row"), [(0.4, None), (0.6, None), (0.7, ("stabiliser", 1e-6))])
def test_a_wrong_answer_has_the_name_of_a_row_that_is_twice_as_near_as_the_right_one(part: float, row: Any) -> None:
    weight = Linear(guarded([[1], [2]]))
    case = one("between", ZPlus(), weight, guarded([[1, 1]]), guarded([[3]]), level="convention", **ABOUT,
               either=[other(stabiliser=1e-6)])

    class Between(Right):
        def changed(self, relevance: Array) -> Any:
            return relevance + part * (case.either[0].relevance - relevance)

    found = ended(Between(), case)
    assert (found.status, found.convention) == ("failed", row)


def test_nor_does_it_where_a_smaller_question_is_asked() -> None:
    network, x, R = Network([("pool", MaxPool((1, 3)))]), picture("0 -5 -3"), picture("7")
    rights = right_at(network, {"pool": Winner()}, x, R, 2.0**-53, {"stabiliser": 1e-6})
    assert [one.value.tolist() for one in rights] == [[[[[7, 0, 0]]]]]
    rights = right_at(network, {"pool": Winner()}, picture("2 -5 3"), R, 2.0**-53, {"stabiliser": 1e-6})
    assert [float(one.value[0, 0, 0, 2]) for one in rights] == [7, pytest.approx(7 - 7e-6 / 3, abs=1e-11)]   # eps^2


def test_a_declared_convention_is_asked_to_half_the_digits() -> None:
    class Off(SquaredBias):
        by = 1e-9

        def changed(self, relevance: Array) -> Any:
            return relevance * (1 + self.by)

    class FurtherOff(Off):
        by = 1e-6

    assert ended(declared(SquaredBias, bias_w_square="squared"), CASES["squared"]).status == "passed"
    assert ended(declared(Off, bias_w_square="squared"), CASES["squared"]).status == "loose"
    assert ended(declared(FurtherOff, bias_w_square="squared"), CASES["squared"]).status == "failed"
    assert ended(declared(FurtherOff, bias_w_square="squared", stabiliser=1e-6), CASES["squared"]).status == "loose"


def test_however_large_a_declared_stabiliser_a_quarter_of_the_digits_is_asked() -> None:
    class Off(SquaredBias):
        def changed(self, relevance: Array) -> Any:
            return relevance * 1.01

    adapter = declared(Off, bias_w_square="squared", stabiliser=0.5)
    assert ended(adapter, CASES["squared"]).status == "failed"


def with_tiny(rule: Any) -> Any:
    return changes.Stabilised(rule, 1e-9) if isinstance(rule, Epsilon) else rule


# ---- Several layers ----


def test_through_layers_that_nothing_is_rounded_in_the_bound_is_derived() -> None:
    network, _, x, R = CASES["whole"].task()
    assert certain(network, x, 2.0**-24) is not None
    rounded, _, its_x, _ = CASES["rounded"].task(np.float32)
    assert certain(rounded.astype(np.float64), its_x.astype(np.float64), 2.0**-24) is None
    value = CASES["whole"].relevance
    for u in (2.0**-53, 2.0**-24):
        want = bounded(network, CASES["whole"].rules, x, R, u, value)
        assert value is not None and (want.radius < 100 * u * abs(value).max()).all()   # some seventy roundings
        assert (want.radius >= want.sigma()).all()


@pytest.mark.parametrize(("sigmas", "status"), [(3, "passed"), (9, "failed")])   # its own rounding is one or two more
def test_through_layers_that_round_six_sigma_are_the_bound(sigmas: int, status: str) -> None:
    (want,) = expected(CASES["rounded"], 2.0**-24, {})

    class Off(Single):
        def changed(self, relevance: Array) -> Any:
            return relevance + sigmas * want.sigma()

    assert of(Off(), "rounded")[0] == status


def test_a_hidden_unit_of_exactly_zero_is_decided() -> None:
    """z = 0 below a layer: whichever sign it is given, Monte-Carlo arithmetic would take as rounding."""
    one = np.ones((1, 1))
    network = Network([("fc1", Linear(np.array([[1.0], [-1.0]]))), ("fc2", Linear(one, np.ones(1)))])
    rules, x, R = {"fc1": Epsilon(0.5), "fc2": Epsilon(0)}, np.ones((1, 2)), one
    want = bounded(network, rules, x, R, 2.0**-53)
    assert want.radius.max() == 0    # 0 / (0 + 1/2) and 1 / 1 round nothing


def test_where_weights_are_computed_the_layers_own_numbers_count_as_rounded() -> None:
    """Two narrow Gaussians in whose posteriors most digits cancel: numbers off by 4 u move R_0 by much more."""
    u, rng = 2.0**-24, np.random.default_rng(7)
    priors, means, variances = np.array([0.25, 0.75]), np.array([[1.0], [-1]]), np.full((2, 1), 2.0**-13)
    x, R = np.array([[[3.0], [-2.5], [2], [-1.75]]]) * 2.0**-15, np.array([[3.0, -2, 5, 7]])

    def relevance(*numbers: Array) -> Array:
        network = Network([("fisher", FisherVector(*numbers))])
        return through_network(network, {"fisher": Epsilon(0)}, x, R)["input"]

    def off(numbers: Array) -> Array:
        return numbers * (1 + 4 * u * rng.uniform(-1, 1, numbers.shape))

    errors = [relevance(off(priors), off(means), off(variances)) - relevance(priors, means, variances)
              for _ in range(400)]
    network = Network([("fisher", FisherVector(priors, means, variances))])
    sigma = bounded(network, {"fisher": Epsilon(0)}, x, R, u).sigma()
    # Of eight draws a standard deviation is known to a quarter or so; without them sigma is a fifth of this.
    assert (sigma > 0.5 * np.sqrt(np.mean(np.square(errors), axis=0))).all()


def test_a_third_is_no_float_inside_a_stabilised_rule_either() -> None:
    stabilised = changes.Stabilised
    assert dyadic(stabilised(Gamma(Fraction(1, 4)), 1e-6)) and not dyadic(stabilised(Gamma(Fraction(1, 3)), 1e-6))
