"""Scenes whose truth is known: regions cut from photographs, pasted on a foreign background.

A scene is 128x128, 8-bit grey. One to three regions (rectangles, ellipses) lie on a crop of a background
photograph; each region is a crop of one photograph of one class, no class twice. A later region covers an
earlier one, the masks hold what remains visible. Every crop, the background's too, gets a mean and a contrast
of its own drawn at random: otherwise a histogram of grey levels would know brick without having seen a wall.

The same seed gives the same bytes everywhere: the draws are PCG64's raw 64-bit words, which NumPy promises
not to change (it does not promise that of `Generator.integers`), shapes are compared in integers, and grey
levels go through a table of 256 entries.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from itertools import islice

import numpy as np
from numpy.typing import NDArray

CLASSES = ("brick", "grass", "gravel", "cat", "text", "stars")
BACKGROUNDS = ("camera", "coffee", "clock")
UNMIRRORED = ("text",)

SIDE = 128  # pixels of a scene
REGION = (40, 80)  # shortest and longest side of a region's box
MEAN = (70, 185)  # grey levels
DEVIATION = (24, 56)  # grey levels
GAIN = 3.0  # no crop's contrast is raised more, so that an empty sky does not become noise
HIDDEN = 5  # a later region covers at most one part in five of what is visible of an earlier one
ATTEMPTS = 30  # to place a region before going without it

Grey = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Draw = Callable[[int, int], int]


@dataclass(frozen=True, eq=False)
class Scene:
    """image (128, 128) uint8; masks (classes, 128, 128) bool: where each class is to be seen."""

    image: Grey
    masks: NDArray[np.bool_]

    @property
    def labels(self) -> NDArray[np.bool_]:
        """(classes,) bool: the class is visible somewhere."""
        return np.any(self.masks, axis=(1, 2))

    @property
    def counted(self) -> NDArray[np.bool_]:
        """(classes,) bool: all, since what is not visible is not there."""
        return np.ones(len(self.masks), dtype=bool)


def generate(photographs: Mapping[str, Grey], backgrounds: Mapping[str, Grey],
             count: int, seed: int) -> list[Scene]:
    """The first `count` scenes of a seed; masks and labels in the order of `photographs`."""
    return list(islice(endless(photographs, backgrounds, seed), count))


def endless(photographs: Mapping[str, Grey], backgrounds: Mapping[str, Grey], seed: int) -> Iterator[Scene]:
    """Scene after scene of a seed."""
    if not photographs or not backgrounds:
        raise ValueError(f"got no {'backgrounds' if photographs else 'photographs'}, needed at least one of each")
    for name, photograph in photographs.items():
        _check(name, photograph, REGION[1])
    for name, photograph in backgrounds.items():
        _check(name, photograph, SIDE)
    draw = _draws(seed)
    while True:
        yield _scene(photographs, backgrounds, draw)


def bundled_photographs() -> tuple[dict[str, Grey], dict[str, Grey]]:
    """The test halves that come with the package: photographs by class, backgrounds by name."""
    return {name: _bundled(name) for name in CLASSES}, {name: _bundled(name) for name in BACKGROUNDS}


def _bundled(name: str) -> Grey:
    import imageio.v3 as iio

    file = resources.files("lrp_ref.data_fixtures") / "photographs" / f"{name}.png"
    return np.asarray(iio.imread(file.read_bytes(), extension=".png"))


def _check(name: str, photograph: Grey, side: int) -> None:
    if photograph.dtype != np.uint8 or photograph.ndim != 2 or min(photograph.shape) < side:
        raise ValueError(f"photograph {name!r} is {photograph.dtype} of shape {photograph.shape}, but scenes "
                         f"are cut from 8-bit grey of at least {side}x{side}: hand over a 2-d uint8 array")


def _draws(seed: int) -> Draw:
    words = np.random.PCG64(seed)

    def draw(low: int, high: int) -> int:
        """An integer from low to high, both included; the remainder's bias is below 1e-16."""
        return low + int(words.random_raw()) % (high - low + 1)
    return draw


def _scene(photographs: Mapping[str, Grey], backgrounds: Mapping[str, Grey], draw: Draw) -> Scene:
    image = _crop(list(backgrounds.values())[draw(0, len(backgrounds) - 1)], SIDE, SIDE, True, draw)
    masks = np.zeros((len(photographs), SIDE, SIDE), dtype=bool)
    names = list(photographs)
    for _ in range(min(draw(1, 3), len(names))):
        name = names.pop(draw(0, len(names) - 1))
        h, w = draw(*REGION), draw(*REGION)
        crop = _crop(photographs[name], h, w, name not in UNMIRRORED, draw)
        shape = (rectangle, ellipse)[draw(0, 1)](h, w)
        box = _place(shape, masks, draw)
        if box is None:
            continue
        image[box][shape] = crop[shape]
        masks[:, *box] &= ~shape
        masks[list(photographs).index(name)][box] = shape
    return Scene(image, masks)


def _crop(photograph: Grey, h: int, w: int, mirror: bool, draw: Draw) -> Grey:
    """A crop (h, w) at a random place, perhaps mirrored, with a random mean and contrast."""
    y, x = draw(0, photograph.shape[0] - h), draw(0, photograph.shape[1] - w)
    crop = photograph[y:y + h, x:x + w]
    if draw(0, 1) and mirror:
        crop = crop[:, ::-1]
    return relit(crop, draw(*MEAN), draw(*DEVIATION))


def relit(crop: Grey, mean: int, deviation: int) -> Grey:
    """mean + gain (crop - crop's mean), gain = deviation / crop's deviation, at most GAIN; cut to 0..255."""
    levels = crop.astype(np.int64)
    n, total, squares = levels.size, int(levels.sum()), int((levels ** 2).sum())
    spread = math.sqrt(n * squares - total ** 2) / n
    gain = min(deviation / spread, GAIN) if spread else 1.0
    table = mean + gain * (np.arange(256) - total / n)
    grey = np.rint(table).clip(0, 255).astype(np.uint8)
    return grey[crop]


def _place(shape: Mask, masks: NDArray[np.bool_], draw: Draw) -> tuple[slice, slice] | None:
    """A box where the region hides no more of an earlier one than is allowed; None if none was found."""
    h, w = shape.shape
    for _ in range(ATTEMPTS):
        y, x = draw(0, SIDE - h), draw(0, SIDE - w)
        box = slice(y, y + h), slice(x, x + w)
        hidden = (masks[:, *box] & shape).sum(axis=(1, 2))
        if np.all(hidden * HIDDEN <= masks.sum(axis=(1, 2))):
            return box
    return None


def rectangle(h: int, w: int) -> Mask:
    """All of the box."""
    return np.ones((h, w), dtype=bool)


def ellipse(h: int, w: int) -> Mask:
    """(2y + 1 - h)^2 w^2 + (2x + 1 - w)^2 h^2 <= h^2 w^2: the pixel centres in the box's own ellipse."""
    y, x = 2 * np.arange(h)[:, None] + 1 - h, 2 * np.arange(w) + 1 - w
    return y * y * w * w + x * x * h * h <= h * h * w * w
