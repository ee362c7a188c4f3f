"""Where a data set's files are: a folder, or the .tar that it came in, which need not be extracted."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lrp_ref.pictures.formats import Packed
from lrp_ref.pictures.refusal import told

MARKER = "ImageSets/Main/"   # what the folder of a data set in VOC's layout has


@dataclass(frozen=True, eq=False)
class Tar:
    """The regular files of a .tar by their paths below the data set's folder; links are not followed.

    path   the .tar
    name   of the data set's folder in it, VOC2007
    """

    path: Path
    name: str
    files: dict[str, Packed]

    def __truediv__(self, place: str) -> Inside:
        return Inside(self, place)


@dataclass(frozen=True, eq=False)
class Inside:
    """A place in a Tar, used like a Path."""

    tar: Tar
    place: str

    def __truediv__(self, more: str) -> Inside:
        return Inside(self.tar, f"{self.place}/{more}")

    def __str__(self) -> str:
        return f"{self.tar.path}: {self.tar.name}/{self.place}"

    @property
    def name(self) -> str:
        return self.place.rpartition("/")[2]

    @property
    def stem(self) -> str:
        return self.name.rpartition(".")[0] or self.name

    def iterdir(self) -> Iterator[Inside]:
        """What lies in this folder itself."""
        for place in self.tar.files:
            if place.rpartition("/")[0] == self.place:
                yield Inside(self.tar, place)


Place = Path | Inside


def is_there(place: Place) -> bool:
    """Whether it is a regular file."""
    return os.path.isfile(place) if isinstance(place, Path) else place.place in place.tar.files


def members(folder: Place) -> list[Place]:
    """What lies in a folder, by name."""
    found: list[Place] = [*folder.iterdir()]
    return sorted(found, key=lambda one: one.name)


def photograph_at(place: Place) -> Path | Packed:
    """What a photograph is read from: small, so that a task can carry it."""
    return place if isinstance(place, Path) else place.tar.files[place.place]


def data_set(path: str | Path) -> Path | Tar:
    """The folder, or the tar of one: of those in it the one that has MARKER."""
    path = Path(path)
    if not os.path.isfile(path):
        return path
    try:
        with tarfile.open(path, "r:") as file:   # not compressed: its files can be read where they lie
            found = {member.name: Packed(path.resolve(), member.name, member.offset_data, member.size)
                     for member in file if member.isreg() and not member.issparse()}
    except (tarfile.TarError, OSError, EOFError) as error:
        raise ValueError(f"{told(path)} is neither a folder nor a .tar that is not compressed ({told(error, 100)}): "
                         "extract it, and give the folder") from None
    roots = sorted({name.partition(MARKER)[0] for name in found if MARKER in name})
    if len(roots) != 1:
        raise ValueError(f"{told(path)} has {len(roots)} folders with {MARKER} in them, needed one: extract it, and "
                         "give the folder")
    root = roots[0]
    return Tar(path, root.rstrip("/").rpartition("/")[2] or path.stem,
               {name.removeprefix(root): one for name, one in found.items() if name.startswith(root)})
