"""Facts as `lrp-ref compare` reports them, worked out from the dialects: several libraries on some hundred steps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import fields
from functools import cache
from hashlib import sha256
from typing import Any

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.checks.claims.examples import RATIONAL, RULES, mixed, takes
from lrp_ref.conformance.diagnose.failures import cause
from lrp_ref.conformance.dialects import CANONICAL, DIALECTS, Dialect
from lrp_ref.conformance.judge.outcome import STATUSES
from lrp_ref.conventions.table import TABLE
from lrp_ref.layers import Layer
from lrp_ref.network import Network
from lrp_ref.rules import Rule
from lrp_ref.step import step

LAYERS = ("Linear", "Conv2D", "MaxPool", "AvgPool", "SumPool", "AdaptiveAvgPool", "ReLU", "Flatten", "BatchNorm", "LRN")
QUESTIONS = ("epsilon_sign", "sign_of_zero", "stabiliser", "bias_alpha_beta", "split", "gamma", "bias_gamma",
             "bias_w_square", "flat", "max_pool", "batch_norm")
ASKED_BY = {   # the question that most likely explains a departure under a rule, first of a layer
    "MaxPool": ["max_pool"], "BatchNorm": ["batch_norm"], "Epsilon": ["sign_of_zero"], "AlphaBeta": ["split",
    "bias_alpha_beta"], "ZPlus": ["split"], "Gamma": ["gamma"], "WSquare": ["bias_w_square"], "Flat": ["flat"]}
ISSUES = {("captum", "ZPlus"): ["https://github.com/meta-pytorch/captum/issues/1234"],
          ("innvestigate", "AlphaBeta"): ["https://github.com/albermax/innvestigate/issues/273"]}
RECORDS = [
    {"id": "d12-shared-tensor", "title": "Two layers that read one tensor",
     "question": "f with the identity rule and g with epsilon read the same x = 1 2 and are added: what is R?",
     "answers": {"zennit 0.5.1, either order": "1 2", "captum 0.9.0, f first": "-1 0", "captum 0.9.0, g first": "3 0"},
     "issues": ["https://github.com/meta-pytorch/captum/issues/546"]},
    {"id": "d16-alpha-zero", "title": "A convolution under alpha = 0", "question": "A single product z = -1e-16.",
     "answers": {"toolbox (Python), Convolution": "-inf", "toolbox (Python), Linear": "0.5"}, "issues": []}]
LEVELS = ("required", "convention", "stress")

Facts = dict[str, Any]


def compared(*names: str, every: int = 1) -> Facts:
    """The report of `lrp-ref compare` on all cases, or on every so many-th."""
    questions = cases(every)
    runs = [run(DIALECTS[name], name, questions) for name in names]
    differing = [case for n, case in enumerate(questions)
                 if any(r["outcomes"][n]["status"] in ("failed", "loose") for r in runs)]
    return {"vectors": vectors(questions), "implementations": runs, "disagreements": [
        {"id": case["id"], "comment": case["comment"], "section": "equations.md, 3", "issues": [],
         "expected": case["expected"].tolist(),
         "answers": {r["adapter"]["name"]: listed(answer(DIALECTS[name], case)) for name, r in zip(names, runs)},
         "statuses": {r["adapter"]["name"]: r["outcomes"][case["number"]]["status"] for r in runs}}
        for case in differing]}


def conformed(name: str, every: int = 1) -> Facts:
    """The report of `lrp-ref conform`."""
    return run(DIALECTS[name], name, cases(every))


def vectors(questions: Sequence[Facts]) -> Facts:
    return {"spec": "1.0", "count": len(questions), "digest": "5d2c81f04b7e"}


@cache
def cases(every: int = 1) -> list[Facts]:
    """Every rule on every layer of a CNN, in float64, at two or three inputs, one of them required."""
    return [{"number": n, **case} for n, case in enumerate(list(steps())[::every])]


def steps() -> Iterator[Facts]:
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
                yield {"id": f"{type(rule).__name__.lower()}-{kind.lower()}-{digits}",
                       "rule": type(rule).__name__, "layer": kind, "level": level, "x": x, "R": R, "given": rule,
                       "on": layer,
                       "comment": f"{rule_name} on {layer_name.lower()}: both signs, zeros and a tie.",
                       "flags": ["tie"] if kind == "MaxPool" else [], "expected": handed(rule, layer, x, R)}


def handed(rule: Rule, layer: Layer, x: Array, R: Array) -> Array:
    a, m = layer.linearize(x)
    with np.errstate(all="ignore"):
        return np.asarray(step(rule, m, a, R)[0]).reshape(x.shape)


def answer(dialect: Dialect, case: Facts) -> Array | None:
    """What the library gives; None where it has no such rule."""
    try:
        rule = dialect.rule(floated(case["given"]), case["on"])
        return handed(rule, case["on"], case["x"], case["R"])
    except (ValueError, TypeError):
        return None


def floated(rule: Rule) -> Rule:
    return type(rule)(*(float(getattr(rule, f.name)) for f in fields(rule)))  # type: ignore[arg-type]


def listed(given: Array | None) -> Any:
    return None if given is None else given.tolist()


def run(dialect: Dialect, name: str, questions: Sequence[Facts]) -> Facts:
    outcomes, failures = [], []
    for case in questions:
        got, want = answer(dialect, case), case["expected"]
        status, reason, url = "passed", "", ""
        if got is None:
            status, reason = "unsupported", f"{dialect.name} has no rule {case['rule']}"
            url = "https://github.com/meta-pytorch/captum/issues/485" if name == "captum" else ""
        else:
            with np.errstate(invalid="ignore"):
                off = np.nan_to_num(abs(got - want) / np.maximum(abs(want), abs(want).max()), nan=np.inf)
            status = "failed" if off.max() > 1e-4 else "loose" if off.max() > 1e-6 else "passed"   # stabilisers
        about = {key: case[key] for key in ("id", "rule", "layer", "level")}
        if status == "failed":
            index = np.unravel_index(int(off.argmax()), off.shape)
            failures.append(caused({
                             **about, "comment": case["comment"], **explained(dialect, case),
                             "first": {"layer": case["layer"].lower(), "rule": case["rule"]},
                             "worst": {"index": [int(i) for i in index], "got": float(got[index]),
                                       "expected": float(want[index]), "error": float(abs(got[index] - want[index])),
                                       "bound": 2.2e-16 * float(abs(want[index]))},
                             "counterexample": {"text": "w = [[1, 2]]  b = [2]  x = [1, 1]  R = [1]",
                                                "got": "[1/9, 4/9]", "expected": "[1/5, 4/5]"},
                             "command": f"lrp-ref conform dialect:{name} --case {case['id']}",
                             "issues": ISSUES.get((name, case["rule"]), []), "reason": "outside the bound"}))
        outcomes.append({**about, "flags": case["flags"], "status": status, "reason": reason, "url": url,
                         "convention": None})
    return {"adapter": {"name": dialect.name, "version": dialect.version, "unit_roundoff": 2.0**-53, "conventions": {},
                        "command": f"dialect:{name}"},
            "vectors": vectors(questions), "seconds": 2.34, "matrix": matrix(outcomes), "failures": failures,
            "counts": counted(outcomes), "conventions": found(dialect, name, failures), "outcomes": outcomes,
            "records": RECORDS}


def explained(dialect: Dialect, case: Facts) -> Facts:
    """A convention that the rule or the layer asks about and on which the library departs; or a sentence."""
    departures = dialect.departures()
    likely = [*ASKED_BY.get(case["layer"], []), *ASKED_BY.get(case["rule"], [])]
    question = next((q for q in likely if q in departures), None)
    if question:
        return {"convention": {"question": question, "value": departures[question]}, "likeness": None}
    return {"convention": None,
            "likeness": likeness("as if z had a stabiliser of 1e-06") if "stabiliser" in departures else None}


def likeness(cause: str, also: str = "", at: str = "") -> Facts:
    """What a failure looks like, as the report tells it."""
    return {"cause": cause, "also": also, "text": f"{cause}{at}{also and f'; {also}'}"}


def counted(outcomes: Sequence[Facts]) -> dict[str, int]:
    there = Counter(outcome["status"] for outcome in outcomes)
    return {status: there[status] for status in STATUSES}


def matrix(outcomes: Sequence[Facts]) -> list[Facts]:
    places = dict.fromkeys((outcome["rule"], outcome["layer"]) for outcome in outcomes)
    rows = []
    for rule, layer in places:
        here = [outcome for outcome in outcomes if (outcome["rule"], outcome["layer"]) == (rule, layer)]
        rows.append({"rule": rule, "layer": layer, **counted(here), "count": len(here)})
    return rows


def found(dialect: Dialect, name: str, failures: Sequence[Facts]) -> list[Facts]:
    entries = []
    for question in QUESTIONS:
        value = getattr(dialect.conventions, question)
        evidence = [f["id"] for f in failures if f["convention"] and f["convention"]["question"] == question]
        known = [other for other, d in DIALECTS.items() if getattr(d.conventions, question) == value]
        entries.append({"question": question, "title": TABLE[question].title, "value": value, "known": known,
                        "canonical": getattr(CANONICAL, question), "declared": question == "stabiliser",
                        "evidence": evidence[:6]})
    return entries


# ---- One rule on one layer, made by hand ----


def outcome(n: int, status: str, level: str = "required", **more: Any) -> Facts:
    return {"id": f"case-{n}", "rule": "Flat", "layer": "Linear", "level": level, "flags": [], "status": status,
            "reason": "", "url": "", "convention": None, **more}


def failure(n: int, **more: Any) -> Facts:
    return caused({
        "id": f"case-{n}", "rule": "Flat", "layer": "Linear", "level": "required", "comment": "A comment.",
        "convention": None, "first": None, "worst": None, "likeness": None, "counterexample": None,
        "command": f"lrp-ref conform mine --case case-{n}", "issues": [], "reason": "outside the bound", **more})


def caused(failure: Facts) -> Facts:
    return {"cause": cause(failure), **failure}


def one(*outcomes: Facts, failures: Sequence[Facts] = (), name: str = "mine", command: str = "mine",
        **more: Any) -> Facts:
    """The report of `lrp-ref conform` with these outcomes."""
    return {"adapter": {"name": name, "version": "1.0", "unit_roundoff": 2.0**-53, "conventions": {},
                        "command": command},
            "vectors": {"spec": "1.0", "count": len(outcomes), "digest": "0"}, "seconds": 0.5, "conventions": [],
            "counts": counted(outcomes), "matrix": matrix(outcomes), "failures": list(failures),
            "outcomes": list(outcomes), "records": [], **more}


def several(*runs: Facts, disagreements: Sequence[Facts] = ()) -> Facts:
    return {"vectors": runs[0]["vectors"], "implementations": list(runs), "disagreements": list(disagreements)}
