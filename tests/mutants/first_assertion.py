"""A pytest plugin: other errors are noted and the tests go on; the first assertion that fails ends them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Iterator[None]:
    report = yield
    if call.excinfo is not None and call.excinfo.errisinstance((AssertionError, pytest.fail.Exception)):
        item.session.shouldfail = BY_VALUE
        print(f"\n{MARK} {item.nodeid}")
    return report


MARK, BY_VALUE = "ASSERTION FAILED:", "an assertion failed"
