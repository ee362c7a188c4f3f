"""lrp-ref conform and compare: implementations held to the vectors, alone or side by side."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Protocol, runtime_checkable

from lrp_ref.command.failed import Failed, losing_nothing
from lrp_ref.command.outputs import dumped, spare
from lrp_ref.conformance.adapter import Adapter
from lrp_ref.conformance.adapters import adapter
from lrp_ref.conformance.adapters.recorded import Recorded
from lrp_ref.conformance.diagnose.every import formulas
from lrp_ref.conformance.judge import expectations, record
from lrp_ref.conformance.judge.run import Answers, Run, run, selected
from lrp_ref.conformance.page import page
from lrp_ref.conformance.report import text as report_text
from lrp_ref.conformance.report.as_json import as_json
from lrp_ref.conformance.report.badge import badge
from lrp_ref.conformance.report.case import case_text
from lrp_ref.conformance.report.facts import Comparison, Report, comparison, report
from lrp_ref.conformance.report.issue import issue
from lrp_ref.conformance.report.told import formulas_text
from lrp_ref.conformance.vectors.suite import Suite, load
from lrp_ref.files import writable, writing
from lrp_ref.hints import Watch, listed


def conform_command(options: Namespace, watch: Watch) -> str:
    """One implementation."""
    if options.adapter and options.exec:
        raise ValueError(f"got the adapter {options.adapter} and --exec {options.exec}, needed one of them, not both")
    if not (options.adapter or options.exec):
        raise ValueError("lrp-ref conform needs the name of an adapter, or --exec COMMAND: see lrp-ref conform --help")
    writes(options.report)
    new("--write-expect", options.write_expect)
    new("--record", options.record)
    if options.record:
        record.recordable(options.record)
    badged(options)
    alone(options)
    watch("reading the vectors")
    everything = load()
    suite = everything.at(options.spec or everything.spec)
    asked = selected(suite, options.case, options.rule, options.layer, options.level)
    expected = expectations.read(options.expect) if options.expect else None
    one, words = adapter(options.adapter, options.exec)
    of_these(one, everything)
    with ending(one):
        outcome = run(one, asked, watch, command=words)
        if not (options.case or options.expect):
            supporting(outcome)
        found = report(outcome, watch)
        recovered = formulas(outcome, found.diagnosis, watch) if options.formulas else []
    if options.issue is not None:
        return issue(found, options.issue)
    text = "\n\n".join([report_text.text(found), *formulas_text(recovered)])
    if options.case:
        text = "\n\n".join([*report_text.causes(found), *map(case_text, outcome.outcomes)])
    if options.write_expect:
        about = f"{found.name} {found.version} {report_text.on(found.suite)}"
        with losing_nothing(text):
            count = expectations.write(options.write_expect, about, outcome.outcomes)
        text = f"{text}\n\n{report_text.plural(count, 'expectation')} written to {options.write_expect}"
    if options.record:
        with losing_nothing(text):
            count = record.write(options.record, outcome)
        text = f"{text}\n\n{report_text.plural(count, 'answer')} written to {options.record}"
    if options.badge:
        with losing_nothing(text), writing(options.badge) as temporary:
            temporary.write_text(badge(found), encoding="utf-8")
        text = f"{text}\n\nbadge written to {options.badge}"
    if expected is None:
        return ended(options, found, text, bool(outcome.failed))
    return ended(options, replace(found, unexpected=expectations.differences(outcome.outcomes, expected, suite)), text)


def compare_command(options: Namespace, watch: Watch) -> str:
    """Several, side by side."""
    writes(options.report)
    watch("reading the vectors")
    everything, answers = load(), Answers()
    suite = everything.at(options.spec or everything.spec)
    with ExitStack() as stack:
        found = []
        for text in options.adapters:
            found.append(adapter(text))
            stack.enter_context(ending(found[-1][0]))
            of_these(found[-1][0], everything)
        names_differ([one for one, _ in found])
        expected = [expectations.read(expected_file(options.expect, one)) for one, _ in found] if options.expect else []
        runs = [run(one, suite, watch, answers, words) for one, words in found]
        for done in runs if not options.expect else ():
            supporting(done)
        compared = comparison([report(one, watch) for one in runs])
    text = report_text.comparison_text(compared)
    if not options.expect:
        return ended(options, compared, text, any(one.failed for one in runs))
    surprises = [f"{one.adapter.name}: {surprise}" for one, lines in zip(runs, expected)
                 for surprise in expectations.differences(one.outcomes, lines, suite)]
    return ended(options, replace(compared, unexpected=surprises), text)


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


def names_differ(adapters: Sequence[Adapter]) -> None:
    """An error where two have one name, by which reports know them."""
    names = [one.name for one in adapters]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"got two adapters named {listed(twice)}: give each a name of its own")


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


def new(option: str, path: str | None) -> None:
    """An error unless a new file can be written there, if anywhere: expectations have comments by hand, and answers may
    be all that there is of a library."""
    if path and writable(path).exists():
        raise ValueError(f"got {option} {path}, which is there already: give the name of a new file")


def alone(options: Namespace) -> None:
    """An error where a text for maintainers is wanted and something else is."""
    names = ("expect", "write_expect", "record", "badge", "report", "json")
    others = [f"--{name.replace('_', '-')}" for name in names if getattr(options, name)]
    if options.issue is not None and others:
        raise ValueError(f"got --issue with {others[0]}: it prints a text and writes nothing: run the command once for "
                         "each")


def badged(options: Namespace) -> None:
    """An error unless a badge can be written, if one is wanted: it speaks of all cases."""
    spare("--badge", options.badge)
    if options.badge and Path(options.badge).suffix != ".svg":
        raise ValueError(f"got --badge {options.badge}, needed a name that ends in .svg")
    some = [f"--{name}" for name in ("case", "rule", "layer", "level") if getattr(options, name)]
    if options.badge and some:
        raise ValueError(f"got --badge with {some[0]}, which leaves cases out: a badge speaks of all of them")


def of_these(one: Adapter, suite: Suite) -> None:
    """An error where answers were recorded of other vectors."""
    if isinstance(one, Recorded):
        one.check(suite)


def ended(options: Namespace, found: Report | Comparison, text: str, failed: bool = False) -> str:
    """The page written, and the text or JSON that is printed; as a failure if there was one, or anything unexpected."""
    if found.unexpected is not None:
        text, failed = f"{text}\n\n{unexpected(found.unexpected)}", bool(found.unexpected)
    if options.report:
        with losing_nothing(dumped(as_json(found)) if options.json else text), writing(options.report) as temporary:
            temporary.write_text(page(found), encoding="utf-8")
        text = f"{text}\n\nreport written to {options.report}"
    printed = dumped(as_json(found)) if options.json else text
    if failed:
        raise Failed(printed)
    return printed


def unexpected(surprises: Sequence[str]) -> str:
    return "\n".join([f"{len(surprises)} not as expected", *surprises]) if surprises else "all as expected"
