"""The bundled vision transformer: what it is made of, and cut-offs below its blocks."""

import numpy as np
import pytest

from lrp_ref import GELU, ClassToken, LayerNorm, MatMul, Softmax, cutoff, explain, load_model
from lrp_ref.assignment import attnlrp, gradient_times_input, paper_rules
from lrp_ref.models.usual import usual_rules


@pytest.fixture(scope="module")
def vit():
    return load_model("vit")


@pytest.fixture(scope="module")
def x(vit):
    light = np.random.default_rng(3).random((2, 1, 128, 128))
    return ((light - 0.5) / 0.25).astype(np.float32)


def test_it_is_a_transformer(vit):
    kinds = [type(layer) for _, layer in vit.chain]
    assert {kind: kinds.count(kind) for kind in (ClassToken, Softmax, MatMul, LayerNorm, GELU)} == {
        ClassToken: 1, Softmax: 3, MatMul: 6, LayerNorm: 7, GELU: 3}
    assert vit.classes == load_model("cnn").classes
    assert vit.preprocessing == load_model("cnn").preprocessing


@pytest.mark.parametrize("block", range(3))
def test_below_a_cut_off_the_photograph_does_not_matter(vit, x, block):
    """Relevance of a block's input alone decides: the walk below it is the same for both images."""
    below = f"blocks.layers.{block}"
    network, x = vit.network(x.shape).astype(np.float64), x.astype(np.float64)
    cut = cutoff(usual_rules(network, -2, 2), below)
    e = explain(network, x, cut, 3)
    R = np.random.default_rng(4).normal(size=e.activations[below].shape)
    R[1] = R[0]
    walk = explain(network, x, cut, {below: R})
    changed = set(network.below(below))
    assert all(type(cut[name]).__name__ == "Flat" for name in changed)
    # sums of some hundred numbers of both signs, which BLAS adds in an order that depends on where a row lies
    off = np.abs(walk.relevance[0] - walk.relevance[1]).max()
    assert off <= 1e4 * np.finfo(float).eps * np.abs(walk.relevance).max()
    assert np.abs(e.relevance[0] - e.relevance[1]).max() > 1e-3 * np.abs(e.relevance).max()   # above it does


@pytest.mark.parametrize("preset", [attnlrp, gradient_times_input, paper_rules])
def test_its_ledger_closes(vit, x, preset):
    network = vit.network(x.shape)
    e = explain(network, x, preset(network))
    total = e.ledger.total()
    parts = sum(total[part] for part in ("handed", "bias", "stabiliser", "dead"))
    size = sum(abs(np.asarray(R)).sum() for R in e.relevances.values())
    # float32: some roundings of all relevance that is handed down anywhere
    assert np.abs(parts - total["received"]).max() <= 64 * np.finfo(np.float32).eps * size
