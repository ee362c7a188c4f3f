"""lrp-ref selfcheck: prove every identity again, on this machine and its number types."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from lrp_ref.checks.claims import (
    by_hand,
    cutoffs,
    descriptors,
    fisher,
    floats,
    graphs,
    large,
    laws,
    measures,
    merges,
    seen,
    transformers,
)
from lrp_ref.checks.claims.claim import PROVED, WITHIN, Case, Claim, Found, digest
from lrp_ref.hints import Watch, unwatched
from lrp_ref.version import __version__

FAILED = "FAILED"
CLAIMS: tuple[Claim, ...] = (
    *by_hand.CLAIMS, *measures.CLAIMS, *laws.CLAIMS, *merges.CLAIMS, *cutoffs.CLAIMS, *graphs.CLAIMS, *seen.CLAIMS,
    *transformers.CLAIMS, *fisher.CLAIMS, *descriptors.CLAIMS, *floats.CLAIMS, *large.CLAIMS,
)


@dataclass(frozen=True)
class Outcome:
    """What became of a claim: the verdict, on how many cases, the digest of the exact results, remarks, what failed."""

    claim: Claim
    cases: int
    verdict: str
    digest: str
    remarks: tuple[str, ...]
    failures: tuple[str, ...]
    seconds: float

    @property
    def name(self) -> str:
        return self.claim.name


def outcome(claim: Claim, full: bool, watch: Watch) -> Outcome | None:
    """The claim's cases one after another; None if they are all for --full, and it is not.

    A case that raises is a failure and ends the claim, never the program.
    """
    looked: list[tuple[Case, Found]] = []
    failures: list[str] = []
    begin, left_out = perf_counter(), False
    try:
        for case in claim.cases():
            if case.full and not full:
                left_out = True
                continue
            watch(f"{claim.name}: {case.what}")
            looked.append((case, case.found()))
            failures += [] if looked[-1][1].holds else [case.what]
    except Exception as error:   # whatever it is, the claim is not proved
        after = f" after {looked[-1][0].what}" if looked else ""
        failures.append(f"{type(error).__name__}{after}: {' '.join(str(error).split())}")
    if not looked and not failures:
        if left_out:
            return None
        failures.append("no case was tried")
    remarks = tuple(dict.fromkeys(found.remark for _, found in looked if found.remark))
    return Outcome(claim, len(looked), FAILED if failures else claim.verdict, digest(looked), remarks, tuple(failures),
                   perf_counter() - begin)


def selfcheck(full: bool = False, watch: Watch = unwatched,
              claims: Sequence[Claim] | None = None) -> list[Outcome]:
    """Every claim's outcome; full: more seeds and larger networks, minutes instead of seconds."""
    with np.errstate(all="ignore"):
        outcomes = [outcome(claim, full, watch) for claim in (CLAIMS if claims is None else claims)]
    return [one for one in outcomes if one is not None]


def failed(outcomes: Sequence[Outcome]) -> list[Outcome]:
    return [one for one in outcomes if one.verdict == FAILED]


def text(outcomes: Sequence[Outcome]) -> str:
    """A line per claim; under it, after `:`, its counterexamples and counts, and what failed."""
    lines = [f"lrp-ref {__version__}, Python {platform.python_version()}, NumPy {np.__version__}, {platform.machine()}"]
    for one in outcomes:
        lines.append(f"{one.verdict:<12}  {one.name:<16} {one.cases:>4} {'cases' if one.cases != 1 else 'case '}  "
                     f"{one.digest}  {one.claim.sentence} [{one.claim.arithmetic}]")
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
        "claims": [{"name": one.name, "claim": one.claim.sentence, "arithmetic": one.claim.arithmetic,
                    "cases": one.cases, "verdict": one.verdict, "digest": one.digest, "remarks": list(one.remarks),
                    "failures": list(one.failures)} for one in outcomes],
    }


def claims_table(claims: Sequence[Claim] = CLAIMS) -> str:
    """What is claimed and with which arithmetic, for docs/selfcheck.md."""
    rows = [(claim.name, claim.sentence.replace("|", "\\|"), claim.arithmetic, claim.verdict) for claim in claims]
    return "\n".join("| " + " | ".join(row) + " |" for row in [
        ("claim", "what holds in every case", "arithmetic", "verdict"), ("---",) * 4, *rows])
