"""What an implementation under test is: a name, a version, its precision, and one function from a task to R_0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.hints import printable
from lrp_ref.network import Network
from lrp_ref.rules import Rule

NUMBERS: dict[float, type] = {2.0**-53: np.float64, 2.0**-24: np.float32}   # by their unit roundoff
PARTS = ("name", "version", "unit_roundoff", "conventions", "relevance")   # of an adapter


class Unsupported(Exception):
    """Raised by an adapter for what the implementation does not have: why, and the issue that asks for it, if any.

    The reason may be the exception that says why.
    """

    def __init__(self, reason: object, url: Any = "") -> None:
        self.reason, self.url = spaced(str(reason) or repr(reason)), spaced("".join(str(url or "").split()))
        super().__init__(self.reason)


class Reported(Exception):
    """An error that is a program's, not Python's: its message is all that there is to say."""


class Astray(Reported, ValueError):
    """What became of a program that does not keep to the protocol: a crash, nonsense, silence.

    It has not refused the case, even one that must be refused: that fails.
    """


class Hung(Astray):
    """A program that was silent so often that it is asked no more, and no case judged."""


class Adapter(Protocol):
    """An implementation, between its own interface and this project's.

    unit_roundoff  2**-53 for float64, 2**-24 for float32: networks and inputs come in that format
    conventions    {question: answer} of conventions/table.py, for what it is known to do on purpose; may be empty.
                   A stabiliser that is declared is allowed for in every case; other answers where a case has them
    relevance      R_0, shaped like x, for the whole network; it raises Unsupported for what it does not have

    It may have `capabilities` as well, names of vectors/capabilities.py: what it claims to have. Cases that need
    another are not asked, and unsupported. Without the attribute it claims everything.
    """

    @property   # read, never set: class attributes and fields of frozen dataclasses will do
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def unit_roundoff(self) -> float: ...
    @property
    def conventions(self) -> Mapping[str, Any]: ...

    def relevance(self, network: Network, rules: Mapping[str, Rule], x: Array, R: Array) -> Any: ...


def spaced(text: object) -> str:
    """A text in one line, with single spaces, and nothing in it that a terminal obeys or no encoding holds."""
    return printable(" ".join(str(text).split()))


def claims(adapter: Adapter) -> frozenset[str] | None:
    """The capabilities that it claims; None where it says nothing of them."""
    found = getattr(adapter, "capabilities", None)
    return None if found is None else frozenset(found)


def roundoff(adapter: Adapter) -> float:
    """The adapter's unit_roundoff as Python's float: that of np.finfo(np.float32) would make all arithmetic float32."""
    return float(adapter.unit_roundoff)


def one_line(error: BaseException) -> str:
    text = spaced(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def happened(error: BaseException) -> str:
    """An exception of Python's by its type, a program's error in its own words."""
    return str(error) if isinstance(error, Reported) else f"raised {one_line(error)}"
