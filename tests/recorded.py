"""What libraries answered to the vectors, as data_fixtures/recorded has it, and why a dialect may answer otherwise."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from lrp_ref.arrays import Array, ones_like
from lrp_ref.conformance.adapter import Unsupported
from lrp_ref.conformance.adapters.ours import InDialect
from lrp_ref.conformance.dialects import DIALECTS
from lrp_ref.conformance.judge.run import Answers
from lrp_ref.conformance.vectors.case import Case
from lrp_ref.conformance.vectors.suite import Suite, load
from lrp_ref.layers import LRN, AvgPool, Conv2D, Layer
from lrp_ref.rules import AlphaBeta, Epsilon, Rule, ZBox, ZPlus

FOLDER = Path(__file__).parents[1] / "data_fixtures" / "recorded"
NAMES = ("zennit", "captum", "innvestigate", "toolbox", "caffe", "torchlrp", "torchlrp_any_parameter", "lxt")
ROUNDING = 1e-11   # of the largest number: what sums in another order, and a library's own roundings, leave in float64
SINGLE = 1e-6      # where a parameter went through float32


# ---- The answers ----


@dataclass(frozen=True, eq=False)
class Answer:
    """R_0; where there is none, why the library does not have the case, or the type of what it raised."""

    relevance: Array | None = None
    unsupported: str = ""
    raised: str = ""


@dataclass(frozen=True, eq=False)
class Recorded:
    library: str
    version: str
    dialect: str
    answers: Mapping[str, Answer]


def recorded(name: str, suite: Suite, folder: Path = FOLDER) -> Recorded:
    """The answers of a file, if they are to these vectors as its specification has them: an error where they are not.
    """
    file = f"{name}.json"
    entry = json.loads((folder / file).read_text(encoding="utf-8"))
    suite = suite.at(entry["spec"])
    ids = {case.id for case in suite.cases}
    if unknown := sorted(entry["answers"].keys() - ids):
        raise ValueError(f"{file} answers {', '.join(unknown)}, which the vectors do not have: the question changed "
                         "with the id, so ask the library again")
    if missing := sorted(ids - entry["answers"].keys()):
        raise ValueError(f"{file} has no answer to {', '.join(missing)}: ask the library")
    if entry["digest"] != suite.digest:
        raise ValueError(f"{file} was recorded from the vectors {entry['digest']}, and these are {suite.digest}: an id "
                         "is a hash of its question, so that its answers hold still; see what else changed and write "
                         "the digest into the file")
    return Recorded(entry["library"], entry["version"], entry["dialect"],
                    {id: answer(given) for id, given in entry["answers"].items()})


def answer(given: Mapping[str, Any]) -> Answer:
    if "values" not in given:
        return Answer(**given)
    return Answer(np.array([float(value) for value in given["values"]]).reshape(given["shape"]))


ANSWERS = Answers()   # to the shipped vectors, worked out once for all tests of a process


@cache
def suite() -> Suite:
    return load()


@cache
def theirs(name: str) -> Recorded:
    return recorded(name, suite())


@cache
def spoken(dialect: str) -> dict[str, Array | str]:
    """{case id: R_0 in the dialect, or why it refuses the case}; cases that must be refused are left out.

    A dialect says what a library hands down, not what it refuses.
    """
    adapter, found = InDialect(DIALECTS[dialect], dialect, "1"), dict[str, Array | str]()
    for case in suite().cases:
        if case.level != "negative":
            try:
                found[case.id] = adapter.relevance(*case.task())
            except (Unsupported, ValueError) as error:
                found[case.id] = str(error)
    return found


def said_of(name: str) -> dict[str, Array | str]:
    """What its dialect says of the cases that the library was asked."""
    return {id: said for id, said in spoken(theirs(name).dialect).items() if id in theirs(name).answers}


# ---- Alike or not ----


def off(theirs: Array, ours: Array) -> float:
    """The largest difference as a part of the library's largest number; infinite where other numbers are not finite."""
    finite = np.isfinite(theirs)
    if theirs.shape != ours.shape or (np.isfinite(ours) != finite).any():
        return np.inf
    if not np.array_equal(theirs[~finite], ours[~finite], equal_nan=True):
        return np.inf
    theirs, ours = theirs[finite], ours[finite]
    difference, largest = abs(theirs - ours).max(initial=0), abs(theirs).max(initial=0)
    return float(difference / largest) if largest else float(np.inf if difference else 0)


def tolerance(name: str, case: Case) -> float:
    return SINGLE if name == "caffe" and rounded_to_single(case) else ROUNDING


def rounded_to_single(case: Case) -> bool:
    """Whether float32, in which Caffe keeps such parameters whatever its Dtype, does not hold one that the case needs.

    Epsilon, alpha, beta; alpha, beta and k of a local response norm; of z-box the mean image: its box is 0 to 255 less
    that mean, so that a box of another width is asked of an image stretched to 255.
    """
    needed = [number for name, layer in case.network for number in kept_in_single(case.rules[name], layer)]
    return any(float(np.float32(number)) != float(number) for number in needed)


def kept_in_single(rule: Rule, layer: Layer) -> list[Any]:
    needed = [layer.alpha, layer.beta, layer.k] if isinstance(layer, LRN) else []
    if isinstance(rule, (Epsilon, AlphaBeta)):
        needed += [getattr(rule, field.name) for field in fields(rule)]
    if isinstance(rule, ZBox):
        needed += [float(low) * (255 / (float(high) - float(low)))
                   for low, high in np.nditer([np.float64(rule.low), np.float64(rule.high)])]
    return needed


DIFFERS, REFUSES, RAISES, LACKS = "differs", "dialect refuses", "library raises", "library lacks"


def unlike(name: str) -> dict[str, tuple[str, str]]:
    """{case id: (how library and dialect are not alike, in detail)}; to refuse and to raise are alike."""
    found = {}
    for id, said in said_of(name).items():
        answer = theirs(name).answers[id]
        if isinstance(said, str):
            if answer.relevance is not None:
                found[id] = REFUSES, said
        elif answer.relevance is None:
            found[id] = (RAISES, answer.raised) if answer.raised else (LACKS, answer.unsupported)
        elif not (far := off(answer.relevance, said)) <= tolerance(name, suite()[id]):
            found[id] = DIFFERS, f"{far:.2g} of the largest"
    return found


# ---- Why ----


@dataclass(frozen=True)
class Sentence:
    """A row of the README's table: of which files it says why they and their dialects are not alike, how, and where."""

    how: str
    names: tuple[str, ...]
    where: str
    why: str

    def covers(self, name: str, case: Case, how: str, detail: str) -> bool:
        """`where` is a property of the case, or a pattern of what was said or raised."""
        if name not in self.names or how != self.how:
            return False
        return PROPERTIES[self.where](case) if self.where in PROPERTIES else re.search(self.where, detail) is not None


def sentences(text: str) -> list[Sentence]:
    """The rows of the table whose first column is `not alike`."""
    table = text.partition("| not alike |")[2].partition("\n\n")[0].splitlines()[2:]
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in table]
    return [Sentence(how, tuple(re.split(r",\s*", names)), where.strip("`"), why) for how, names, where, why in rows]


def inputs(case: Case) -> list[tuple[Rule, Layer, Array]]:
    """(rule, layer, input) for every layer."""
    network, rules, x, _ = case.task()
    with np.errstate(all="ignore"):
        xs = network.activations(x)
    return [(rules[name], layer, network.read(name, xs)) for name, layer in network]


def average_overflows(case: Case) -> bool:
    """Whether the sum that an average is made of is infinite."""
    with np.errstate(all="ignore"):
        return any(np.isinf(layer.linearize(a)[1].apply(a, ones_like)).any()
                   for _, layer, a in inputs(case) if isinstance(layer, AvgPool))


def subnormal(case: Case) -> bool:
    """Whether a number of the case, or the rule's, is smaller than 2^-1022 and not 0."""
    network, rules, x, R = case.task()
    given = [x, R, *(array for _, layer in network for array in layer.arrays().values()),
             *(np.float64(getattr(rule, field.name)) for rule in rules.values() for field in fields(rule))]
    return any(((abs(array) < 2.0**-1022) & (array != 0)).any() for array in given)


def quotient_overflows(case: Case) -> bool:
    """Whether, in a single layer under alpha-beta or z+, relevance over the sum of one sign is infinite."""
    [(rule, layer, x), *more], R = inputs(case), case.task()[3]
    if more or not isinstance(rule, (AlphaBeta, ZPlus)):
        return False
    a, m = layer.linearize(x)
    with np.errstate(all="ignore"):
        sums = [sum(m.apply(term.a, term.f) + term.b for term in share.terms) for share in rule.shares(m, a)]
        return any(np.isinf(np.divide(R, z, out=0 * R, where=z != 0)).any() for z in sums)


def to_one_pixel(case: Case) -> bool:
    """Whether a convolution's output is one pixel wide and high: relevance of it is broadcast over any other image."""
    return any(layer(x).shape[2:] == (1, 1) for _, layer, x in inputs(case) if isinstance(layer, Conv2D))


PROPERTIES: dict[str, Callable[[Case], bool]] = {
    "an average whose sum overflows": average_overflows,
    "numbers below 2^-1022": subnormal,
    "a quotient that overflows": quotient_overflows,
    "a convolution to one pixel": to_one_pixel,
}
