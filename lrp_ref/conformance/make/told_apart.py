"""Cases with all answers to a question side by side, where those of conventions.md leave two of them alike."""

from __future__ import annotations

from collections.abc import Iterator

from lrp_ref.checks.numbers.exact import guarded
from lrp_ref.conformance.make.grid import SECTIONS
from lrp_ref.conformance.make.made import one, other
from lrp_ref.conformance.make.numbers import F, picture
from lrp_ref.conformance.make.questions import STABILISERS
from lrp_ref.conformance.vectors.case import Case
from lrp_ref.layers import Linear, MaxPool
from lrp_ref.rules import Winner, ZPlus


def cases() -> Iterator[Case]:
    sizes = (4, 14, 24, 34, 44, 54)
    yield one("stabiliser-told-apart", ZPlus(), Linear(guarded([[1]])), guarded([[F(1, 2**k)] for k in sizes]),
              guarded([[3], [5], [7], [11], [13], [17]]), topic="told-apart", level="convention",
              section=SECTIONS[ZPlus], flags=["SCALE"],
              comment="One denominator per sample, 2^-4 to 2^-54: each says by itself what is added to it",
              either=[other(stabiliser=epsilon) for epsilon in STABILISERS])
    yield one("max-pool-told-apart", Winner(), MaxPool((1, 2)), picture("2 2 0 0"), picture("3 5"),
              topic="told-apart", level="convention", section=SECTIONS[Winner], flags=["TIES"],
              comment="Two tied windows, of 2 and of 0: shared, to the first, or to the first and lost where it is 0",
              either=[other(max_pool="first"), other(max_pool="contribution")])
