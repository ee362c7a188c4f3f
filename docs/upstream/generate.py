"""The texts of this folder, from the rows of its README and the recorded answers: python docs/upstream/generate.py"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from lrp_ref.conformance.adapters.recorded import read
from lrp_ref.conformance.judge.run import Answers, run, selected
from lrp_ref.conformance.report.facts import report
from lrp_ref.conformance.report.issue import issue_text
from lrp_ref.conformance.vectors.suite import Suite, load

FOLDER = Path(__file__).parent
RECORDED = FOLDER.parents[1] / "data_fixtures" / "recorded"
ROW = re.compile(r"^\| \[([\w-]+)\]\([\w-]+\.md\) \| ([\w.]+) \| ([\w-]+) \| (.+) \|$", re.MULTILINE)


class Row(NamedTuple):
    name: str
    answers: str
    case: str
    title: str


def rows() -> list[Row]:
    return [Row(*found) for found in ROW.findall((FOLDER / "README.md").read_text(encoding="utf-8"))]


def texts(suite: Suite) -> Iterator[tuple[Row, str]]:
    """Every text; an error where the library passes the case by now."""
    right = Answers()
    for row in rows():
        adapter = read(str(RECORDED / row.answers))
        adapter.check(suite)
        words = f"recorded:data_fixtures/recorded/{row.answers}"
        came_with = suite.at(suite[row.case].since)   # its text says the same under every later specification
        found = report(run(adapter, selected(came_with, [row.case]), answers=right, command=words))
        if not found.failures:
            raise ValueError(f"{row.name}: {row.answers} passes {row.case}: take the row out of the README")
        yield row, issue_text(found, found.failures[0], found.failures, row.title)


if __name__ == "__main__":
    for row, text in texts(load()):
        (FOLDER / f"{row.name}.md").write_text(text, encoding="utf-8")
