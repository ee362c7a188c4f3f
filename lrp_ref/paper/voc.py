"""PASCAL VOC: photographs, which classes are in them, and the boxes of the objects, from a folder in its layout.

    JPEGImages/000001.jpg                   the photographs
    ImageSets/Main/test.txt                 the photographs of a set, one per line
    ImageSets/Main/cat_test.txt             1 where a class is in them, -1 where not, 0 where it is difficult
    Annotations/000001.xml                  boxes, in pixels counted from 1, the last one included
    SegmentationClass/000001.png            of some: 0, the class's number from 1 in the order of the alphabet, 255
"""

from __future__ import annotations

import warnings
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from lrp_ref.hints import Watch, unwatched
from lrp_ref.paper.precision import COUNT, SEED, Collection
from lrp_ref.paper.voc_files import Place, data_set, is_there, members, photograph_at
from lrp_ref.pictures.formats import Packed, reading
from lrp_ref.pictures.photograph import Box, read_photograph, size_of, upright, upright_box
from lrp_ref.pictures.refusal import Refused, told
from lrp_ref.pictures.samples import size_and_turn

SETS = ("train", "val", "trainval", "test")
LAYOUT = "give a folder in the layout of VOC 2007, with JPEGImages, ImageSets/Main and Annotations"
MOST_TEXT = 20_000_000   # bytes of a list or an annotation: a list of a million photographs; VOC's have 50 kB
NAME = 50                # characters of a photograph's or class's name in a message, which has 500 at most
FAR = 10**9              # no photograph has a pixel so far from its edge

Labels = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Annotated:
    """A photograph's file, its height and width and the boxes of every class, upright, and what is known of each."""

    path: Path | Packed
    size: tuple[int, int]
    boxes: tuple[tuple[Box, ...], ...]
    labels: Labels
    counted: Labels
    drawn: Path | Packed | None = None   # the file of the mask, where that says where the classes are

    @property
    def image(self) -> NDArray[np.float64]:
        return read_photograph(self.path)

    @property
    def masks(self) -> Labels:
        """(C, H, W): the union of a class's boxes, of difficult objects too; or its pixels, where some are drawn."""
        masks = np.zeros((len(self.boxes), *self.size), dtype=bool)
        if self.drawn is not None:
            masks = drawn_masks(self.drawn, self.size, len(self.boxes))
        for mask, boxes in zip(masks, self.boxes):
            for left, top, right, bottom in () if mask.any() else boxes:
                mask[top - 1 : bottom, left - 1 : right] = True
        return masks


def read_voc(folder: str | Path, which: str = "test", count_difficult: bool = False, count: int = COUNT,
             seed: int = SEED, watch: Watch = unwatched, masks: bool = False) -> Collection:
    """The photographs of a set; the maps of `count` of them, drawn by the seed, are to be looked at.

    folder  in VOC's layout, or the .tar of it, not compressed
    masks   only photographs whose classes are drawn pixel by pixel are looked at, and regions are these pixels

    An image whose only objects of a class are difficult is neither positive nor negative for it, as in the VOC
    development kit; or, with count_difficult, positive. Photographs are read when they are asked for, everything
    else here, their sizes too: what is missing or broken is said before the work begins, but for a photograph that
    cannot be read, which says so when it is asked for. Where EXIF turns a photograph, the boxes of an annotation of
    its size as stored are turned with it.
    """
    at = data_set(folder)
    sets: Place = at / "ImageSets/Main"
    listed = [line[0] for _, line in entries(sets / f"{which}.txt", 1)]
    names = list(dict.fromkeys(listed))
    if len(names) < len(listed):
        twice = Counter(listed).most_common(1)[0][0]
        warnings.warn(f"{told(sets / which)}.txt names {brief(twice)} more than once ({len(listed) - len(names)} "
                      "lines too many): every photograph is counted once", stacklevel=2)
    files = [file for file in members(sets) if file.name.endswith(f"_{which}.txt") and file.name[0] != "."]
    if not files:
        raise ValueError(f"{told(sets)} has no file <class>_{which}.txt: {LAYOUT}")
    strange = [file.name for file in files if not file.name.isprintable()]
    if strange:
        raise ValueError(f"{told(sets)} has a file {told(strange[0])}, whose class has no name that can be shown: "
                         "rename it")
    classes = tuple(file.stem.removesuffix(f"_{which}") for file in files)
    states = np.stack([presence(file, names) for file in files], axis=1)
    labels, counted = (states >= (0 if count_difficult else 1)), (states != 0) | count_difficult
    photographs, turned = [], []
    for n, name in enumerate(names):
        watch(f"annotation {n + 1} of {len(names)}")
        path: Place = at / f"JPEGImages/{name}.jpg"
        note: Place = at / f"Annotations/{name}.xml"
        mask: Place = at / f"SegmentationClass/{name}.png"
        if not is_there(path):
            raise ValueError(f"no photograph {told(path)}, which {which}.txt names: is the folder complete?")
        size, found = annotation(note)
        turns = False
        with suppress(Refused):   # it cannot be read, which is said when it is asked for: the others can be
            size, found, turns = fitted(size, found, photograph_at(path), note)
        turned += [name] if turns else []
        for one in np.array(classes)[labels[n]].tolist():
            if one not in found:
                raise ValueError(f"{told(note)} has no {brief(one)}, but {brief(one)}_{which}.txt says that "
                                 f"there is one in {brief(name)}: are both of the same data set?")
        boxes = tuple(tuple(found.get(one, ())) for one in classes)
        drawn = photograph_at(mask) if masks and is_there(mask) else None
        photographs.append(Annotated(photograph_at(path), size, boxes, labels[n], counted[n], drawn))
    if turned:
        warnings.warn(f"EXIF turns {brief(turned[0])}.jpg ({len(turned)} such photographs): the boxes, taken as "
                      "drawn on the pixels as they are stored, are turned with it", stacklevel=2)
    order = np.random.PCG64(seed).random_raw(len(names)).argsort(kind="stable")
    asked = labels.any(axis=1) & np.array([not masks or one.drawn is not None for one in photographs], bool)
    if masks and not asked.any():
        raise ValueError(f"{told(at / 'SegmentationClass')} has no mask of a photograph of {which}.txt with "
                         "something in it: leave --truth out, for boxes")
    explain = sorted(order[asked[order]][:count].tolist())
    title = f"{len(names)} photographs of {told(at.name)}, set {which}" + ", regions drawn" * masks
    return Collection(title, classes, names, photographs, explain, {})


def drawn_masks(path: Path | Packed, size: tuple[int, int], classes: int) -> Labels:
    """(C, H, W): where the numbers of a mask are those of the classes; 255 and other numbers are nobody's."""
    numbers, orientation = reading(path, lambda image: (np.array(image), size_and_turn(image)[1]))
    numbers = upright(numbers, orientation)
    if numbers.ndim != 2 or numbers.shape != size or numbers.dtype != np.uint8:
        raise ValueError(f"{told(path)} is {numbers.dtype} of shape {numbers.shape}, needed the number of a class for "
                         f"each of {size} pixels, as in a PNG with a palette")
    return np.array(numbers[None] == np.arange(1, classes + 1, dtype=np.uint8)[:, None, None])


def brief(name: str) -> str:
    return told(name, NAME)


def entries(path: Place, words: int) -> list[tuple[int, list[str]]]:
    """The numbers of a file's lines and their words; an error unless each has as many as it should."""
    lines = [(n, line.split()) for n, line in enumerate(text(path).splitlines(), 1) if line.strip()]
    for n, line in lines:
        if len(line) != words:
            wanted = "the name of a photograph" if words == 1 else "the name of a photograph and 1, 0 or -1"
            raise ValueError(f"line {n} of {told(path)} is {brief(repr(' '.join(line)))}, needed {wanted}")
    if not lines:
        raise ValueError(f"{told(path)} names no photograph: {LAYOUT}")
    return lines


def presence(path: Place, names: list[str]) -> NDArray[np.int8]:
    """1, 0 or -1 for every photograph of a set, from the file of a class."""
    states: dict[str, int] = {}
    both = []
    for n, (name, state) in entries(path, 2):
        if state not in ("1", "+1", "0", "-1"):
            raise ValueError(f"line {n} of {told(path)} says {brief(repr(state))} of {brief(name)}, needed 1, 0 or -1")
        if states.setdefault(name, int(state)) != int(state):
            both.append((name, states[name], int(state)))
            states[name] = int(state)
    if both:
        name, first, last = both[0]
        warnings.warn(f"{told(path)} says {first} and {last} of {brief(name)} ({len(both)} such lines): the "
                      "last one counts", stacklevel=3)
    missing = [name for name in names if name not in states]
    if missing:
        raise ValueError(f"{told(path)} says nothing of {brief(missing[0])} ({len(missing)} such photographs), "
                         "which its set names: is the file complete?")
    return np.array([states[name] for name in names], dtype=np.int8)


def annotation(path: Place) -> tuple[tuple[int, int], dict[str, list[Box]]]:
    """Height and width, and every class's boxes, from an annotation's XML."""
    data = bytes_of(path, "annotation")
    try:
        root = ElementTree.fromstring(data)
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise ValueError(f"{told(path)} is no XML: {told(error)}: is the file complete?") from None
    width, height = (whole_at(root, f"size/{part}", path) for part in ("width", "height"))
    found: dict[str, list[Box]] = {}
    for thing in root.findall("object"):
        name = (thing.findtext("name") or "").strip()
        left, top, right, bottom = (whole_at(thing, f"bndbox/{part}", path)
                                    for part in ("xmin", "ymin", "xmax", "ymax"))
        if not (1 <= left <= right <= width and 1 <= top <= bottom <= height):
            raise ValueError(f"{told(path)}: the box of {brief(name)} goes from ({left}, {top}) to ({right}, "
                             f"{bottom}), needed pixels from (1, 1) to ({width}, {height})")
        found.setdefault(name, []).append((left, top, right, bottom))
    return (height, width), found


def fitted(size: tuple[int, int], found: dict[str, list[Box]], path: Path | Packed,
           note: Place) -> tuple[tuple[int, int], dict[str, list[Box]], bool]:
    """Size and boxes of the photograph as it is read, upright, and whether they were turned; no pixel is read for it.

    An annotation of the turned size was drawn on the turned photograph. Where both sizes are the same, as of squares
    and half turns, it counts as drawn on the pixels as they are stored, as in the development kit, which knows no EXIF.
    """
    real, orientation = size_of(path)
    upright = real if orientation < 5 else real[::-1]
    if size == real:
        found = {name: [upright_box(box, size, orientation) for box in boxes] for name, boxes in found.items()}
        return upright, found, orientation > 1
    if size != upright:
        raise ValueError(f"{told(note)} is of a photograph of {size[0]} x {size[1]} pixels (height x width), but "
                         f"{brief(note.stem)}.jpg has {real[0]} x {real[1]}: are both of the same data set?")
    return upright, found, False


def bytes_of(path: Place, what: str = "file") -> bytes:
    """All of a regular file that is not larger than a list or an annotation can be."""
    if not is_there(path):
        raise ValueError(f"no {what} {told(path)}: {LAYOUT}")
    at = photograph_at(path)
    try:
        if isinstance(at, Packed):
            data = at.read(MOST_TEXT + 1)
        else:
            with at.open("rb") as file:
                data = file.read(MOST_TEXT + 1)
    except OSError as error:
        raise ValueError(f"{told(path)} cannot be read: {error.strerror}: check the file") from error
    if len(data) > MOST_TEXT:
        raise ValueError(f"{told(path)} is longer than {MOST_TEXT:,} bytes (MOST_TEXT): is it of this data set?")
    return data


def text(path: Place) -> str:
    """A file's text in UTF-8, or in UTF-16 where its first bytes say so, without that mark."""
    data = bytes_of(path)
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError(f"{told(path)} is no text in {encoding.removesuffix('-sig').upper()} (byte {error.start} is "
                         f"0x{data[error.start]:02x}): save it in UTF-8") from error


def whole_at(element: Any, place: str, path: Place) -> int:
    """The whole number at a place in an annotation; some data sets of VOC's layout write it with decimals."""
    text = element.findtext(place)
    try:
        number = round(float(text))
        if abs(number) < FAR:
            return number
    except (TypeError, ValueError, OverflowError):
        pass
    got = "nothing" if text is None else brief(repr(text.strip()))
    raise ValueError(f"{told(path)}: got {got} for {place} of <{brief(element.tag)}>, needed a whole number, 10^9 at "
                     "most")
