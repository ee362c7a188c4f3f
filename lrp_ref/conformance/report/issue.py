"""What a library's maintainers need to see a failure themselves: one case, in words, in numbers, and in ten lines."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.conformance.diagnose.failures import Cause, Failure
from lrp_ref.conformance.judge.outcome import REFUSE
from lrp_ref.conformance.report.facts import Report, commented, in_words
from lrp_ref.conformance.report.snippet import listed_numbers, snippet
from lrp_ref.conformance.report.text import named_cases
from lrp_ref.conformance.vectors.case import RULES, Case
from lrp_ref.version import __version__

WIDTH, DIGITS = 100, 12
THE_PAPER = ("Sections and Eq. 1 to 5 without another name: Bach et al., Controlling Explanatory Heatmap Resolution "
             "and Semantics via Decomposition Depth, ICIP 2016")
PAPERS = {   # as sections of cases name them
    "Bach et al. 2015": "Bach et al., On Pixel-Wise Explanations for Non-Linear Classifier Decisions by Layer-Wise "
                        "Relevance Propagation, PLoS ONE 10(7), 2015",
    "Montavon et al. 2017": "Montavon et al., Explaining NonLinear Classification Decisions with Deep Taylor "
                            "Decomposition, Pattern Recognition 65, 2017",
    "Montavon et al. 2019": "Montavon et al., Layer-Wise Relevance Propagation: An Overview, 2019",
    "Eq. 1": THE_PAPER, "Section": THE_PAPER,
    "Lapuschkin et al. 2019": "Lapuschkin et al., Unmasking Clever Hans Predictors, Nature Communications 10, 2019",
}

LEVELS = {   # how sure it is that somebody is wrong
    "required": "Published formulas settle this one.",
    "convention": "Published formulas leave something open here, so that another answer may be meant; then it is worth "
                  "a sentence in the documentation.",
    "stress": "It is at the edges of the number format.",
    "negative": "There is no right number here: it must be refused.",
}


def groups(failures: Sequence[Failure]) -> list[list[Failure]]:
    """The failures of each cause, in the order and with the numbers of the report."""
    found: dict[Cause, list[Failure]] = {}
    for failure in failures:
        found.setdefault(failure.cause, []).append(failure)
    return sorted(found.values(), key=lambda group: (group[0].cause.text == REFUSE, -len(group)))


def issue(report: Report, number: int) -> str:
    """The text for the cause of that number; an error where there are fewer."""
    found = groups(report.failures)
    if not 1 <= number <= len(found):
        have = f"needed 1 to {len(found)}" if found else "but no case failed"
        raise ValueError(f"got --issue {number}, {have}: the number is that of a cause in the report")
    here = found[number - 1]
    return issue_text(report, smallest(here), here, here[0].cause.text)


def smallest(failures: Sequence[Failure]) -> Failure:
    """That with the fewest layers, then of the fewest numbers."""
    def size(failure: Failure) -> tuple[int, int]:
        case = failure.outcome.case
        arrays = [case.x, case.R, *(array for _, layer in case.network for array in layer.arrays().values())]
        return len(case.network), sum(array.size for array in arrays)
    return min(failures, key=size)


def issue_text(report: Report, failure: Failure, group: Sequence[Failure], title: str) -> str:
    """Markdown: what was expected by which equation, what came, how to repeat it, versions."""
    outcome, case = failure.outcome, failure.outcome.case
    others = [one.outcome.case.id for one in group if one is not failure]
    parts = [f"# {report.name} {report.version}: {title}", question(case),
             expected(case), came(failure, outcome.answer), "## To repeat it",
             f"```python\n{snippet(report.name, report.version, case, outcome.answer)}\n```", "## Where it comes from",
             origin(report, failure)]
    if others:
        parts.append(prose(f"{len(others)} more of the cases fail for the same reason, as far as numbers tell: "
                           f"{named_cases(others)}."))
    if own := [url for url in failure.known.issues if report.name.lower().partition(" ")[0] in url.lower()]:
        parts.append("Perhaps the same: " + ", ".join(own))
    return "\n\n".join(parts) + "\n"


def prose(text: str) -> str:
    return fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def question(case: Case) -> str:
    layers = "; ".join(f"{type(layer).__name__} under {in_words(case.rules[name])}" for name, layer in case.network)
    return prose(f"Asked: {layers}; x {np.shape(case.x)}, relevance R {np.shape(case.R)} at its output, whatever the "
                 "output is.")


def expected(case: Case) -> str:
    if case.relevance is None:
        return f"**Expected**: an error. {case.error}"
    rules = {type(rule).__name__ for rule in case.rules.values()}
    lines = [f"**Expected** ({case.section}): `{listed_numbers(case.relevance, DIGITS)}`, by"]
    lines += [f"> {name}: {str(RULES[name].__doc__).splitlines()[0]}" for name in RULES if name in rules]
    papers = dict.fromkeys(paper for name, paper in PAPERS.items() if name in case.section)
    return "\n\n".join([*lines, *map(prose, papers)])


def came(failure: Failure, answer: Array | None) -> str:
    if answer is None:
        return f"**What comes**: it {failure.outcome.reason}" + "." * (not failure.outcome.reason.endswith("."))
    worst = failure.outcome.worst
    off = "" if worst is None else (f"; the number at {list(worst.index)} is off by {worst.error:.3g}, where rounding "
                                    f"explains {worst.bound:.2g}")
    return f"**What comes**: `{listed_numbers(answer, DIGITS)}`{off}."


def origin(report: Report, failure: Failure) -> str:
    """The vectors, the versions and the command."""
    case, suite = failure.outcome.case, report.suite
    return prose(f"Case `{case.id}` of the LRP vectors {suite.spec}, digest {suite.digest}, which are worked out in "
                 f"fractions. It says: \"{commented(case)}.\" {LEVELS[case.level]} Seen with {report.name} "
                 f"{report.version} in {report.precision} by lrp_ref {__version__}: `{failure.command}` shows all of "
                 "its numbers.")
