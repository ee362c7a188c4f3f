"""What an implementation answered, kept in a file: its adapter answers by case without it, and nothing else.

    {"schema": "lrp-answers-v1", "library": "mine", "version": "1.2", "unit_roundoff": 1.1102230246251565e-16,
     "declared": {"stabiliser": 1e-06}, "spec": "1.0", "digest": "1ac8d7578f6b",
     "answers": {case id: {"shape": [1, 2], "values": [0.5, "nan"]} | {"unsupported": why, "url": issue}
                          | {"raised": what} | {"astray": what became of its program}}}

A number is as `repr` prints it, "nan", "inf" and "-inf" are texts. The file may be gzipped.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.conformance.adapter import Astray, Reported, Unsupported
from lrp_ref.conformance.vectors.case import Case
from lrp_ref.conformance.vectors.suite import SPEC, Suite, until
from lrp_ref.files import read_regular
from lrp_ref.hints import did_you_mean, listed, quotable
from lrp_ref.outside import Fields, anything, as_float, called, each, integer, json_value, list_of, refused, text

SCHEMA = "lrp-answers-v1"
LARGEST = 20_000_000   # bytes; the answers to all cases have 250,000
AXES = 32              # of an answer: arrays of NumPy 1 have no more
NAMED = ("nan", "inf", "-inf")
ALONE = "only cases were recorded, and nobody is here to ask anything else"


class Raised(Reported, RuntimeError):
    """The error that the implementation raised when it was asked."""


@dataclass(frozen=True, eq=False)
class Recorded:
    """The adapter of a file. A case that has no answer in it is unsupported; so is every other question.

    spec    the released specification whose cases were asked: those that are newer were not, and it says so
    digest  of the vectors that were asked; "" where the file does not say, and the ids alone tell
    """

    path: str
    name: str
    version: str
    unit_roundoff: float
    conventions: Mapping[str, Any]
    spec: str
    digest: str
    answers: Mapping[str, Mapping[str, Any]]
    capabilities: Sequence[str] | None = None

    def relevance(self, network: Any, rules: Any, x: Array, R: Array) -> NoReturn:
        raise Unsupported(ALONE)

    def answer(self, case: Case) -> Array:
        """What it answered to the case, or the error that says what else happened."""
        given = self.answers.get(case.id)
        if given is None and case.since not in until(self.spec):
            raise Unsupported(f"not asked: {self.name} answered the vectors {self.spec}, and the case came with "
                              f"{case.since}")
        if given is None:
            raise Unsupported(f"{self.name} was not asked when {quotable(self.path)} was recorded")
        if "unsupported" in given:
            raise Unsupported(given["unsupported"], given.get("url", ""))
        if "astray" in given:
            raise Astray(given["astray"])
        if "raised" in given:
            raise Raised(given["raised"] if case.level == "negative" else f"raised {given['raised']}")
        return np.array(given["values"], dtype=np.float64).reshape(given["shape"])

    def check(self, suite: Suite) -> None:
        """An error unless it was these vectors that were asked, or those of an earlier specification, and no others."""
        released = suite.released.get(self.spec)
        if released is None or self.digest not in ("", released.digest):
            raise ValueError(f"{quotable(self.path)} has {self.name}'s answers to the vectors {self.spec} "
                             f"({self.digest}), and these are {suite.spec} ({suite.digest}): record it anew")
        known = {case.id for case in suite.cases}
        if unknown := sorted(self.answers.keys() - known):
            raise ValueError(f"{quotable(self.path)} answers {quotable(unknown[0])}, which the vectors do not have: "
                             f"{did_you_mean(unknown[0], sorted(known))}record it anew")


# ---- Reading ----


def read(path: str) -> Recorded:
    """The adapter of a file; an error that names it where it is none."""
    what = f"recorded:{path}"
    given = Fields(json_value(unzipped(read_regular(Path(path), LARGEST), what), what), what)
    if (schema := given.take("schema", text, SCHEMA)) != SCHEMA:
        raise ValueError(f"{quotable(what)} is {quotable(schema)}, this program reads {SCHEMA}")
    name, version = given.take("library", called), given.take("version", called)
    none: Mapping[str, Any] = {}
    unit, declared = given.take("unit_roundoff", small_number, 2.0**-53), given.take("declared", each(anything), none)
    spec, digest = given.take("spec", called, SPEC), given.take("digest", text, "")
    capabilities = given.take("capabilities", list_of(text), None)
    for about in ("dialect", "provenance"):
        given.take(about, text, "")
    answers = given.take("answers", each(anything))
    given.done()
    return Recorded(path, name, version, unit, declared, spec, digest,
                    {id: entry(f"{what}: {quotable(id)}", one) for id, one in answers.items()}, capabilities)


def unzipped(data: bytes, what: str) -> bytes:
    if not data.startswith(b"\x1f\x8b"):
        return data
    unzip = zlib.decompressobj(wbits=31)
    try:
        data = unzip.decompress(data, LARGEST + 1)
    except zlib.error as error:
        raise ValueError(f"{quotable(what)} is no whole gzip file: {error}") from None
    if len(data) > LARGEST or not unzip.eof:
        raise ValueError(f"{quotable(what)} is cut off, or has more than {LARGEST} bytes: is it the right file?")
    return data


def small_number(what: str, name: str, value: Any) -> float:
    number = as_float(value)
    if number is None or not 0 < number < 1:
        raise refused(what, name, value, "2^-53 or 2^-24 as a number")
    return number


def entry(what: str, value: Any) -> Mapping[str, Any]:
    """One answer, of one of the four kinds."""
    given = Fields(value, what)
    for kind in ("unsupported", "raised", "astray"):
        if kind in given.left:
            found = {kind: given.take(kind, text), "url": given.take("url", text, "")}
            given.done()
            return found
    shape = given.take("shape", list_of(integer(most=LARGEST), AXES))
    values = given.take("values", list_of(number_or_name))
    given.done()
    if prod(shape) != len(values) or prod(n or 1 for n in shape) > LARGEST:   # of 0 numbers too
        raise refused(what, "values", f"{len(values)} numbers", f"{prod(shape)}, as the shape {shape} says")
    return {"shape": shape, "values": values}


def number_or_name(what: str, name: str, value: Any) -> float:
    if isinstance(value, str) and value in NAMED:
        return float(value)
    if (found := as_float(value)) is None:
        raise refused(what, name, value, f"a number, or one of {listed(NAMED)}")
    return found
