"""Why cases fail, in a few words, and which cases have a cause in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from lrp_ref.conformance.diagnose.failures import UNEXPLAINED
from lrp_ref.conformance.page.facts import Facts, Subject
from lrp_ref.conformance.page.html import Html, capital, slug, tag
from lrp_ref.conventions.table import stated

DIFFERENT = "Different answers, and none of them failed"


@dataclass(frozen=True, eq=False)
class Cause:
    """What it is, whose cases show it, and those of them that are told in full here: each case is told once.

    ids: {a subject's key: its cases}; none for cases in which nobody failed
    """

    text: str
    key: str
    told: list[str] = field(default_factory=list)
    ids: dict[str, list[str]] = field(default_factory=dict)

    @property
    def unexplained(self) -> bool:
        return self.text.startswith(capital(UNEXPLAINED))

    def count(self) -> int:
        return len({*self.told, *(id for ids in self.ids.values() for id in ids)})

    def elsewhere(self) -> list[tuple[str, str]]:
        """(subject's key, case) of those that another cause tells."""
        return [(key, id) for key, ids in self.ids.items() for id in ids if id not in self.told]


def causes(facts: Facts) -> list[Cause]:
    """Those with the most cases first; what no convention explains, and what nobody failed, at the end."""
    found: dict[str, Cause] = {}
    told: set[str] = set()

    def of(text: str) -> Cause:
        return found.setdefault(text, Cause(text, slug("cause", len(found) + 1)))

    for id, subject, text in failed(facts):
        cause = of(text)
        cause.ids.setdefault(subject.key, []).append(id)
        if id not in told:
            cause.told.append(id)
            told.add(id)
    rest = [id for id in facts.disagreements if id not in told]
    for id in rest:
        of(difference(facts, id)).told.append(id)
    return sorted(found.values(), key=lambda one: (not one.ids, one.unexplained, -one.count()))


def difference(facts: Facts, id: str) -> str:
    """What sets the answers to a case apart that nobody failed."""
    for subject in facts.subjects:
        convention = subject.outcomes.get(id, {}).get("convention")
        if convention:
            return f"Allowed for, as it is declared: {stated(convention['question'], convention['value'])}"
    return DIFFERENT


def failed(facts: Facts) -> Iterator[tuple[str, Subject, str]]:
    """(case, who failed it, its cause) in the order of the cases."""
    for id in facts.cases:
        for subject in facts.subjects:
            if id in subject.failures:
                yield id, subject, capital(subject.failures[id]["cause"])


def in_short(found: Sequence[Cause], subject: Subject, most: int = 7) -> Html | None:
    """The causes behind one implementation's failures, as links; what no convention explains in one, to the first."""
    own = [cause for cause in found if subject.key in cause.ids]
    if not own:
        return None
    own.sort(key=lambda cause: -len(cause.ids[subject.key]))
    named = [(cause.text, [cause]) for cause in own if not cause.unexplained]
    others = [(capital(UNEXPLAINED), here)] if (here := [cause for cause in own if cause.unexplained]) else []
    told = [(text, causes[0].key, sum(len(cause.ids[subject.key]) for cause in causes))
            for text, causes in [*named[:most], *others]]
    rest = sum(len(cause.ids[subject.key]) for _, [cause] in named[most:])
    return tag("div", tag("h4", "Failed cases, by cause"), tag("ol", [
        tag("li", tag("a", text, href=f"#{key}"), " ", tag("span", number, class_="count"))
        for text, key, number in told], class_="causes"),
        tag("p", f"{rest} more of other causes", class_="quiet") if rest else None)
