"""What a mutant is: one change of the code that breaks one statement of the specification."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Edit:
    """In that file of lrp_ref, where the old text must occur exactly once, the new text instead."""

    file: str
    old: str
    new: str

    def applied(self, text: str) -> str:
        """The file's text with the new in place of the old; an error unless the old is there exactly once."""
        times = text.count(self.old)
        if times != 1 or self.old == self.new:
            raise ValueError(f"{self.file} has {times} times the text {self.old!r}, needed once, and another instead: "
                             "write the mutant for the code as it is now")
        return text.replace(self.old, self.new)


@dataclass(frozen=True)
class Mutant:
    """A name, the statement that no longer holds and what a wrong implementer would have thought, and the edits.

    first  test files to try before those that usually look at the file, without test_ and .py
    """

    name: str
    breaks: str
    file: str
    old: str
    new: str
    also: tuple[Edit, ...] = ()
    first: tuple[str, ...] = ()

    @property
    def edits(self) -> tuple[Edit, ...]:
        return (Edit(self.file, self.old, self.new), *self.also)
