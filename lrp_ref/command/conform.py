"""lrp-ref conform and lrp-ref compare."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from lrp_ref.command.commands import Failed, Watch
from lrp_ref.command.outputs import dumped, spare
from lrp_ref.conformance.adapter import Adapter
from lrp_ref.conformance.adapters import adapter
from lrp_ref.conformance.judge import expectations
from lrp_ref.conformance.judge.run import Answers, Run, run, selected
from lrp_ref.conformance.report import facts as report
from lrp_ref.conformance.report import text as report_text
from lrp_ref.conformance.report.case import case_text
from lrp_ref.conformance.vectors.suite import load
from lrp_ref.files import writable, writing


def conform(options: Namespace, watch: Watch) -> str:
    """One implementation."""
    if options.adapter and options.exec:
        raise ValueError(f"got the adapter {options.adapter} and --exec {options.exec}, needed one of them, not both")
    if not (options.adapter or options.exec):
        raise ValueError("lrp-ref conform needs the name of an adapter, or --exec COMMAND: see lrp-ref conform --help")
    writes(options.report)
    new(options.write_expect)
    watch("reading the vectors")
    suite = load()
    asked = selected(suite, options.case, options.rule, options.layer, options.level)
    expected = expectations.read(options.expect) if options.expect else None
    one, words = adapter(options.adapter, options.exec)
    with ending(one):
        outcome = run(one, asked, watch, command=words)
        if not (options.case or options.expect):
            supporting(outcome)
        facts = report.facts(outcome, watch)
    text = report_text.text(facts)
    if options.case:
        text = "\n\n".join([*report_text.causes(facts), *map(case_text, outcome.outcomes)])
    if options.write_expect:
        about = f"{facts['adapter']['name']} {facts['adapter']['version']} {report_text.on(facts['vectors'])}"
        count = expectations.write(options.write_expect, about, outcome.outcomes)
        text = f"{text}\n\n{report_text.counted(count, 'expectation')} written to {options.write_expect}"
    if expected is None:
        return ended(options, facts, text, bool(outcome.failed))
    surprises = expectations.differences(outcome.outcomes, expected, suite)
    return ended(options, {**facts, "unexpected": surprises}, f"{text}\n\n{surprises_text(surprises)}", bool(surprises))


def compare(options: Namespace, watch: Watch) -> str:
    """Several, side by side."""
    writes(options.report)
    watch("reading the vectors")
    suite, answers = load(), Answers()
    found = [adapter(text) for text in options.adapters]
    must_differ_in_name([one for one, _ in found])
    expected = [expectations.read(expected_file(options.expect, one)) for one, _ in found] if options.expect else []
    runs = [run(one, suite, watch, answers, words) for one, words in found]
    for done in runs if not options.expect else ():
        supporting(done)
    facts = report.comparison(runs, [report.facts(one, watch) for one in runs])
    text = report_text.comparison_text(facts)
    if not options.expect:
        return ended(options, facts, text, any(one.failed for one in runs))
    surprises = [f"{one.adapter.name}: {surprise}" for one, lines in zip(runs, expected)
                 for surprise in expectations.differences(one.outcomes, lines, suite)]
    return ended(options, {**facts, "unexpected": surprises}, f"{text}\n\n{surprises_text(surprises)}", bool(surprises))


@contextmanager
def ending(one: Adapter) -> Iterator[None]:
    """What the adapter started ends with it."""
    try:
        yield
    finally:
        if isinstance(one, Closing):
            one.close()


@runtime_checkable
class Closing(Protocol):
    """An adapter to a process of its own."""

    def close(self) -> None: ...


def must_differ_in_name(adapters: Sequence[Adapter]) -> None:
    """An error where two have one name, by which reports know them."""
    names = [one.name for one in adapters]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"got two adapters named {', '.join(twice)}: give each a name of its own")


def supporting(done: Run) -> None:
    """An error where it supports none of the cases: no failure, but nothing that is right either."""
    if all(one.status == "unsupported" for one in done.outcomes):
        (why, _), = Counter(one.reason for one in done.outcomes).most_common(1)
        raise ValueError(f"no case passed or failed: {done.adapter.name} supports none of {len(done.outcomes)}; most "
                         f"often because: {why}")


def expected_file(folder: str, one: Adapter) -> Path:
    path = Path(folder) / f"{one.name}.txt"
    if not path.is_file():
        raise ValueError(f"got --expect {folder}, which has no file {one.name}.txt: make an empty one if every case is "
                         "expected to pass")
    return path


def writes(path: str | None) -> None:
    """An error unless a page can be written there, if anywhere."""
    spare("--report", path)
    if path and Path(path).suffix != ".html":
        raise ValueError(f"got --report {path}, needed a name that ends in .html")


def new(path: str | None) -> None:
    """An error unless expectations can be written there, if anywhere: a file that is there has comments by hand."""
    if path and writable(path).exists():
        raise ValueError(f"got --write-expect {path}, which is there already: give the name of a new file")


def ended(options: Namespace, facts: dict[str, Any], text: str, failed: bool) -> str:
    """The report written, and the text or JSON that is printed; as a failure if there was one."""
    if options.report:
        from lrp_ref.conformance.page import page

        with writing(options.report) as temporary:
            temporary.write_text(page(facts), encoding="utf-8")
        text = f"{text}\n\nreport written to {options.report}"
    printed = dumped(facts) if options.json else text
    if failed:
        raise Failed(printed)
    return printed


def surprises_text(surprises: Sequence[str]) -> str:
    """What is not as expected."""
    return "\n".join([f"{len(surprises)} not as expected", *surprises]) if surprises else "all as expected"
