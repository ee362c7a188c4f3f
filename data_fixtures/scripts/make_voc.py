"""Write scenes as a folder in the layout of VOC 2007, to try whole data sets on.

    python data_fixtures/scripts/make_voc.py FOLDER                  200 scenes of the training halves, 200 others
    python data_fixtures/scripts/make_voc.py FOLDER --size 375x500   each in the middle of noise, as large as VOC's

The scenes are those of lrp_ref.paper.scenes; boxes and masks are those of the regions' visible pixels. Seeded.
"""

import argparse
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
from make_photographs import halves
from PIL import Image

from lrp_ref.paper.scenes import CLASSES, SIDE, Scene, generate

OBJECT = "<object><name>{}</name><difficult>0</difficult><bndbox>{}</bndbox></object>"


def placed(scene: Scene, size: tuple[int, int], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The image and the masks at that height and width, the scene enlarged by whole numbers in the middle."""
    if size == (SIDE, SIDE):
        return scene.image, scene.masks
    times = min(size) // SIDE
    image = rng.integers(0, 256, size, dtype=np.uint8)
    masks = np.zeros((len(scene.masks), *size), bool)
    where = tuple(slice((side - times * SIDE) // 2, (side + times * SIDE) // 2) for side in size)
    image[where] = scene.image.repeat(times, 0).repeat(times, 1)
    masks[:, *where] = scene.masks.repeat(times, 1).repeat(times, 2)
    return image, masks


def write(folder: Path, name: str, image: np.ndarray, masks: np.ndarray) -> None:
    Image.fromarray(image).save(folder / "JPEGImages" / f"{name}.jpg", quality=95)
    numbers, objects = np.zeros(image.shape, np.uint8), []
    for n, mask in enumerate(masks):
        if mask.any():
            numbers[mask] = 1 + sorted(CLASSES).index(CLASSES[n])
            rows, columns = (np.flatnonzero(mask.any(axis=axis)) + 1 for axis in (1, 0))
            box = {"xmin": columns[0], "ymin": rows[0], "xmax": columns[-1], "ymax": rows[-1]}
            objects.append(OBJECT.format(escape(CLASSES[n]), "".join(f"<{k}>{v}</{k}>" for k, v in box.items())))
    mask = Image.fromarray(numbers)
    mask.putpalette([37 * n % 256 for n in range(768)])
    mask.save(folder / "SegmentationClass" / f"{name}.png")
    size = f"<size><width>{image.shape[1]}</width><height>{image.shape[0]}</height><depth>1</depth></size>"
    (folder / "Annotations" / f"{name}.xml").write_text(f"<annotation>{size}{''.join(objects)}</annotation>")


def main() -> None:
    parser = argparse.ArgumentParser(description="write scenes as a folder in the layout of VOC 2007")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--trainval", type=int, default=200)
    parser.add_argument("--test", type=int, default=200)
    parser.add_argument("--size", default=f"{SIDE}x{SIDE}")
    parser.add_argument("--seed", type=int, default=2007)
    options = parser.parse_args()
    height, width = map(int, options.size.split("x"))
    rng = np.random.default_rng(options.seed)
    for part in ("JPEGImages", "Annotations", "SegmentationClass", "ImageSets/Main"):
        (options.folder / part).mkdir(parents=True)
    for n, (which, photographs) in enumerate(zip(("trainval", "test"), halves())):
        backgrounds = {name: photographs.pop(name) for name in [*photographs] if name not in CLASSES}
        scenes = generate({name: photographs[name] for name in CLASSES}, backgrounds,
                          getattr(options, which), options.seed + n)
        names = [f"{n}{k:05d}" for k in range(len(scenes))]
        for name, scene in zip(names, scenes):
            write(options.folder, name, *placed(scene, (height, width), rng))
        sets = options.folder / "ImageSets" / "Main"
        (sets / f"{which}.txt").write_text("".join(f"{name}\n" for name in names))
        for c, kind in enumerate(CLASSES):
            (sets / f"{kind}_{which}.txt").write_text("".join(
                f"{name} {1 if scene.labels[c] else -1}\n" for name, scene in zip(names, scenes)))


if __name__ == "__main__":
    main()
