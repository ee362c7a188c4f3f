"""Reports as `lrp-ref compare` makes them, worked out from the dialects: several libraries on some hundred steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cache
from hashlib import sha256
from typing import Any

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.checks.claims.examples import RATIONAL, RULES, mixed, takes
from lrp_ref.conformance.diagnose.failures import NOTHING, Failure, First, cause
from lrp_ref.conformance.diagnose.known import Known
from lrp_ref.conformance.diagnose.shrink import Counterexample
from lrp_ref.conformance.dialects import CANONICAL, DIALECTS, Dialect
from lrp_ref.conformance.judge.outcome import Outcome
from lrp_ref.conformance.judge.run import Run
from lrp_ref.conformance.judge.tolerance import Convention
from lrp_ref.conformance.report.facts import Comparison, Disagreement, Reply, Report
from lrp_ref.conformance.vectors.case import Case
from lrp_ref.conformance.vectors.suite import Record, Suite
from lrp_ref.conventions.table import TABLE
from lrp_ref.layers import Layer, Linear
from lrp_ref.network import Network
from lrp_ref.rules import Flat, Rule
from lrp_ref.step import step
from lrp_ref.testing.compared import Compared

LAYERS = ("Linear", "Conv2D", "MaxPool", "AvgPool", "SumPool", "AdaptiveAvgPool", "ReLU", "Flatten", "BatchNorm", "LRN")
QUESTIONS = ("epsilon_sign", "sign_of_zero", "stabiliser", "bias_alpha_beta", "split", "gamma", "bias_gamma",
             "bias_w_square", "flat", "max_pool", "batch_norm")
ASKED_BY = {   # the question that most likely explains a departure under a rule, first of a layer
    "MaxPool": ["max_pool"], "BatchNorm": ["batch_norm"], "Epsilon": ["sign_of_zero"], "AlphaBeta": ["split",
    "bias_alpha_beta"], "ZPlus": ["split"], "Gamma": ["gamma"], "WSquare": ["bias_w_square"], "Flat": ["flat"]}
ISSUES = {("captum", "ZPlus"): ["https://github.com/meta-pytorch/captum/issues/1234"],
          ("innvestigate", "AlphaBeta"): ["https://github.com/albermax/innvestigate/issues/273"]}
RECORDS = [
    Record("d12-shared-tensor", "Two layers that read one tensor",
           "f with the identity rule and g with epsilon read the same x = 1 2 and are added: what is R?",
           {"zennit 0.5.1, either order": "1 2", "captum 0.9.0, f first": "-1 0", "captum 0.9.0, g first": "3 0"},
           ["https://github.com/meta-pytorch/captum/issues/546"]),
    Record("d16-alpha-zero", "A convolution under alpha = 0", "A single product z = -1e-16.",
           {"toolbox (Python), Convolution": "-inf", "toolbox (Python), Linear": "0.5"})]
LEVELS = ("required", "convention", "stress")


@dataclass(frozen=True)
class Adapter:
    name: str
    version: str = "1.0"
    unit_roundoff: float = 2.0**-53
    conventions: Mapping[str, Any] = field(default_factory=dict)

    def relevance(self, *question: Any) -> Any:
        raise NotImplementedError


def compared(*names: str, every: int = 1) -> Comparison:
    """The report of `lrp-ref compare` on all cases, or on every so many-th."""
    reports = [conformed(name, every) for name in names]
    return Comparison(reports, [Disagreement(outcomes, []) for outcomes in zip(*(one.run.outcomes for one in reports))
                                if any(one.status in ("failed", "loose") for one in outcomes)])


def conformed(name: str, every: int = 1) -> Report:
    """The report of `lrp-ref conform`."""
    dialect, questions = DIALECTS[name], cases(every)
    outcomes = [judged(dialect, name, case) for case in questions]
    run = Run(Adapter(dialect.name, dialect.version), suite(questions, RECORDS), outcomes, 2.34, f"dialect:{name}")
    failures = [explained(dialect, name, one) for one in run.failed]
    return Report(run, found(dialect, failures), [], failures)


def suite(cases: Sequence[Case], records: Sequence[Record] = ()) -> Suite:
    return Suite(cases, records, {}, "1.0", len(cases), "5d2c81f04b7e")


@cache
def cases(every: int = 1) -> list[Case]:
    """Every rule on every layer of a CNN, in float64, at two or three inputs, one of them required."""
    return list(steps())[::every]


def steps() -> Iterator[Case]:
    for rule_name, rule in RULES.items():
        for layer_name, example in RATIONAL.items():
            kind = type(example.layer).__name__
            if kind not in LAYERS or not takes(example.map()[1], rule):
                continue
            layer: Layer = example.layer.astype(np.float64)
            for seed, level in enumerate(LEVELS if layer_name in ("Linear", "Conv2D") else LEVELS[:2]):
                x = example.x(1, seed).astype(np.float64)
                R = mixed(Network([("layer", layer)])(x).shape, seed + 9).astype(np.float64)
                digits = sha256(f"{rule_name} {layer_name} {seed}".encode()).hexdigest()[:6]
                name = kind.lower()
                yield Case(f"{type(rule).__name__.lower()}-{name}-{digits}", type(rule).__name__, "made", level,
                           f"{rule_name} on {layer_name.lower()}: both signs, zeros and a tie.", "equations.md, 3",
                           Network([(name, layer)]), {name: rule}, x, R, handed(rule, layer, x, R),
                           flags=["tie"] if kind == "MaxPool" else [])


def handed(rule: Rule, layer: Layer, x: Array, R: Array) -> Array:
    a, m = layer.linearize(x)
    with np.errstate(all="ignore"):
        return np.asarray(step(rule, m, a, R)[0]).reshape(x.shape)


def answer(dialect: Dialect, case: Case) -> Array | None:
    """What the library gives; None where it has no such rule."""
    [(name, layer)] = case.network
    try:
        return handed(dialect.rule(floated(case.rules[name]), layer), layer, case.x, case.R)
    except (ValueError, TypeError):
        return None


def floated(rule: Rule) -> Rule:
    return type(rule)(*(float(getattr(rule, f.name)) for f in fields(rule)))  # type: ignore[arg-type]


def judged(dialect: Dialect, name: str, case: Case) -> Outcome:
    got, want = answer(dialect, case), case.relevance
    assert want is not None
    if got is None:
        url = "https://github.com/meta-pytorch/captum/issues/485" if name == "captum" else ""
        return Outcome(case, "unsupported", f"{dialect.name} has no rule {case.rule}", url)
    with np.errstate(invalid="ignore"):
        off = np.nan_to_num(abs(got - want) / np.maximum(abs(want), abs(want).max()), nan=np.inf).max()
    status = "failed" if off > 1e-4 else "loose" if off > 1e-6 else "passed"   # stabilisers
    reason = "outside the bound" if status == "failed" else ""
    return Outcome(case, status, reason, compared=beside(got, want), answer=got)


def beside(got: Array, want: Array) -> Compared:
    radius = 2.2e-16 * abs(want)
    return Compared((), got, want, radius, None, lambda: radius / 6)


def explained(dialect: Dialect, name: str, outcome: Outcome) -> Failure:
    """By a convention that the rule or the layer asks about and on which the library departs, if there is one."""
    case, departures = outcome.case, dialect.departures()
    [kind] = case.layers
    likely = [*ASKED_BY.get(kind, []), *ASKED_BY.get(case.rule, []), "stabiliser"]
    question = next((q for q in likely if q in departures), None)
    if question:
        outcome = replace(outcome, convention=Convention(question, departures[question]))
    known = Known(convention=outcome.convention, issues=ISSUES.get((name, case.rule), []))
    [(layer, rule)] = case.rules.items()
    command = f"lrp-ref conform dialect:{name} --case {case.id}"
    return Failure(outcome, cause(outcome, known), command, First(layer, rule), known, small(Flat()))


def small(rule: Rule, got: str = "[1/9, 4/9]", expected: str = "[1/5, 4/5]") -> Counterexample:
    network = Network([("fc", Linear(np.array([[1.0], [2.0]])))])
    return Counterexample(network, {"fc": rule}, np.array([[1.0, 1.0]]), np.array([[1.0]]), got, expected, 7)


def found(dialect: Dialect, failures: Sequence[Failure]) -> list[Reply]:
    replies = []
    for question in QUESTIONS:
        value = getattr(dialect.conventions, question)
        evidence = [one.outcome.case.id for one in failures
                    if one.outcome.convention and one.outcome.convention.question == question]
        known = [other for other, d in DIALECTS.items() if getattr(d.conventions, question) == value]
        replies.append(Reply(question, TABLE[question].title, value, getattr(CANONICAL, question),
                              question == "stabiliser", known, evidence[:6]))
    return replies


# ---- One rule on one layer, made by hand ----


def case(n: int, level: str = "required", **more: Any) -> Case:
    """Flat on a Linear layer of 2 inputs; `rule` is another rule's name, for what is listed by it."""
    network, x = Network([("fc", Linear(np.array([[1.0], [1.0]])))]), np.array([[1.0, 3.0]])
    given = {"rule": "Flat", "relevance": np.array([[1.0, 1.0]]), "comment": "A comment.", "section": "", **more}
    return Case(f"case-{n}", topic="made", level=level, network=network, rules={"fc": Flat()}, x=x,
                R=np.array([[2.0]]), **given)


def outcome(n: int, status: str, level: str = "required", rule: str = "Flat", flags: Sequence[str] = (),
            comment: str = "A comment.", **more: Any) -> Outcome:
    return Outcome(case(n, level, rule=rule, flags=flags, comment=comment), status, **more)


def failure(n: int, known: Known = NOTHING, level: str = "required", rule: str = "Flat",
            wrong: tuple[float, float] | None = None, command: str = "", **more: Any) -> Failure:
    """wrong: a number that was got, and what was expected."""
    pair = None if wrong is None else [np.array([value]) for value in wrong]
    one = outcome(n, "failed", level, rule, **{"reason": "outside the bound", **more})
    one = one if pair is None else replace(one, compared=beside(*pair), answer=pair[0])
    return Failure(one, cause(one, known), command or f"lrp-ref conform mine --case case-{n}", known=known)


def one(*outcomes: Outcome, failures: Sequence[Failure] = (), name: str = "mine", command: str = "mine",
        records: Sequence[Record] = (), replies: Sequence[Reply] = (), contradicted: Sequence[str] = ()) -> Report:
    """The report of `lrp-ref conform` with these outcomes."""
    here = suite([outcome.case for outcome in outcomes], records)
    return Report(Run(Adapter(name), here, outcomes, 0.5, command), replies, contradicted, failures)


def several(*reports: Report, disagreements: Sequence[Disagreement] = ()) -> Comparison:
    return Comparison(reports, disagreements)


def disagreement(n: int, status: str, expected: Any, got: Any, **more: Any) -> Disagreement:
    """One implementation's answer beside the expectation."""
    answer = np.array(got)
    return Disagreement([Outcome(case(n, relevance=np.array(expected)), status, answer=answer, **more)], [])
