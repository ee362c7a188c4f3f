"""A model, bundled or from its file, and what must be right before it explains a photograph."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path

from lrp_ref.hints import listed, quotable, shown
from lrp_ref.layers import Conv2D
from lrp_ref.models.files import read_model
from lrp_ref.models.imagenet import INSTALL, imagenet_model, weights_file
from lrp_ref.models.model import PIXELS, Model
from lrp_ref.outside import counted

PAPERS = ("cnn", "fv")   # the kinds of model that the paper compares
BUNDLED = (*PAPERS, "vit")   # which come along, and know textures
IMAGENET = "imagenet"     # whose weights are another package
NAMES = (*BUNDLED, IMAGENET)


def usual_model() -> str:
    """The model that explains where none is named: the one for any photograph, if its weights are installed."""
    return IMAGENET if weights_file() else BUNDLED[0]


def load_model(path: str | Path) -> Model:
    """A model by its name, cnn, fv, vit or imagenet; or from its file, .npz (this project's) or .txt (lrp_toolbox's).

    Nothing is unpickled from these files. The weights of imagenet come from a package: see `imagenet_model`.
    """
    if isinstance(path, str) and path == IMAGENET:
        return imagenet_model()
    if isinstance(path, str) and path in BUNDLED:
        with resources.as_file(resources.files("lrp_ref.data_fixtures") / f"{path}.npz") as file:
            return read_model(file)
    return read_model(path)


def find_model(name: str, size: str | None = None) -> Model:
    """A model as `load_model` takes it; for inputs of another size, 227x227 say, if given."""
    if name not in NAMES and not Path(name).suffix and not os.path.exists(name):   # which no byte 0 ends
        raise ValueError(f"got the model {shown(name)}, needed {listed(NAMES)}, or the path of a model file")
    model = load_model(name)
    if size is None:
        return model
    return model.at_size(size_in(size))


def size_in(text: str) -> tuple[int, int]:
    """Height and width from 227x227."""
    height, width = (counted(side) for side in text.lower().partition("x")[::2])
    if not height or not width or height * width > PIXELS:
        raise ValueError(f"got --size {quotable(text)}, needed height x width in pixels, as in 227x227, and at most "
                         f"{PIXELS} of them")
    return height, width


def sized(model: Model) -> tuple[int, int]:
    """Height and width of the model's input, or where it takes photographs of all sizes, of a square one."""
    size = model.preprocessing.size or (model.preprocessing.tallest,) * 2
    if None in size:
        raise ValueError("the model does not say the size of its input: give height and width, --size HxW")
    return size  # type: ignore[return-value]


def ready(name: str, size: str | None = None) -> Model:
    """The model; an error, before any work, unless it turns photographs into named scores."""
    return naming(find_model(name, size), size)


def naming(model: Model, size: str | None = None) -> Model:
    """The model; an error unless it turns photographs, of the size that was asked for, into named scores."""
    shape = (1, model.preprocessing.channels, *sized(model))
    try:
        network = model.network(shape)
    except ValueError as error:
        where = f"got --size {size}, which does not fit the model: " if size else ""
        raise ValueError(f"{where}{error}") from None
    scores, classes = network.shapes(shape)[network.output][1:], len(model.classes)
    if scores != (classes,):
        raise ValueError(f"got a model with {classes} class names whose scores have the shape {scores}, "
                         f"needed ({classes},): give every score a name, and end the network with Flatten()")
    return model


def learned_numbers(model: Model) -> int:
    """How many numbers the model learned."""
    return sum(array.size for _, layer in model.chain for array in layer.arrays().values())


def channels(model: Model) -> int:
    """Of the network's input: those of photographs, unless the lowest convolution says otherwise."""
    first = next((layer for _, layer in model.chain if isinstance(layer, Conv2D)), None)
    return first.weight.shape[1] * first.groups if first else model.preprocessing.channels


def knows(name: str, model: Model, chosen: bool = True) -> list[str]:
    """The line that says of a bundled model what it cannot do; and how to get another, where nobody chose this one."""
    if name not in BUNDLED:
        return []
    cure = "" if chosen else f"; for any photograph: {INSTALL}"
    return [f"(the bundled model {name} knows {', '.join(model.classes)} and nothing else{cure})"]
