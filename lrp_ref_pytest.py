"""A pytest plugin: `pytest --lrp-adapter package.module:Adapter` runs the vectors of lrp_ref as tests.

Nothing but pytest is imported until the option is given.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

PLAN = pytest.StashKey["Plan"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("lrp_ref", "lrp_ref: conformance of an implementation of LRP")
    group.addoption("--lrp-adapter", metavar="NAME", help="run lrp_ref's vectors as tests of this implementation: "
                    "package.module:Adapter, or as `lrp-ref conform` takes it")
    group.addoption("--lrp-expect", metavar="FILE", help="what is expected of cases that do not pass, a line "
                    "`id status issue-url` for each; whatever is not as expected fails")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "lrp_vector: a case of lrp_ref's conformance suite")
    name, file = config.getoption("--lrp-adapter"), config.getoption("--lrp-expect")
    if name is None:
        if file is not None:
            raise pytest.UsageError("--lrp-expect is for the vectors, needed --lrp-adapter too")
        return
    try:
        config.stash[PLAN] = Plan(name, file)
    except (ValueError, OSError) as error:
        raise pytest.UsageError(str(error)) from None


@pytest.hookimpl(tryfirst=True)   # before -k, -m and --lf choose
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    if PLAN in config.stash:
        items.extend(Vectors.from_parent(session, name="lrp_ref", nodeid="lrp_ref").collect())


class Plan:
    """The adapter, which has passed the smoke test, the vectors, what their answers must be, and what is expected."""

    def __init__(self, name: str, file: str | None) -> None:
        from lrp_ref.conformance.adapters import adapter
        from lrp_ref.conformance.adapters.recorded import Recorded
        from lrp_ref.conformance.judge import expectations
        from lrp_ref.conformance.judge.run import Answers, supports
        from lrp_ref.conformance.judge.smoke import smoke
        from lrp_ref.conformance.vectors.suite import load
        self.file, self.suite = file, load()
        self.adapter, self.words = adapter(name)
        smoke(self.adapter)
        if isinstance(self.adapter, Recorded):
            self.adapter.check(self.suite)
        if file is None and not any(supports(self.adapter, case) for case in self.suite.cases):
            raise ValueError(f"{self.adapter.name} supports none of {self.suite.count} cases: nothing would be tested")
        self.want = Answers().of(self.adapter)
        self.expected = expectations.read(file) if file is not None else {}


class Vectors(pytest.Collector):
    """All cases; with an expectations file one more item, for lines that no case has."""

    def collect(self) -> Iterator[pytest.Item]:
        plan = self.config.stash[PLAN]
        if plan.file is not None:
            yield Expectations.from_parent(self, name="expectations")
        for case in plan.suite.cases:
            yield Vector.from_parent(self, name=case.id, case=case)


class Checked(pytest.Item):
    """What both kinds of item share: a failure is its message, without a traceback."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.plan = self.config.stash[PLAN]
        self.add_marker("lrp_vector")

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        return str(excinfo.value) if excinfo.errisinstance(AssertionError) else super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[Any, None, str]:
        return self.path, None, f"lrp_ref: {self.name}"


class Expectations(Checked):
    """That every line of the expectations file has a case."""

    def runtest(self) -> None:
        from lrp_ref.conformance.judge.expectations import differences
        if found := differences([], self.plan.expected, self.plan.suite):
            raise AssertionError("\n".join(f"{self.plan.file}: {line}" for line in found))


class Vector(Checked):
    """One case: it passes, tightly or loosely, or is skipped where unsupported or undetermined, or fails.

    With an expectations file everything but passing needs its line, and what has a line does not pass.
    """

    def __init__(self, case: Any, **given: Any) -> None:
        super().__init__(**given)
        self.case = case

    def runtest(self) -> None:
        from lrp_ref.conformance.adapter import Hung
        from lrp_ref.conformance.judge.expectations import differences
        from lrp_ref.conformance.judge.outcome import RIGHT, outcome
        plan, id = self.plan, self.case.id
        try:
            one = outcome(plan.adapter, self.case, plan.want)
        except Hung as error:
            raise AssertionError(str(error)) from None
        line = plan.expected.get(id)
        if plan.file is not None and (found := differences([one], {id: line} if line else {}, plan.suite)):
            raise AssertionError(f"{plan.file}: {found[0]}\n{self.about()}")
        if one.status in RIGHT:
            return
        because = " ".join(part for part in (one.reason, one.url or (line.url if line else "")) if part)
        if one.status != "failed":
            pytest.skip(f"{one.status}: {because or 'rounding decides nothing'}")
        # A line that is left says failed: a case that passes, or is of another status than its line, has failed above.
        # So this is strict; and unlike a mark it takes no error of the plugin's own for the failure that is expected.
        if line is not None:
            pytest.xfail(because)
        agrees = "; it is the answer of {}: {}".format(*one.convention) if one.convention else ""
        raise AssertionError(f"{id}: {because}{agrees}\n{self.about()}")

    def about(self) -> str:
        return f"{self.case.comment} ({self.case.section})\nlrp-ref conform {self.plan.words} --case {self.case.id}"


def pytest_unconfigure(config: pytest.Config) -> None:
    close = getattr(config.stash[PLAN].adapter, "close", None) if PLAN in config.stash else None
    if close is not None:
        close()
