"""Cut scikit-image's photographs into a left half that trains and a right half that tests; write the latter.

    python data_fixtures/scripts/make_photographs.py        (needs scikit-image: the `train` extra)

It also writes scenes/scene.png, one of the test scenes: number SCENE of those `lrp-ref evaluate` regenerates.

Every file is 8-bit grey. The one rule is: left half trains, right half tests. It has three additions, each
because a label would lie without it: the cat's half ends where the cat ends, the camera's stops above the
lawn (a background must hold no grass), the stars are averaged 2x2 (a region must hold more than empty sky).
"""

from pathlib import Path

import numpy as np
from PIL import Image

from lrp_ref.paper.precision import SEED
from lrp_ref.paper.scenes import BACKGROUNDS, CLASSES, generate

SCENE = 136  # a cat's eye and a field of galaxies
SOURCES = {  # our name: (scikit-image's name, last row, last column); None keeps the photograph's own
    "brick": ("brick", None, None), "grass": ("grass", None, None), "gravel": ("gravel", None, None),
    "cat": ("chelsea", None, 360), "text": ("text", None, None), "stars": ("hubble_deep_field", None, None),
    "camera": ("camera", 240, None), "coffee": ("coffee", None, None), "clock": ("clock", None, None),
}


def grey(photograph: np.ndarray) -> np.ndarray:
    """(299 red + 587 green + 114 blue) / 1000, rounded half up in integers: the same bytes everywhere."""
    if photograph.ndim == 2:
        return photograph
    return ((photograph[..., :3].astype(np.int64) @ [299, 587, 114] + 500) // 1000).astype(np.uint8)


def halved(photograph: np.ndarray) -> np.ndarray:
    """Half the size: the mean of each 2x2 block, rounded half up; an odd last row or column is left out."""
    h, w = photograph.shape[0] // 2, photograph.shape[1] // 2
    blocks = photograph[:2 * h, :2 * w].reshape(h, 2, w, 2).astype(np.int64)
    return ((blocks.sum(axis=(1, 3)) + 2) // 4).astype(np.uint8)


def halves() -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Training halves and test halves by name. The middle column of an odd width goes to the right half."""
    from skimage import data

    training, test = {}, {}
    for name, (source, bottom, right) in SOURCES.items():
        photograph = grey(getattr(data, source)())
        if name == "stars":
            photograph = halved(photograph)
        middle = photograph.shape[1] // 2
        training[name], test[name] = photograph[:bottom, :middle], photograph[:bottom, middle:right]
    return training, test


def main() -> None:
    folder, test = Path(__file__).parents[1], halves()[1]
    scenes = generate({name: test[name] for name in CLASSES}, {name: test[name] for name in BACKGROUNDS},
                      SCENE + 1, SEED)
    write(folder / "scenes" / "scene.png", scenes[SCENE].image)
    for name, half in test.items():
        write(folder / "photographs" / f"{name}.png", half)


def write(path: Path, pixels: np.ndarray) -> None:
    Image.fromarray(np.ascontiguousarray(pixels)).save(path, optimize=True)
    print(f"{path.name:12} {pixels.shape[0]:3} x {pixels.shape[1]:3}  {path.stat().st_size:7} bytes")


if __name__ == "__main__":
    main()
