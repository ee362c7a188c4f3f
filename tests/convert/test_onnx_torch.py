"""PyTorch's own attention as it exports it, beside the same module by from_torch: scores, relevance under AttnLRP."""

import warnings

import numpy as np
import pytest

from lrp_ref import attnlrp, explain
from lrp_ref.convert import from_onnx, from_torch

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
nn = torch.nn
D, T = 12, 5
FLOAT32 = 1e-5   # of the largest: the exporter writes constants such as 1 / sqrt(d) in float32
LATER = {"none": None, "added": torch.triu(torch.full((T, T), -torch.inf), 1),
         "true where hidden": torch.triu(torch.ones(T, T, dtype=torch.bool), 1)}


class Attends(nn.Module):
    def __init__(self, first, weights, mask):
        super().__init__()
        self.attend = nn.MultiheadAttention(D, 3, batch_first=first)
        self.top, self.first, self.weights, self.mask = nn.Linear(D, 2), first, weights, mask

    def forward(self, x):
        x = x if self.first else x.transpose(0, 1)
        y = self.attend(x, x, x, need_weights=self.weights, attn_mask=LATER[self.mask])[0]
        return self.top(y.mean(1 if self.first else 0))


class Encodes(nn.Module):
    """Patches of an image, a class token, places and two blocks: all with the batch second, or the blocks not."""

    def __init__(self, first, norm_first):
        super().__init__()
        layer = nn.TransformerEncoderLayer(D, 3, 20, batch_first=first, norm_first=norm_first,
                                           activation="gelu" if norm_first else "relu")
        self.blocks = nn.TransformerEncoder(layer, 2, nn.LayerNorm(D) if norm_first else None, False)
        self.patches, self.top, self.first = nn.Conv2d(2, D, 2, 2), nn.Linear(D, 4), first
        self.token, self.place = nn.Parameter(torch.randn(1, 1, D)), nn.Parameter(torch.randn(7, 1, D))

    def forward(self, x):
        x = self.patches(x).flatten(2).permute(2, 0, 1)
        x = torch.cat([self.token.expand(-1, x.shape[1], -1), x]) + self.place
        return self.top(self.blocks(x.transpose(0, 1))[:, 0] if self.first else self.blocks(x)[0])


class Reads(nn.Module):
    """Two tokens ask all."""

    def __init__(self):
        super().__init__()
        self.attend, self.top = nn.MultiheadAttention(D, 4, batch_first=True), nn.Linear(D, 3)

    def forward(self, x):
        return self.top(self.attend(x[:, 1:3], x, x, need_weights=False)[0].mean(1))


MODULES = {
    **{f"attention, {first}, {weights}, {mask}": lambda f=first, w=weights, m=mask: Attends(f, w, m)
       for first in (True, False) for weights in (True, False) for mask in LATER},
    **{f"encoder, {first}, {norm}": lambda f=first, n=norm: Encodes(f, n) for first in (True, False)
       for norm in (True, False)},
    "two tokens ask": Reads,
}


@pytest.mark.parametrize("images", ["open", 1, 3])
@pytest.mark.parametrize("name", MODULES)
def test_an_exported_module_is_the_same_network(name, images, tmp_path):
    torch.manual_seed(4)
    module = MODULES[name]().eval()
    n = 2 if images == "open" else images
    x = torch.randn(n, *((2, 4, 6) if name.startswith("encoder") else (T, D)))
    file, free = tmp_path / "module.onnx", {"dynamic_axes": {"x": {0: "n"}}} if images == "open" else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")   # of the exporter: it is the old one, which needs onnx alone
        torch.onnx.export(module, x, file, dynamo=False, opset_version=17, input_names=["x"], **free)
    ours, twin = (network.astype(np.float64) for network in (from_onnx(file), from_torch(module, x)))
    more = np.random.default_rng(1).normal(size=(4, *x.shape[1:]))   # any number of images, whatever the file's
    a, b = (explain(network, more, attnlrp(network), 1) for network in (ours, twin))
    assert np.abs(a.scores - b.scores).max() < FLOAT32 * np.abs(b.scores).max()
    assert np.abs(a.relevance - b.relevance).max() < FLOAT32 * np.abs(b.relevance).max()
