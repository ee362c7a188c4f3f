"""A file of what is expected of an implementation: `id status issue-url` for every case that does not pass.

Empty lines and those that begin with # say nothing. A case without a line is expected to pass, tightly or loosely. The
url may be left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from stat import S_ISDIR

from lrp_ref.conformance.judge.outcome import RIGHT, STATUSES, Outcome
from lrp_ref.conformance.vectors.suite import Suite
from lrp_ref.files import read_regular, writing
from lrp_ref.hints import did_you_mean, listed

LARGEST = 10_000_000   # bytes of a file of expectations: a line for each of 50,000 cases, and the vectors have hundreds
EXPECTED = tuple(status for status in STATUSES if status not in RIGHT)


@dataclass(frozen=True)
class Line:
    """A status that is expected, the issue that says why, and where it is written."""

    status: str
    url: str
    number: int


def read(path: str | PathLike[str]) -> dict[str, Line]:
    """{case: line}; an error where a line is none, or where there are none to read."""
    found: dict[str, Line] = {}
    for number, text in enumerate(content(path).splitlines(), 1):
        words = text.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) not in (2, 3) or words[1] not in EXPECTED:
            raise ValueError(f"{path}, line {number}: got {text.strip()!r}, needed a case's id, one of "
                             f"{listed(EXPECTED)}, and the url of an issue (which may be left out)")
        if words[0] in found:
            raise ValueError(f"{path}, line {number}: {words[0]} is in line {found[words[0]].number} already")
        found[words[0]] = Line(words[1], words[2] if len(words) == 3 else "", number)
    return found


def content(path: str | PathLike[str]) -> str:
    try:
        if S_ISDIR(Path(path).stat().st_mode):
            raise IsADirectoryError
        return read_regular(Path(path), LARGEST).decode("utf-8-sig")   # some editors begin a file with a mark
    except FileNotFoundError:
        why = "there is no such file"
    except IsADirectoryError:
        why = "it is a folder"
    except UnicodeDecodeError:
        why = "it is no UTF-8 text"
    except OSError as error:
        why = str(error.strerror)
    raise ValueError(f"got the expectations file {path}, but {why}: needed a text file, one with no lines if every "
                     "case is expected to pass")


def differences(outcomes: Sequence[Outcome], expected: Mapping[str, Line], suite: Suite) -> list[str]:
    """One sentence for every case that is not as expected, and for every line that no case of the suite has.

    Lines of cases that were not run are left alone; `suite` has all cases. Where rounding decides nothing, a pass and
    none are the same: another processor sums in another order, and the answer is the exact one or is not by luck.
    """
    found = []
    for one in outcomes:
        if one.by_luck:
            continue
        line = expected.get(one.case.id)
        if line is None and one.status not in RIGHT:
            found.append(f"{one.case.id}: {one.status}, expected to pass: {one.reason or 'rounding decides nothing'}")
        elif line is not None and one.status in RIGHT:
            found.append(f"{one.case.id}: passed, expected {line.status}: line {line.number} is stale, delete it")
        elif line is not None and one.status != line.status:
            found.append(f"{one.case.id}: {one.status}, expected {line.status} (line {line.number}): {one.reason}")
    ids = {case.id for case in suite.cases}
    found += [f"{id}: no case has this id (line {line.number}): {did_you_mean(id, ids)}delete the line"
              for id, line in expected.items() if id not in ids]
    return found


def write(path: str | PathLike[str], about: str, outcomes: Sequence[Outcome]) -> int:
    """A new file that expects these outcomes, below a comment; how many lines of it are no comment."""
    lines = lines_of(outcomes)
    with writing(path) as temporary:
        temporary.write_text(f"# {' '.join(about.split())}\n{lines}", encoding="utf-8", errors="backslashreplace")
    return len(lines.splitlines())


def lines_of(outcomes: Sequence[Outcome]) -> str:
    """The lines that expect these outcomes."""
    return "".join(f"{one.case.id} {one.status} {'%20'.join(one.url.split())}".rstrip() + "\n"
                   for one in outcomes if one.status not in RIGHT)
