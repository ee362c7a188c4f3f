"""Write what is shown of the ImageNet network: three photographs of scikit-image's, and the names of its classes.

    python data_fixtures/scripts/make_imagenet.py        (needs scikit-image and timm; timm's text files alone are read)
"""

from importlib.util import find_spec
from pathlib import Path

from PIL import Image

PHOTOGRAPHS, QUALITY = ("chelsea", "coffee", "camera"), 90


def names() -> list[str]:
    """`n02123045 tabby, tabby cat` of every class, in the order of the identifiers, which is that of the scores."""
    folder = Path(find_spec("timm").origin).parent / "data" / "_info"
    lines = (folder / "imagenet_synset_to_lemma.txt").read_text(encoding="utf-8").splitlines()
    words = dict(line.split("\t", 1) for line in lines)
    return [f"{one} {words[one]}" for one in (folder / "imagenet_synsets.txt").read_text(encoding="utf-8").split()]


def main() -> None:
    from skimage import data

    folder = Path(__file__).parents[1] / "imagenet"
    (folder / "classes.txt").write_text("\n".join(names()) + "\n", encoding="utf-8")
    for name in PHOTOGRAPHS:
        Image.fromarray(getattr(data, name)()).save(folder / f"{name}.jpg", quality=QUALITY, optimize=True)


if __name__ == "__main__":
    main()
