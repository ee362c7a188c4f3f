"""How a command says that what it checked failed, or that a file of what it found could not be written."""

from collections.abc import Iterator
from contextlib import contextmanager


class Failed(Exception):
    """A command's whole output, which says that something failed: it is printed, and the program ends with 1."""


class Unwritten(ValueError):
    """Why a file was not written when the work was done: what was found is printed all the same, and then the error."""

    def __init__(self, error: ValueError, printed: str) -> None:
        super().__init__(str(error))
        self.printed = printed


@contextmanager
def losing_nothing(printed: str) -> Iterator[None]:
    """An error inside is about a file alone: on a disk that is full hours of work are not lost."""
    try:
        yield
    except ValueError as error:
        raise Unwritten(error, printed) from error
