"""Models: files and what they hold, networks of torch, vectors, lrp_toolbox's text."""

from __future__ import annotations

import copy
import functools
import importlib.util
import io
import json
import math
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from harness import Attempt, Door

from lrp_ref import (
    LRN,
    BatchNorm,
    Conv2D,
    DenseSift,
    FisherVector,
    Flatten,
    L2Norm,
    Linear,
    MaxPool,
    Model,
    Network,
    Preprocessing,
    ReLU,
    SumPool,
    load_model,
)
from lrp_ref.conformance.vectors.case import from_json
from lrp_ref.conformance.vectors.suite import load, versions_of
from lrp_ref.models.bundled import find_model
from lrp_ref.models.files import save_model
from lrp_ref.outside import json_value

VECTORS = Path(__file__).parents[3] / "data_fixtures" / "vectors" / "v1"
KEPT = tempfile.TemporaryDirectory(prefix="lrp-ref-fuzz-models-")   # as long as this process lives
FOLDER = Path(KEPT.name)
Rng = np.random.Generator
DEEP = "brackets in brackets"   # stands for 5000 of them
ODD: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 3, 7, 255, 10**6, 2**31, 2**63, 10**30, 10**399, 10**400, 10**401, -(10**401),
    0.5, -0.0, 1e-320, 1e308, -1e308, math.nan, math.inf, -math.inf,
    "", "a", "no", "true", "3", "2x2", "99999x99999", "nan", "0x1p+99999", "1/0", "9" * 5000, "\x1b[31m", "\n",
    "\ud800", "é" * 300, "x" * 100_000, "rgb", "bgr", "Conv2D", "Infinity", DEEP,
    [], [[]], [1], [0, 1], [2, 2], [1, 2, 3], [1.5, "a"], ["a", "a"], [None], [True, True], [10**400, 1], [0] * 5000,
    [[1, 2], [3]], [3, 3], [5, 7], [10**5, 10**5], {}, {"a": 1}, {"size": [2, 3]})


def one_of(rng: Rng, values: Any) -> Any:
    return values[int(rng.integers(len(values)))]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value inside nested lists and objects."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(way for key, part in inside for way in places(part, (*path, key)))]


def changed(rng: Rng, value: Any) -> tuple[Any, str]:
    """The value with one place in it replaced, removed, doubled or given one more name."""
    value = json.loads(json.dumps(value))
    path = one_of(rng, places(value))
    if not path:
        new = one_of(rng, ODD)
        return new, f"all of it is {brief(new)}"
    parent = value
    for key in path[:-1]:
        parent = parent[key]
    what = one_of(rng, ("replaced", "replaced", "replaced", "removed", "added", "swapped"))
    new = one_of(rng, ODD)
    if what == "replaced":
        parent[path[-1]] = new
    elif what == "removed":
        del parent[path[-1]]
    elif what == "swapped":
        other = json.loads(json.dumps(value))
        for key in one_of(rng, places(value)):
            other = other[key]
        parent[path[-1]] = other
    elif isinstance(parent, list):
        parent.append(new)
    else:
        parent[one_of(rng, ("more", "", "\x07", "self", "name", "type", "weight", "bias", "x" * 300))] = new
    return value, f"{what} {'.'.join(map(str, path))[:60]} {brief(new)}"


def brief(value: Any) -> str:
    try:
        return ascii(value)[:60]
    except (ValueError, RecursionError):
        return f"a large {type(value).__name__}"


def deep() -> list[Any]:
    out: list[Any] = []
    for _ in range(5000):
        out = [out]
    return out


def dumped(value: Any) -> str:
    """JSON, also of numbers and brackets that Python's writer refuses."""
    if value == DEEP:
        return "[" * 5000 + "]" * 5000
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)}: {dumped(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(dumped, value)) + "]"
    if isinstance(value, int) and abs(value) > 10**400:
        return "-" * (value < 0) + "1" + "0" * 5000
    return json.dumps(value)


# ---- Model files ----


def small(rng: Rng) -> Model:
    """A small model of one kind or the other."""
    if rng.integers(3):
        layers: list[tuple[str, Any]] = [
            ("conv1", Conv2D(rng.normal(size=(2, 1, 2, 3)), rng.normal(size=2), (2, 1))), ("relu1", ReLU()),
            ("norm", LRN(3, 1e-4, 0.75, 2)), ("batch", BatchNorm(*np.abs(rng.normal(size=(4, 2))))),
            ("max", MaxPool(2, 1)), ("sum", SumPool(1, None, 0.5)), ("flat", Flatten()),
            ("fc", Linear(rng.normal(size=(8, 2)), rng.normal(size=2)))]
        return Model(Network(layers), ["brick", "grass"], Preprocessing((5, 7), mean=0.5, std=(0.25,)),
                     provenance="made")
    mixture = FisherVector(np.array([0.25, 0.75]), rng.normal(size=(2, 128)), rng.uniform(1, 2, (2, 128)))
    chain = Network([("sift", DenseSift((2, 3), 3)), ("fisher", mixture), ("norm", L2Norm(2))])
    return Model(chain, (), Preprocessing(None, tallest=20), regions="1x2")


def contents(rng: Rng) -> tuple[dict[str, Any], dict[str, Any]]:
    """A small model's manifest and arrays."""
    path = FOLDER / "small.npz"
    save_model(small(rng), path)
    with np.load(path) as file:
        arrays = dict(file)
    return json.loads(arrays.pop("manifest").tobytes()), arrays


def used(path: Path | str, rng: Rng) -> None:
    """A model that is loaded is also used: prepared for, sized, asked for a class, run."""
    model = find_model(str(path))
    shape = (1, model.preprocessing.channels, *(model.preprocessing.size or (18, 20)))
    network = model.network(shape)
    x = model.prepare(rng.uniform(size=(12, 13)))
    network = model.network(x.shape)
    if network.number is not None:
        with np.errstate(all="ignore"):
            network(x)
    model.class_index(0)


def written(file: str, data: bytes) -> Path:
    path = FOLDER / file
    path.write_bytes(data)
    return path


def archive(members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", compression) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return data.getvalue()


def npy(array: Any) -> bytes:
    data = io.BytesIO()
    np.lib.format.write_array(data, np.asarray(array), allow_pickle=True)
    return data.getvalue()


def header(dtype: str, shape: str) -> bytes:
    """An array's header that promises what may not be there."""
    text = f"{{'descr': {dtype}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def bytes_flipped(rng: Rng) -> Attempt:
    path = FOLDER / "small.npz"
    save_model(small(rng), path)
    data = bytearray(path.read_bytes())
    for _ in range(int(rng.integers(1, 5))):
        data[int(rng.integers(len(data)))] = int(rng.integers(256))
    if not rng.integers(4):
        del data[int(rng.integers(len(data))):]
    if not rng.integers(6):
        at = int(rng.integers(len(data) + 1))
        data[at:at] = bytes(rng.integers(0, 256, int(rng.integers(1, 40))).astype(np.uint8))
    path = written("flipped.npz", bytes(data))
    return Attempt("a model file with other bytes", lambda: used(path, rng))


def manifests(rng: Rng) -> Attempt:
    manifest, arrays = contents(rng)
    what = ""
    for _ in range(int(rng.integers(1, 3))):
        manifest, more = changed(rng, manifest)
        what += more + "; "
    members = {"manifest.npy": npy(np.frombuffer(dumped(manifest).encode(), np.uint8)),
               **{f"{name}.npy": npy(array) for name, array in arrays.items()}}
    path = written("manifest.npz", archive(members))
    return Attempt(f"a manifest: {what}", lambda: used(path, rng))


NEAR = (0, 1, 2, 3, 4, 5, 7, 16, 100, 1000, 10**4, 10**5, 10**6, 2**31 - 1, 0.0, 0.25, 1.0, 1e-300, 1e300, 5e-324,
        math.inf)


def near(rng: Rng) -> Attempt:
    """One or two numbers or truth values of a manifest are others of their type, so that most models load and run."""
    manifest, arrays = contents(rng)
    what = ""
    for _ in range(int(rng.integers(1, 3))):
        path = one_of(rng, places(manifest))
        parent: Any = manifest
        for key in path[:-1]:
            parent = parent[key]
        if not path or isinstance(parent[path[-1]], (str, list, dict, type(None))):
            continue
        old = parent[path[-1]]
        parent[path[-1]] = not old if isinstance(old, bool) else one_of(rng, NEAR)
        what += f"{'.'.join(map(str, path))} is {parent[path[-1]]}; "
    members = {"manifest.npy": npy(np.frombuffer(dumped(manifest).encode(), np.uint8)),
               **{f"{name}.npy": npy(array) for name, array in arrays.items()}}
    path = written("near.npz", archive(members))
    return Attempt(f"a manifest: {what}", lambda: used(path, rng))


def other_array(rng: Rng, array: Any) -> bytes:
    """Another array in its place: of another shape, type, size; with NaN; or only the promise of one."""
    choice = int(rng.integers(10))
    if choice == 0:
        return npy(rng.normal(size=tuple(map(int, rng.integers(0, 5, int(rng.integers(0, 6)))))))
    if choice == 1:
        kinds = ("f2", "f4", ">f8", "i4", "u1", "?", "c16", "U3", "S2", "M8[s]", "V4", "O")
        with np.errstate(all="ignore"):
            return npy(np.zeros(array.shape, one_of(rng, kinds)))
    if choice == 2:
        spoiled = array.copy()
        spoiled.flat[int(rng.integers(array.size))] = one_of(rng, (np.nan, np.inf, -np.inf, -1, 0, 1e308, 5e-324))
        return npy(spoiled)
    if choice == 3:
        return npy(array.T)
    if choice == 4:
        return npy(np.asfortranarray(array))
    if choice == 5:
        kinds = ("'<f8'", "'|O'", "'<U0'", "[('a', '<f8')]", "'<f16'", "7", "'zz'", "-" * 3000 + "1")
        shapes = ("(10**9,)", "(1000000000000,)", "(-1,)", "(2, 2)", "()", "(0, 99999999999999)", "7")
        return header(one_of(rng, kinds), one_of(rng, shapes))
    if choice == 6:
        return header("'<f8'", "(300000000,)") + bytes(int(rng.integers(0, 1 << 20)))
    if choice == 7:
        return b"\x93NUMPY" + bytes(rng.integers(0, 256, 30).astype(np.uint8))
    if choice == 8:
        return npy(array)[: int(rng.integers(200))]
    return npy(array) + b"more"


def arrays(rng: Rng) -> Attempt:
    manifest, arrays = contents(rng)
    members = {"manifest.npy": npy(np.frombuffer(json.dumps(manifest).encode(), np.uint8)),
               **{f"{name}.npy": npy(array) for name, array in arrays.items()}}
    name = one_of(rng, list(arrays))
    if rng.integers(8):
        members[f"{name}.npy"] = other_array(rng, arrays[name])
    else:
        del members[f"{name}.npy"]
    if not rng.integers(5):
        key = one_of(rng, ("more.npy", "manifest", "fc.weight", ".npy", "../up.npy", "\x1b.npy", "x" * 60_000 + ".npy"))
        members[key] = npy(np.zeros(3))
    path = written("arrays.npz", archive(members, one_of(rng, (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))))
    return Attempt(f"a model file with another {name}", lambda: used(path, rng))


def paths(rng: Rng) -> Attempt:
    folder = FOLDER / "folder.npz"
    folder.mkdir(exist_ok=True)
    path = one_of(rng, (None, 3, b"a.npz", "", "a\0b.npz", "x" * 5000 + ".npz", folder, FOLDER / "none.npz", "\x1b.npz",
                        "\ud800.npz", "model.pth", [], 2.5, "cnn.NPZ", "/dev/null", "none.txt", str(FOLDER), "." * 300))
    return Attempt(f"the path {brief(path)}", lambda: load_model(path))


# ---- Constructors and what is asked of a model ----


def argument(rng: Rng) -> Any:
    """Any value, of Python or NumPy."""
    value = one_of(rng, ODD)
    choice = int(rng.integers(6))
    if value == DEEP:
        return deep()
    if choice == 0:
        return np.array(value, dtype=object) if isinstance(value, list) else np.float64(rng.normal())
    if choice == 1:
        return one_of(rng, (
            np.int64(4), np.uint8(3), np.float32(0.5), np.bool_(True), np.nan, np.array([1, 2]), np.array(3),
            np.array([[1.5]]), np.ma.masked_array([1, 2, 3], [0, 1, 0]), np.array(["a", "b"]), np.str_("é"),
            np.zeros(0), np.datetime64("2020"), np.array([1 + 2j])))
    if choice == 2:
        return one_of(rng, (object(), int, range(3), b"ab", {1, 2}, {"a": 2}, (5, 7), ("a", "b"), (1, 2, 3), lambda: 0,
                            iter("ab"), 1 + 2j, slice(3), ReLU(), np.zeros, Preprocessing((5, 7))))
    return value


def preprocessing(rng: Rng) -> Attempt:
    given: dict[str, Any] = {"size": (5, 7), "colour": one_of(rng, ("grey", "rgb", "bgr"))}
    for _ in range(int(rng.integers(1, 3))):
        given[one_of(rng, ("size", "colour", "maximum", "mean", "std", "tallest"))] = argument(rng)
    return Attempt(f"Preprocessing({brief(given)})",
                   lambda: Preprocessing(**given).size_of((int(rng.integers(1, 99)), 40)))


def models(rng: Rng) -> Attempt:
    model = small(rng)
    given: dict[str, Any] = {"chain": model.chain, "classes": ["a", "b"], "preprocessing": model.preprocessing,
                             "provenance": "", "regions": model.regions}
    for _ in range(int(rng.integers(1, 3))):
        given[one_of(rng, list(given))] = argument(rng)

    def call() -> None:
        made = Model(**given)
        save_model(made, FOLDER / "made.npz")
        loaded = load_model(FOLDER / "made.npz")
        assert (list(loaded.classes), loaded.provenance) == (list(made.classes), made.provenance)

    return Attempt(f"Model({brief(given)})", call)


def classes(rng: Rng) -> Attempt:
    some = ("a", "b", "3", "0", "", "\x1b", 4, 1.5, np.int64(2), "x" * 999)
    names = [one_of(rng, some) for _ in range(int(rng.integers(6)))]
    asked = argument(rng)
    model = small(rng)
    return Attempt(f"class {brief(asked)} of {brief(names)}",
                   lambda: Model(model.chain, names, model.preprocessing).class_index(asked))


def shapes(rng: Rng) -> Attempt:
    """A network for a shape that fits, but for one number of it at most; or for anything."""
    model = small(rng)
    shape: list[Any] = [1, 1, *(model.preprocessing.size or (18, 20))]
    if rng.integers(4):
        shape[int(rng.integers(4))] = one_of(rng, (*NEAR, 17, 200, 3000))
    given = tuple(shape) if rng.integers(3) else argument(rng)
    return Attempt(f"network of shape {brief(given)}", lambda: model.network(given))


# ---- torch ----


def torch_modules(rng: Rng) -> Attempt:
    import torch
    from torch import nn

    from lrp_ref.convert import from_torch

    torch.manual_seed(int(rng.integers(1 << 30)))
    makers: tuple[Callable[[], Any], ...] = (
        lambda: nn.Conv2d(2, 2, 3, padding=1), lambda: nn.ReLU(), lambda: nn.BatchNorm2d(2), lambda: nn.Tanh(),
        lambda: nn.MaxPool2d([1, 2], [1, 1]), lambda: nn.AvgPool2d(2, 1), lambda: nn.AdaptiveAvgPool2d([3, 4]),
        lambda: nn.LocalResponseNorm(3), lambda: nn.Dropout(), lambda: nn.Identity(), lambda: nn.GELU(),
        lambda: nn.CELU(),
        lambda: nn.Conv2d(2, 2, [3, 3], [1, 1], [1, 1], [1, 1]), lambda: nn.Sequential(nn.ReLU(), nn.Identity()))
    module = nn.Sequential(*(one_of(rng, makers)() for _ in range(int(rng.integers(1, 5))))).eval()
    at = one_of(rng, list(module.modules()))
    what = one_of(rng, sorted(CHANGES))
    CHANGES[what](at, rng)
    given = bool(rng.integers(2))

    def call() -> None:
        x = torch.randn(1, 2, 6, 7)
        network = from_torch(module, x if given else None)
        try:
            with torch.no_grad():
                want = module(x).numpy()
        except Exception:   # torch has no answer either
            return
        got = network(x.numpy())
        # float32, at most a few hundred products in a sum
        assert got.shape == want.shape and np.allclose(got, want, rtol=1e-3, atol=1e-4), f"other numbers than {module}"

    return Attempt(f"{what} at {type(at).__name__}{', an example' if given else ''}", call)


def hidden(name: str, value: Any) -> Callable[[Any, Rng], object]:
    return lambda module, rng: module.__dict__.__setitem__(name, value)


def of_weight(change: Callable[[Any], object]) -> Callable[[Any, Rng], object]:
    return lambda module, rng: change(module) if getattr(module, "weight", None) is not None else None


def odd_attribute(module: Any, rng: Rng) -> None:
    """One of its attributes is something else."""
    own = [name for name in vars(module) if not name.startswith("_")]
    module.__dict__[one_of(rng, own)] = argument(rng)


def reparametrised(name: str) -> Callable[[Any], object]:
    def change(module: Any) -> None:
        from torch.nn.utils import parametrizations, prune, spectral_norm, weight_norm

        if module.weight.ndim > 1:
            {"norm": weight_norm, "new norm": parametrizations.weight_norm, "spectral": spectral_norm,
             "prune": lambda one: prune.l1_unstructured(one, "weight", 0.5)}[name](module)
            for parameter in module.parameters():
                parameter.data = parameter.data * 1.5

    return change


CHANGES: dict[str, Callable[[Any, Rng], object]] = {
    "nothing": lambda module, rng: None,
    "training": lambda module, rng: module.train(),
    "pre-hook": lambda module, rng: module.register_forward_pre_hook(lambda m, i: (2 * i[0],)),
    "hook": lambda module, rng: module.register_forward_hook(lambda m, i, o: o + 1),
    "forward": lambda module, rng: module.__dict__.__setitem__("forward", lambda x: 3 * x),
    "call": lambda module, rng: module.__dict__.__setitem__("_call_impl", lambda x: 3 * x),
    "convolution": hidden("_conv_forward", lambda x, w, b: x),
    "attribute": odd_attribute, "attributes": lambda module, rng: [odd_attribute(module, rng) for _ in range(3)],
    "itself": lambda module, rng: module.add_module("again", module),
    "no module": lambda module, rng: module._modules.__setitem__("none", None),
    "norm": of_weight(reparametrised("norm")), "new norm": of_weight(reparametrised("new norm")),
    "spectral": of_weight(reparametrised("spectral")), "prune": of_weight(reparametrised("prune")),
    "no weight": of_weight(lambda module: module._parameters.pop("weight")),
    "weight None": of_weight(lambda module: setattr(module, "weight", None)),
    "double": lambda module, rng: module.double(), "half": lambda module, rng: module.half(),
    "bfloat16": lambda module, rng: module.bfloat16(), "meta": lambda module, rng: module.to("meta"),
}


# ---- scikit-learn ----


@functools.cache
def fitted_parts() -> tuple[Any, ...]:
    from sklearn.decomposition import PCA
    from sklearn.mixture import GaussianMixture
    from sklearn.svm import LinearSVC

    rng = np.random.default_rng(0)
    descriptors = rng.uniform(0, 255, (60, 128))
    pca = PCA(3, random_state=0).fit(descriptors)
    mixture = GaussianMixture(2, covariance_type="diag", random_state=0).fit(pca.transform(descriptors))
    return pca, mixture, LinearSVC().fit(rng.normal(size=(30, 24)), rng.integers(0, 3, 30))


def pipeline(rng: Rng) -> Attempt:
    """from_sklearn of parts of which one is another, not fitted, or has an attribute that is something else."""
    from lrp_ref.convert import from_sklearn

    given: list[Any] = [DenseSift((2, 3), 3), *map(copy.deepcopy, fitted_parts()), "1x2"]
    n = int(rng.integers(5))
    what = f"part {n}"
    if n in (1, 2, 3) and rng.integers(5):
        name = one_of(rng, [name for name in vars(given[n]) if name.endswith("_")])
        value = argument(rng)
        setattr(given[n], name, value)
        what += f".{name} is {brief(value)}"
    else:
        given[n] = argument(rng)
        what += f" is {brief(given[n])}"
    return Attempt(f"from_sklearn, {what}", lambda: from_sklearn(*given))


# ---- Vectors ----


def case(rng: Rng) -> Attempt:
    files = sorted(VECTORS.glob("*/*.json"))
    entry = one_of(rng, json.loads(one_of(rng, files).read_text(encoding="utf-8"))["cases"])
    entry, what = changed(rng, entry)
    return Attempt(f"a case: {what}", lambda: from_json(json_value(dumped(entry), "a case"), "rule", "topic"))


def folder(rng: Rng) -> Attempt:
    """A folder of vectors with a file of cases, changed in one place; the manifest's hashes are right."""
    from hashlib import sha256

    root = FOLDER / "v1"
    manifest = json.loads((VECTORS / "manifest.json").read_text(encoding="utf-8"))
    files = sorted(VECTORS.glob("*/*.json"))
    path = min(files, key=lambda file: file.stat().st_size)
    parts: dict[str, Any] = {name: json.loads((VECTORS / name).read_text(encoding="utf-8"))
                             for name in ("records.json", "flags.json")}
    inside = json.loads(path.read_text(encoding="utf-8"))
    name = f"{path.parent.name}/{path.name}"
    parts = {"cases": inside, **parts}
    which = one_of(rng, ("manifest", *parts))
    what = ""
    if which != "manifest":
        parts[which], what = changed(rng, parts[which])
    root.mkdir(exist_ok=True)
    (root / path.parent.name).mkdir(exist_ok=True)
    data = dumped(parts.pop("cases")).encode()
    (root / name).write_bytes(data)
    for other, value in parts.items():
        (root / other).write_text(dumped(value), encoding="utf-8")
    own = {name: {"sha256": sha256(data).hexdigest(), "count": len(inside["cases"])}}
    manifest |= {"count": len(inside["cases"]), "files": own, "versions": {
        spec: vars(version) for spec, version in versions_of(own, {name: inside.get("spec")}).items()}}
    if which == "manifest":
        manifest, what = changed(rng, manifest)
        if isinstance(manifest, dict) and isinstance(manifest.get("files"), dict) and not rng.integers(2):
            path = one_of(rng, ("../../x.json", "/dev/zero", "a", "", "a/b/c.json", "no/such.json", "\0/a.json"))
            manifest["files"][path] = {"sha256": "", "count": 1}
    (root / "manifest.json").write_text(dumped(manifest), encoding="utf-8")
    return Attempt(f"vectors: {which}: {what}", lambda: load(root))


# ---- lrp_toolbox's text ----


LINES = ["Convolution 1 2 1 2 1 1", "1 2 3 4", "0.5 -1", "Rect", "SumPool 1 1 1 1", "MaxPool 1 1 1 1", "Flatten",
         "Tanh", "Linear 4 1", "1 10 100 np.float64(3.5)", "0.25", "SoftMax"]
WORDS = ("", "0", "-1", "1e999", "nan", "99999999999999999999", "9" * 5000, "1_0", "x", "np.float64(", "Rect", "Linear",
         "Flatten", "1000000000", "\x1b[0m", "\x0c", "é", "0x10", "1.5", "SoftMax", "x" * 100_000, "\0", "Convolution",
         "1")


def toolbox(rng: Rng) -> Attempt:
    lines = [line.split() for line in LINES]
    for _ in range(int(rng.integers(1, 4))):
        n = int(rng.integers(len(lines)))
        choice = int(rng.integers(4))
        if choice == 0:
            del lines[n]
        elif choice == 1:
            lines.insert(n, list(one_of(rng, lines)))
        elif lines[n]:
            lines[n][int(rng.integers(len(lines[n])))] = str(one_of(rng, WORDS))
    text = "\n".join(" ".join(words) for words in lines).encode()
    if not rng.integers(3):
        text = text[: int(rng.integers(len(text)))]
    path = written("toolbox.txt", text)
    return Attempt(f"a text {text[:60]!r}", lambda: used(path, rng))


def has(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


DOORS = (
    Door("model file, bytes", bytes_flipped), Door("model file, manifest", manifests),
    Door("model file, near", near), Door("model file, arrays", arrays), Door("model file, path", paths),
    Door("Preprocessing", preprocessing), Door("Model", models),
    Door("class of a model", classes), Door("network for a shape", shapes),
    Door("vectors, a case", case), Door("vectors, a folder", folder),
    Door("lrp_toolbox's text", toolbox),
    *([Door("from_torch", torch_modules)] if has("torch") else []),
    *([Door("from_sklearn", pipeline)] if has("sklearn") else []),
)
