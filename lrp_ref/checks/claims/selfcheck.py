"""lrp-ref selfcheck: prove every identity again, on this machine and its number types."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from lrp_ref.checks.claims import by_hand, cutoffs, fisher, floats, large, laws, measures
from lrp_ref.checks.claims.case import Case, digest
from lrp_ref.hints import Watch, unwatched
from lrp_ref.version import __version__

FRACTIONS, FROZEN = "Fractions", "Fractions; float64 maps as the rationals they are"
PRIMES, DECIMALS = "modulo 2 primes of 31 bits", "Decimal, 34 and 50 digits"
PROVED, WITHIN, FAILED = "proved", "within bound", "FAILED"


@dataclass(frozen=True, eq=False)
class Claim:
    """A claim: its name, the arithmetic, the function that yields its cases, and what it is if they all hold."""

    name: str
    arithmetic: str
    cases: Callable[[bool], Iterator[Case]]
    verdict: str = PROVED

    @property
    def sentence(self) -> str:
        return " ".join((self.cases.__doc__ or "").split())


CLAIMS: tuple[Claim, ...] = (
    Claim("conventions", FRACTIONS, by_hand.conventions),
    Claim("choices", "by name", by_hand.choices),
    Claim("measures", "float64", measures.measures),
    Claim("layers", FRACTIONS, laws.forward),
    Claim("rules", FROZEN, laws.by_definition),
    Claim("matrix", FROZEN, laws.dense_matrix),
    Claim("ledger", FROZEN, laws.ledger),
    Claim("network ledger", FRACTIONS, laws.network_ledger),
    Claim("batches", FRACTIONS, laws.batches),
    Claim("linearity", FROZEN, laws.linear),
    Claim("scaling", FRACTIONS, laws.scaling),
    Claim("equal rules", FROZEN, laws.equal_rules),
    Claim("batch norm", FRACTIONS, laws.batch_norm),
    Claim("gradient", FRACTIONS, laws.gradient),
    Claim("cut-off", FRACTIONS, cutoffs.where_it_applies),
    Claim("cut-off (a)", FRACTIONS, cutoffs.substitution),
    Claim("cut-off (b)", FRACTIONS, cutoffs.averaging),
    Claim("cut-off (c)", FRACTIONS, cutoffs.stacking),
    Claim("cut-off (d)", FRACTIONS, cutoffs.fully_connected),
    Claim("cut-off (e)", FRACTIONS, cutoffs.fisher),
    Claim("receptive fields", FRACTIONS, cutoffs.fields),
    Claim("Eq. 5", FRACTIONS, fisher.equation_5),
    Claim("three products", FRACTIONS, fisher.three_products),
    Claim("regions", "whole numbers", fisher.regions),
    Claim("Fisher chain", DECIMALS, fisher.fisher_chain, WITHIN),
    Claim("roots and powers", DECIMALS, fisher.decimal_layers, WITHIN),
    Claim("descriptors", "float64", by_hand.descriptors, WITHIN),
    Claim("floats", "float32, float64", floats.rounded, WITHIN),
    Claim("LeNet ledger", PRIMES, large.lenet_ledger),
    Claim("LeNet identities", PRIMES, large.lenet_identities),
    Claim("gates", FRACTIONS, large.gates),
    Claim("VGG ledger", PRIMES, large.vgg_ledger),
)
ONLY_FULL = ("VGG ledger",)


@dataclass(frozen=True)
class Outcome:
    """What became of a claim: the verdict, on how many cases, the digest of the exact results, remarks, what failed."""

    name: str
    sentence: str
    arithmetic: str
    cases: int
    verdict: str
    digest: str
    remarks: tuple[str, ...]
    failures: tuple[str, ...]
    seconds: float


def outcome(claim: Claim, full: bool, watch: Watch) -> Outcome:
    """The claim's cases one after another. One that raises is a failure and ends the claim, never the program."""
    cases: list[Case] = []
    failures: list[str] = []
    begin = perf_counter()
    try:
        for case in claim.cases(full):
            watch(f"{claim.name}: {case.what}")
            cases.append(case)
            failures += [] if case.holds else [case.what]
    except Exception as error:   # whatever it is, the claim is not proved
        after = f" after {cases[-1].what}" if cases else ""
        failures.append(f"{type(error).__name__}{after}: {' '.join(str(error).split())}")
    if not cases and not failures:
        failures.append("no case was tried")
    remarks = tuple(dict.fromkeys(case.remark for case in cases if case.remark))
    return Outcome(claim.name, claim.sentence, claim.arithmetic, len(cases), FAILED if failures else claim.verdict,
                   digest(cases), remarks, tuple(failures), perf_counter() - begin)


def selfcheck(full: bool = False, watch: Watch = unwatched,
              claims: Sequence[Claim] | None = None) -> list[Outcome]:
    """Every claim's outcome; full: more seeds and larger networks, minutes instead of seconds."""
    chosen = CLAIMS if claims is None else claims
    with np.errstate(all="ignore"):
        return [outcome(claim, full, watch) for claim in chosen if full or claim.name not in ONLY_FULL]


def failed(outcomes: Sequence[Outcome]) -> list[Outcome]:
    return [one for one in outcomes if one.verdict == FAILED]


def text(outcomes: Sequence[Outcome]) -> str:
    """A line per claim; under it, after `:`, its counterexamples and counts, and what failed."""
    lines = [f"lrp-ref {__version__}, Python {platform.python_version()}, NumPy {np.__version__}, {platform.machine()}"]
    for one in outcomes:
        lines.append(f"{one.verdict:<12}  {one.name:<16} {one.cases:>4} {'cases' if one.cases != 1 else 'case '}  "
                     f"{one.digest}  {one.sentence} [{one.arithmetic}]")
        lines += [f"{'':14}: {remark}" for remark in one.remarks]
        lines += [f"{'':14}! {failure}" for failure in one.failures[:3]]
        if len(one.failures) > 3:
            lines.append(f"{'':14}! and {len(one.failures) - 3} more")
    counts = [sum(one.verdict == verdict for one in outcomes) for verdict in (PROVED, WITHIN, FAILED)]
    lines.append(f"{len(outcomes)} claims, {sum(one.cases for one in outcomes)} cases: {counts[0]} proved, {counts[1]} "
                 f"within bound, {counts[2]} FAILED, in {sum(one.seconds for one in outcomes):.0f} s")
    return "\n".join(lines)


def facts(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The same as plain values. Seconds are left out: two runs give the same text."""
    return {
        "version": __version__, "python": platform.python_version(), "numpy": np.__version__,
        "machine": platform.machine(), "failed": len(failed(outcomes)),
        "claims": [{"name": one.name, "claim": one.sentence, "arithmetic": one.arithmetic, "cases": one.cases,
                    "verdict": one.verdict, "digest": one.digest, "remarks": list(one.remarks),
                    "failures": list(one.failures)} for one in outcomes],
    }
