"""Presets for transformers on networks that torch built: gradients are torch's, attention is found."""

import numpy as np
import pytest

from lrp_ref import Factors, LayerNorm, MatMul, Softmax, Unscaled, ali, attnlrp, cp_lrp, explain, gradient_times_input
from lrp_ref.convert import from_torch

torch = pytest.importorskip("torch")


def encoder(activation, norm_first):
    torch.manual_seed(3)
    layers = [torch.nn.TransformerEncoderLayer(12, 3, 20, 0.0, activation, batch_first=True, norm_first=norm_first)
              for _ in range(2)]
    module = torch.nn.Sequential(*layers, torch.nn.Flatten(), torch.nn.Linear(60, 4)).double().eval()
    return module, torch.randn(2, 5, 12, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("norm_first", [True, False])
@pytest.mark.parametrize("activation", ["gelu", "relu"])
def test_tangents_everywhere_are_torchs_gradient_times_input(activation, norm_first):
    module, x = encoder(activation, norm_first)
    network, images = from_torch(module, x.detach()), x.detach().numpy()
    module(x)[:, 2].sum().backward()
    wanted = (x * x.grad).detach().numpy()
    e = explain(network, images, gradient_times_input(network), 2)
    # a few hundred roundings, and quotients by outputs a thousandth of what their sums are made of
    assert np.abs(e.relevance - wanted).max() <= 1e-9 * np.abs(wanted).max()


def test_the_products_that_read_attention_are_found():
    network = from_torch(*[one.detach() if torch.is_tensor(one) else one for one in encoder("gelu", True)])
    kinds = [type(layer) for _, layer in network]
    detached = [name for name, rule in cp_lrp(network).items() if isinstance(rule, Factors)]
    assert kinds.count(Softmax) == 2 and kinds.count(MatMul) == 4 and len(detached) == 2
    assert all(isinstance(network[name], MatMul) for name in detached)
    assert sum(isinstance(rule, Unscaled) for rule in ali(network).values()) == kinds.count(LayerNorm) == 4


@pytest.mark.parametrize("preset", [attnlrp, cp_lrp, ali])
def test_their_ledgers_close(preset):
    module, x = encoder("gelu", True)
    network = from_torch(module, x.detach())
    total = explain(network, x.detach().numpy(), preset(network), 2).ledger.total()
    parts = [total[column] for column in ("handed", "bias", "stabiliser", "dead")]
    # rounded sums of some thousand parts of both signs
    assert np.abs(total["received"] - sum(parts)).max() <= 1e-9 * np.abs(parts).max()
