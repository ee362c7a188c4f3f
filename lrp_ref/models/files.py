"""Models from files and into files: .npz, this project's, and .txt, lrp_toolbox's."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import fields
from io import BytesIO
from math import inf, prod
from pathlib import Path
from typing import Any
from zipfile import ZipFile, ZipInfo, is_zipfile

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.hints import did_you_mean, listed, quotable, shown
from lrp_ref.layers import LAYERS
from lrp_ref.models.model import Model, Preprocessing
from lrp_ref.network import Network
from lrp_ref.outside import (
    LETTERS,
    MOST,
    Fields,
    among,
    anything,
    by_type,
    called,
    integer,
    json_value,
    list_of,
    real,
    refused,
    text,
)

FORMAT = "lrp-ref model"
CHAIN, GRAPH = 1, 2   # versions: in a graph every layer says what it reads
AGAIN = "save the model again with lrp_ref.save_model"
ARRAYS = 3 << 29      # bytes of all arrays of a model, 1.5 GiB: VGG-16 has 1.1e9 in float64
MANIFEST = 1 << 24    # bytes of a manifest: 100,000 layers of 160
MESSAGE = 420         # letters of a file's name and what is wrong in it, so that the message has 500
HEADER = 1 << 14      # bytes of an array's header: NumPy takes 10,000 of them
MEMBERS = 20_000      # arrays: 10,000 layers with weight and bias


class Missing(FileNotFoundError, ValueError):
    """There is no such file: an OSError as open() has, and a ValueError as all refusals are."""


def read_model(path: str | Path) -> Model:
    """A model from its file: .npz (this project's), or .txt (lrp_toolbox's). Nothing is unpickled."""
    path = path_of(path)
    try:
        there = path.is_file()
    except (OSError, ValueError):   # of a name that is too long for the system, or has a byte 0
        there = False
    name = quotable(path, LETTERS)
    if not there:
        raise Missing(f"no model file {name}: give the path of an .npz or .txt file")
    if path.suffix == ".txt":
        from lrp_ref.models.toolbox_text import read_text

        return read_text(path)
    if path.suffix == ".onnx":
        raise ValueError(f"got the model file {quotable(path.name)}: lrp_ref.convert.from_onnx reads its network")
    if path.suffix != ".npz":
        raise ValueError(f"got the model file {quotable(path.name)}, needed .npz (lrp_ref) or .txt (lrp_toolbox)")
    if not is_zipfile(path):
        raise ValueError(f"{name} is no complete .npz file: is it truncated, or of another format? Copy it again")
    try:
        with ZipFile(path) as file:
            return model_in(file)
    except ValueError as error:
        raise ValueError(f"cannot read the model {name}: {quotable(error, MESSAGE - len(name))}: {AGAIN}") from None
    except MemoryError:
        raise
    except Exception as error:   # BadZipFile, zlib.error, struct.error, EOFError, .. have no other common parent
        raise ValueError(f"cannot read the model {name}: it is damaged ({type(error).__name__}): {AGAIN}") from None


def path_of(path: Any) -> Path:
    """The path of a model file; an error where it is none, for any system."""
    if not isinstance(path, (str, os.PathLike)) or "\0" in str(path):
        raise ValueError(f"got the model file {shown(path)}, needed the path of an .npz or .txt file")
    return Path(path)


def save_model(model: Model, path: str | Path) -> None:
    """The model to a file: .npz (this project's), or .txt (lrp_toolbox's, for the layers that format knows)."""
    from lrp_ref.files import writing

    path = path_of(path)
    if not isinstance(model, Model):
        raise refused("save_model", "model", model, "a Model: a network, its preprocessing and class names")
    if model.chain.number not in (None, np.float32, np.float64):
        raise ValueError(f"cannot save weights of {model.chain.number}, needed floats: use "
                         "network.astype(numpy.float64)")
    if path.suffix == ".txt":
        from lrp_ref.models.toolbox_text import to_text

        lines = to_text(model)
        with writing(path) as temporary:
            Path(temporary).write_text(lines, encoding="ascii")
        return
    if path.suffix != ".npz":
        raise ValueError(f"got the file name {quotable(path.name)}, needed one that ends in .npz (lrp_ref) or .txt "
                         "(lrp_toolbox)")
    arrays: dict[str, Any] = to_arrays(model)
    try:
        from_arrays(arrays, sum(array.nbytes for array in arrays.values()), arrays.__getitem__)
    except ValueError as error:   # now, and not when somebody loads it
        raise ValueError(f"cannot save the model: nobody could load it: {error}") from None
    with writing(path) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, **arrays)


def to_arrays(model: Model) -> dict[str, Array]:
    """What an .npz file holds: `manifest`, JSON as UTF-8 bytes, and every layer's arrays as name.parameter."""
    layers, arrays, version = [], {}, CHAIN if model.chain.is_chain else GRAPH
    for name, layer, reads in model.chain.nodes:
        if LAYERS.get(type(layer).__name__) is not type(layer):
            raise ValueError(f"cannot save layer {quotable(name)}, a {type(layer).__name__}: files know "
                             f"{listed(LAYERS)}")
        arrays.update({f"{name}.{key}": value for key, value in layer.arrays().items()})
        values = {f.name: getattr(layer, f.name) for f in fields(layer)}  # type: ignore[arg-type]
        others = {key: value for key, value in values.items() if not isinstance(value, np.ndarray)}
        wires = {"reads": list(reads)} if version == GRAPH else {}
        layers.append({"name": name, "type": type(layer).__name__, **wires, **others})
    p = model.preprocessing
    manifest = {"format": FORMAT, "version": version, "layers": layers, "classes": list(model.classes),
                "preprocessing": {f.name: getattr(p, f.name) for f in fields(p)}, "provenance": model.provenance}
    if model.regions is not None:
        manifest["regions"] = model.regions
    return {"manifest": np.frombuffer(json.dumps(manifest, default=to_plain).encode(), dtype=np.uint8), **arrays}


def to_plain(number: Any) -> Any:
    """A number of NumPy's or a Fraction as one of Python's."""
    return number.item() if isinstance(number, np.generic) else float(number)


def model_in(file: ZipFile) -> Model:
    """The model in an open .npz file: its directory first, then every array's header, the manifest, what that names."""
    members = {member.filename.removesuffix(".npy"): member for member in file.infolist()}
    size = sum(member.file_size for member in members.values())
    if len(members) < len(file.infolist()):
        raise ValueError("two of its arrays have one name")
    if len(members) > MEMBERS or size > ARRAYS:
        raise ValueError(f"it has {len(members)} arrays of {size} bytes, needed at most {MEMBERS} of {ARRAYS}")
    for name, member in members.items():
        check_header(file, quotable(name), member)

    def array(name: str) -> Array:
        with file.open(members[name]) as data:
            return np.lib.format.read_array(data, allow_pickle=False)

    return from_arrays(members, size, array)


def from_arrays(names: Iterable[str], size: int, array: Callable[[str], Array]) -> Model:
    """The model that `to_arrays` described; an array of all these `size` bytes is asked for where a layer needs it."""
    left = set(names)
    if "manifest" not in left:
        raise ValueError("it is an .npz file but no model: it has no manifest (it holds "
                         f"{among([*names]) or 'nothing'})")
    if size > ARRAYS:
        raise ValueError(f"its arrays have {size} bytes, needed at most {ARRAYS}")
    left.remove("manifest")
    top, version = manifest_of(array("manifest"))
    entries = top.take("layers", list_of(anything))
    chain = Network(layer_from(n, entry, version, left, array) for n, entry in enumerate(entries))
    if left:
        raise ValueError(f"no layer has a place for {among(sorted(left))}")
    preprocessing = preprocessing_from(top.take("preprocessing", anything))
    classes, provenance = tuple(top.take("classes", list_of(text))), top.take("provenance", text)
    regions = top.take("regions", anything, None)
    top.done()
    return Model(chain, classes, preprocessing, provenance=provenance, regions=regions)


def manifest_of(data: Array) -> tuple[Fields, int]:
    """The fields of a manifest of this format, and its version."""
    if data.dtype != np.uint8 or data.ndim != 1:
        raise ValueError(f"its manifest is an array of {data.dtype} with {data.ndim} axes, needed bytes of JSON")
    top = Fields(json_value(data.tobytes(), "the manifest"), "the manifest")
    form, version = top.take("format", anything), top.take("version", anything)
    if form != FORMAT or isinstance(version, bool) or version not in (CHAIN, GRAPH):
        raise ValueError(f"its format is {shown(form)} version {shown(version)}, this program reads {FORMAT!r} version "
                         f"{CHAIN} and {GRAPH}: is lrp_ref up to date?")
    return top, int(version)


def preprocessing_from(entry: Any) -> Preprocessing:
    """Preprocessing from the manifest, which says all of it: with a default in place of a mean scores are wrong."""
    given = Fields(entry, "preprocessing")
    older: dict[str, Any] = {"tallest": None, "crop": None}   # which files have not that are older than these fields
    values = {f.name: given.take(f.name, anything, *([older[f.name]] if f.name in older else []))
              for f in fields(Preprocessing)}
    given.done()
    return Preprocessing(**values)


def layer_from(n: int, entry: Any, version: int, left: set[str], array: Callable[[str], Array]) -> tuple[Any, ...]:
    """Name, layer and in a graph what it reads, from a line of the manifest and its arrays, which leave those left."""
    given = Fields(entry, f"layer {n}")
    name = given.take("name", called)
    given.what = f"layer {name}"
    kind = given.take("type", text)
    if kind not in LAYERS:
        raise ValueError(f"layer {name} is a {quotable(kind)}: {did_you_mean(kind, LAYERS)}this program knows "
                         f"{listed(LAYERS)}")
    given.what = f"layer {name}: {kind}"
    reads = (tuple(given.take("reads", list_of(called))),) if version == GRAPH else ()
    own: dict[str, Any] = {}
    for f in fields(LAYERS[kind]):  # type: ignore[arg-type]
        key = f"{name}.{f.name}"
        if key in left and f.name in given.left:
            raise ValueError(f"layer {name}, a {kind}, has {f.name} in the manifest and as an array, needed it once")
        if key not in left and f.name not in given.left:
            raise ValueError(f"layer {name}, a {kind}, has no {f.name}")
        own[f.name] = array(key) if key in left else given.take(f.name, by_type(f.type, simple))
        left.discard(key)
    given.done()
    try:
        return name, LAYERS[kind](**own), *reads
    except ValueError as error:
        raise ValueError(f"layer {name}: {error}") from None


def simple(what: str, name: str, value: Any) -> Any:
    """What else a layer's field may be: nothing, a number, or a list of whole numbers or pairs; no array is JSON."""
    if value is None or value == inf:   # PMeans(inf) is the maximum
        return value
    if isinstance(value, list):
        return list_of(whole_or_pair, most=64)(what, name, value)
    if not isinstance(value, int):
        real(what, name, value)
    elif not -MOST <= value <= MOST:
        raise refused(what, name, value, f"a number from {-MOST} to {MOST}")
    return value


def whole_or_pair(what: str, name: str, value: Any) -> Any:
    """A whole number, or two: a padding that has another number on each side is a list of pairs."""
    read = integer(-MOST)
    return list_of(read, most=2)(what, name, value) if isinstance(value, list) else read(what, name, value)


def check_header(file: ZipFile, name: str, member: ZipInfo) -> None:
    """An error unless the array has numbers, and as many as its header says."""
    with file.open(member) as data:
        head = BytesIO(data.read(HEADER))
    try:
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        shape, _, dtype = read[np.lib.format.read_magic(head)](head)
    except Exception:   # the header is a Python literal that may be anything
        raise ValueError(f"the array {name} has a damaged header") from None
    if dtype.hasobject:
        raise ValueError(f"the array {name} is no numbers: it holds pickled objects, which are never loaded")
    size, rest = prod(shape) * dtype.itemsize, member.file_size - head.tell()
    if dtype.kind not in "biuf" or min(shape, default=1) < 0 or size != rest:
        raise ValueError(f"the array {name} has {rest} bytes, which are no {quotable(dtype)} numbers of shape "
                         f"{shown(shape)}")
    if name == "manifest" and size > MANIFEST:
        raise ValueError(f"its manifest has {size} bytes, needed at most {MANIFEST}")
