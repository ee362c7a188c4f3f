"""The model that a command is asked for: bundled, or from a file, with what its options say of photographs."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace
from pathlib import Path

from lrp_ref.files import read_regular
from lrp_ref.hints import quotable
from lrp_ref.models.bundled import find_model, naming, size_in
from lrp_ref.models.model import Model

NAMES = 1 << 22   # bytes of a file of class names: ImageNet's 22,000 have a quarter of a megabyte


def model_of(name: str, options: Namespace, size: str | None) -> Model:
    """The model; one from an ONNX file is for the size that is asked for, where the file leaves it open."""
    if Path(name).suffix.lower() == ".onnx":
        from lrp_ref.convert.onnx_model import onnx_model

        asked = None if size is None else size_in(size)
        model = onnx_model(name, asked)
        model = model if asked in (None, model.preprocessing.size) else model.at_size(asked)
    else:
        model = find_model(name, size)
    return with_options(model, options)


def ready_model(name: str, options: Namespace, size: str | None) -> Model:
    """The same; an error unless it turns photographs into named scores."""
    return naming(model_of(name, options, size), size)


def with_options(model: Model, options: Namespace) -> Model:
    """The model with what the options say in place of what its file says, or does not."""
    said = {"colour": options.colour, "maximum": options.maximum, "mean": numbers("--mean", options.mean),
            "std": numbers("--std", options.std)}
    said = {name: value for name, value in said.items() if value is not None}
    preprocessing = replace(model.preprocessing, **said) if said else model.preprocessing
    classes = model.classes if options.classes is None else names_in(options.classes)
    same = preprocessing is model.preprocessing and classes is model.classes
    return model if same else replace(model, preprocessing=preprocessing, classes=classes)


def numbers(option: str, text: str | None) -> tuple[float, ...] | None:
    """One number, or three with commas between."""
    try:
        return None if text is None else tuple(float(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"got {option} {quotable(text)}, needed a number, or one per channel with commas between, as "
                         "0.485,0.456,0.406") from None


def names_in(path: str) -> tuple[str, ...]:
    """The class names in a text file, one per line."""
    try:
        return tuple(read_regular(Path(path), NAMES).decode("utf-8-sig").splitlines())
    except UnicodeDecodeError:
        raise ValueError(f"got --classes {quotable(path)}, which is no text in UTF-8, needed a name per line") from None
    except FileNotFoundError as error:
        raise ValueError(f"got --classes: {error}") from None
