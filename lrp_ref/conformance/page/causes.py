"""Why cases fail, in a few words, and which cases have a cause in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from lrp_ref.conformance.diagnose.failures import UNEXPLAINED, Cause
from lrp_ref.conformance.judge.outcome import REFUSE
from lrp_ref.conformance.page.facts import Facts, Subject
from lrp_ref.conformance.page.html import Html, capital, slug, tag
from lrp_ref.conventions.table import stated

DIFFERENT = "Different answers, and none of them failed"


@dataclass(frozen=True, eq=False)
class Group:
    """What it is, whose cases show it, and those of them that are told in full here: each case is told once.

    ids: {a subject's key: its cases}; none for cases in which nobody failed
    """

    text: str
    key: str
    explained: bool = True
    told: list[str] = field(default_factory=list)
    ids: dict[str, list[str]] = field(default_factory=dict)

    @property
    def refusals(self) -> bool:
        """Whether its cases were answered and must be refused: told apart from wrong numbers."""
        return self.text == capital(REFUSE)

    def count(self) -> int:
        return len({*self.told, *(id for ids in self.ids.values() for id in ids)})

    def elsewhere(self) -> list[tuple[str, str]]:
        """(subject's key, case) of those that another cause tells."""
        return [(key, id) for key, ids in self.ids.items() for id in ids if id not in self.told]


def groups(facts: Facts) -> list[Group]:
    """Those with the most cases first; what no convention explains, and what nobody failed, at the end."""
    found: dict[Cause, Group] = {}
    told: set[str] = set()

    def of(cause: Cause) -> Group:
        return found.setdefault(cause, Group(capital(cause.text), slug("cause", len(found) + 1), cause.explained))

    for id, subject, cause in failures_in_order(facts):
        group = of(cause)
        group.ids.setdefault(subject.key, []).append(id)
        if id not in told:
            group.told.append(id)
            told.add(id)
    rest = [id for id in facts.disagreements if id not in told]
    for id in rest:
        of(Cause(difference(facts, id))).told.append(id)
    return sorted(found.values(), key=lambda one: (not one.ids, not one.explained, -one.count()))


def difference(facts: Facts, id: str) -> str:
    """What sets the answers to a case apart that nobody failed."""
    for subject in facts.subjects:
        outcome = subject.outcomes.get(id)
        if outcome and outcome.convention:
            return f"Allowed for, as it is declared: {stated(*outcome.convention)}"
    return DIFFERENT


def failures_in_order(facts: Facts) -> Iterator[tuple[str, Subject, Cause]]:
    """(case, who failed it, its cause) in the order of the cases."""
    for id in facts.cases:
        for subject in facts.subjects:
            if id in subject.failures:
                yield id, subject, subject.failures[id].cause


def in_short(found: Sequence[Group], subject: Subject, most: int = 7) -> Html | None:
    """The causes behind one implementation's failures, as links; what no convention explains in one, to the first."""
    own = [group for group in found if subject.key in group.ids and not group.refusals]
    if not own:
        return None
    own.sort(key=lambda group: -len(group.ids[subject.key]))
    named = [(group.text, [group]) for group in own if group.explained]
    others = [(capital(UNEXPLAINED), here)] if (here := [group for group in own if not group.explained]) else []
    told = [(text, groups[0].key, sum(len(group.ids[subject.key]) for group in groups))
            for text, groups in [*named[:most], *others]]
    rest = sum(len(group.ids[subject.key]) for _, [group] in named[most:])
    return tag("div", tag("h4", "Failed cases, by cause"), tag("ol", [
        tag("li", tag("a", text, href=f"#{key}"), " ", tag("span", number, class_="count"))
        for text, key, number in told], class_="causes"),
        tag("p", f"{rest} more of other causes", class_="quiet") if rest else None)
