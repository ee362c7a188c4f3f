"""Models from files and into files: .npz, this project's, and .txt, lrp_toolbox's."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.layers import LAYERS, Layer
from lrp_ref.models.model import Model, Preprocessing
from lrp_ref.network import Network

FORMAT, VERSION = "lrp-ref model", 1
AGAIN = "save the model again with lrp_ref.save_model"


def load_model(path: str | Path) -> Model:
    """A model from its file: .npz (this project's), or .txt (lrp_toolbox's). Nothing is unpickled."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no model file {path}: give the path of an .npz or .txt file")
    if path.suffix == ".txt":
        from lrp_ref.models.toolbox_text import read_text

        return read_text(path)
    if path.suffix != ".npz":
        raise ValueError(f"got the model file {path.name}, needed .npz (lrp_ref) or .txt (lrp_toolbox)")
    if not is_zipfile(path):
        raise ValueError(f"{path} is no complete .npz file: is it truncated, or of another format? Copy it again")
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
    except Exception as error:   # BadZipFile, zlib.error, struct.error, ValueError, .. have no other common parent
        pickled = "Object arrays" in str(error)
        reason = "it holds pickled objects, which are never loaded" if pickled else "it is damaged"
        raise ValueError(f"cannot read {path}: {reason}: {AGAIN}") from None
    return from_arrays(arrays, str(path))


def save_model(model: Model, path: str | Path) -> None:
    """The model to a file: .npz (this project's), or .txt (lrp_toolbox's, for the layers that format knows)."""
    from lrp_ref.files import writing

    path = Path(path)
    if model.chain.number not in (None, np.float32, np.float64):
        raise ValueError(f"cannot save weights of {model.chain.number}, needed floats: use "
                         "network.astype(numpy.float64)")
    if path.suffix == ".txt":
        from lrp_ref.models.toolbox_text import to_text

        text = to_text(model)
        with writing(path) as temporary:
            Path(temporary).write_text(text, encoding="ascii")
        return
    if path.suffix != ".npz":
        raise ValueError(f"got the file name {path.name}, needed one that ends in .npz (lrp_ref) or .txt (lrp_toolbox)")
    arrays: dict[str, Any] = to_arrays(model)
    with writing(path) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, **arrays)


def to_arrays(model: Model) -> dict[str, Array]:
    """What an .npz file holds: `manifest`, JSON as UTF-8 bytes, and every layer's arrays as name.parameter."""
    layers, arrays = [], {}
    for name, layer in model.chain:
        if LAYERS.get(type(layer).__name__) is not type(layer):
            raise ValueError(f"cannot save layer {name}, a {type(layer).__name__}: files know {', '.join(LAYERS)}")
        arrays.update({f"{name}.{key}": value for key, value in layer.arrays().items()})
        values = {f.name: getattr(layer, f.name) for f in fields(layer)}  # type: ignore[arg-type]
        plain = {key: value for key, value in values.items() if not isinstance(value, np.ndarray)}
        layers.append({"name": name, "type": type(layer).__name__, **plain})
    p = model.preprocessing
    manifest = {"format": FORMAT, "version": VERSION, "layers": layers, "classes": list(model.classes),
                "preprocessing": {f.name: getattr(p, f.name) for f in fields(p)}, "provenance": model.provenance}
    if model.regions is not None:
        manifest["regions"] = model.regions
    text = json.dumps(manifest, default=lambda number: getattr(number, "item", number.__float__)())
    return {"manifest": np.frombuffer(text.encode(), dtype=np.uint8), **arrays}


def from_arrays(arrays: dict[str, Array], path: str) -> Model:
    """The model that `to_arrays` described; errors name the file and what is wrong in it."""
    if "manifest" not in arrays:
        raise ValueError(f"{path} is an .npz file but no model: it has no manifest (it holds "
                         f"{', '.join(list(arrays)[:5]) or 'nothing'}): {AGAIN}")
    try:
        manifest = json.loads(np.asarray(arrays["manifest"], dtype=np.uint8).tobytes().decode())
        if manifest["format"] != FORMAT or manifest["version"] != VERSION:
            raise ValueError(f"its format is {manifest['format']!r} version {manifest['version']!r}, this program "
                             f"reads {FORMAT!r} version {VERSION}: is lrp_ref up to date?")
        chain = Network((entry["name"], layer_from(dict(entry), arrays)) for entry in manifest["layers"])
        extra = set(arrays) - {"manifest", *(f"{name}.{key}" for name, layer in chain for key in layer.arrays())}
        if extra:
            raise ValueError(f"no layer has a place for {', '.join(sorted(extra))}")
        preprocessing = Preprocessing(**manifest["preprocessing"])
        return Model(chain, tuple(manifest["classes"]), preprocessing, provenance=manifest["provenance"],
                     regions=manifest.get("regions"))
    except KeyError as error:
        raise ValueError(f"cannot read the model {path}: {error} is missing: {AGAIN}") from None
    except (ValueError, TypeError) as error:
        raise ValueError(f"cannot read the model {path}: {error}: {AGAIN}") from None


def layer_from(entry: dict[str, Any], arrays: dict[str, Array]) -> Layer:
    """One layer from its line of the manifest and its arrays."""
    name, kind = entry.pop("name"), entry.pop("type")
    if kind not in LAYERS:
        raise ValueError(f"layer {name} is a {kind}, this program knows {', '.join(LAYERS)}")
    known = [f.name for f in fields(LAYERS[kind])]  # type: ignore[arg-type]
    own = {key: arrays[f"{name}.{key}"] for key in known if f"{name}.{key}" in arrays}
    missing = [key for key in known if key not in entry and key not in own]
    if missing:
        raise ValueError(f"layer {name}, a {kind}, has no {', '.join(missing)}")
    try:
        return LAYERS[kind](**entry, **own)
    except TypeError as error:
        raise ValueError(f"layer {name}: {error}") from None
