"""PASCAL VOC: photographs, which classes are in them, and the boxes of the objects, from a folder in its layout.

    JPEGImages/000001.jpg                   the photographs
    ImageSets/Main/test.txt                 the photographs of a set, one per line
    ImageSets/Main/cat_test.txt             1 where a class is in them, -1 where not, 0 where it is difficult
    Annotations/000001.xml                  boxes, in pixels counted from 1, the last one included
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from lrp_ref.hints import Watch, unwatched
from lrp_ref.paper.precision import COUNT, SEED, Collection
from lrp_ref.pictures.photograph import read_photograph

SETS = ("train", "val", "trainval", "test")
LAYOUT = "give a folder in the layout of VOC 2007, with JPEGImages, ImageSets/Main and Annotations"

Labels = NDArray[np.bool_]
Box = tuple[int, int, int, int]   # left, top, right, bottom


@dataclass(frozen=True, eq=False)
class Annotated:
    """A photograph's file, its height and width, the boxes of every class, and what is known of every class."""

    path: Path
    size: tuple[int, int]
    boxes: tuple[tuple[Box, ...], ...]
    labels: Labels
    counted: Labels

    @property
    def image(self) -> NDArray[np.float64]:
        return read_photograph(self.path)

    @property
    def masks(self) -> Labels:
        """(C, H, W): the union of a class's boxes, of difficult objects too."""
        masks = np.zeros((len(self.boxes), *self.size), dtype=bool)
        for mask, boxes in zip(masks, self.boxes):
            for left, top, right, bottom in boxes:
                mask[top - 1 : bottom, left - 1 : right] = True
        return masks


def read_voc(folder: str | Path, which: str = "test", count_difficult: bool = False, count: int = COUNT,
             seed: int = SEED, watch: Watch = unwatched) -> Collection:
    """The photographs of a set; the maps of `count` of them, drawn by the seed, are to be looked at.

    An image whose only objects of a class are difficult is neither positive nor negative for it, as in the VOC
    development kit; or, with count_difficult, positive. Photographs are read when they are asked for, everything
    else here: what is missing or broken is said before the work begins.
    """
    folder = Path(folder)
    sets = folder / "ImageSets" / "Main"
    names = [line[0] for _, line in entries(sets / f"{which}.txt", 1)]
    files = sorted(sets.glob(f"*_{which}.txt"))
    if not files:
        raise ValueError(f"{sets} has no file <class>_{which}.txt: {LAYOUT}")
    classes = tuple(file.stem.removesuffix(f"_{which}") for file in files)
    states = np.stack([presence(file, names) for file in files], axis=1)
    labels, counted = (states >= (0 if count_difficult else 1)), (states != 0) | count_difficult
    photographs = []
    for n, name in enumerate(names):
        watch(f"annotation {n + 1} of {len(names)}")
        path = folder / "JPEGImages" / f"{name}.jpg"
        if not path.is_file():
            raise ValueError(f"no photograph {path}, which {sets / which}.txt names: is the folder complete?")
        size, found = annotation(folder / "Annotations" / f"{name}.xml")
        for one in np.array(classes)[labels[n]].tolist():
            if one not in found:
                raise ValueError(f"{folder / 'Annotations' / name}.xml has no {one}, but {sets / one}_{which}.txt says "
                                 f"that there is one in {name}: are both of the same data set?")
        boxes = tuple(tuple(found.get(one, ())) for one in classes)
        photographs.append(Annotated(path, size, boxes, labels[n], counted[n]))
    order = np.random.PCG64(seed).random_raw(len(names)).argsort(kind="stable")
    explain = sorted(order[labels[order].any(axis=1)][:count].tolist())
    title = f"{len(names)} photographs of {folder.name}, set {which}"
    return Collection(title, classes, names, photographs, explain, {})


def entries(path: Path, words: int) -> list[tuple[int, list[str]]]:
    """The numbers of a file's lines and their words; an error unless each has as many as it should."""
    if not path.is_file():
        raise ValueError(f"no file {path}: {LAYOUT}")
    text = path.read_text(encoding="utf-8")
    lines = [(n, line.split()) for n, line in enumerate(text.splitlines(), 1) if line.strip()]
    for n, line in lines:
        if len(line) != words:
            wanted = "the name of a photograph" if words == 1 else "the name of a photograph and 1, 0 or -1"
            raise ValueError(f"line {n} of {path} is {' '.join(line)!r}, needed {wanted}")
    if not lines:
        raise ValueError(f"{path} names no photograph: {LAYOUT}")
    return lines


def presence(path: Path, names: list[str]) -> NDArray[np.int8]:
    """1, 0 or -1 for every photograph of a set, from the file of a class."""
    states: dict[str, int] = {}
    for n, (name, state) in entries(path, 2):
        if state not in ("1", "+1", "0", "-1"):
            raise ValueError(f"line {n} of {path} says {state!r} of {name}, needed 1, 0 or -1")
        states[name] = int(state)
    missing = [name for name in names if name not in states]
    if missing:
        raise ValueError(f"{path} says nothing of {missing[0]} ({len(missing)} such photographs), which its set names: "
                         "is the file complete?")
    return np.array([states[name] for name in names], dtype=np.int8)


def annotation(path: Path) -> tuple[tuple[int, int], dict[str, list[Box]]]:
    """Height and width, and every class's boxes, from an annotation's XML."""
    if not path.is_file():
        raise ValueError(f"no annotation {path}: {LAYOUT}")
    try:
        root = ElementTree.parse(path).getroot()
    except ElementTree.ParseError as error:
        raise ValueError(f"{path} is no XML: {error}: is the file complete?") from None
    width, height = (whole_at(root, f"size/{part}", path) for part in ("width", "height"))
    found: dict[str, list[Box]] = {}
    for thing in root.findall("object"):
        name = (thing.findtext("name") or "").strip()
        left, top, right, bottom = (whole_at(thing, f"bndbox/{part}", path)
                                    for part in ("xmin", "ymin", "xmax", "ymax"))
        if not (1 <= left <= right <= width and 1 <= top <= bottom <= height):
            raise ValueError(f"{path}: the box of {name} goes from ({left}, {top}) to ({right}, {bottom}), needed "
                             f"pixels from (1, 1) to ({width}, {height})")
        found.setdefault(name, []).append((left, top, right, bottom))
    return (height, width), found


def whole_at(element: Any, place: str, path: Path) -> int:
    """The whole number at a place in an annotation; some data sets of VOC's layout write it with decimals."""
    text = element.findtext(place)
    try:
        return round(float(text))
    except (TypeError, ValueError, OverflowError):
        got = "nothing" if text is None else repr(text.strip())
        raise ValueError(f"{path}: got {got} for {place} of <{element.tag}>, needed a whole number") from None
