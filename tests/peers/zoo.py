"""The nine graphs of the ONNX model zoo: loaded, explained under every preset, beside zennit; a line for each check.

    python tests/peers/zoo.py [GRAPH ..]      needs onnx, torch and zennit (make peers); about six minutes

Ends with 1 where a check failed. Their own weights are constants: every class has the same score, whose softmax is
1 / 1000, and DenseNet's without a softmax is 0.46095502. Drawn weights stand in for them where zennit is asked.
"""

import sys
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import nn
from zennit import composites, rules

sys.path.insert(0, str(Path(__file__).parents[1]))

from onnx_torch import Average, Graph, Scale
from onnx_zoo import ZOO, drawn, expected, path_of, rising, with_weights

from lrp_ref import (
    Winner,
    epsilon_alpha2_beta1,
    epsilon_alpha2_beta1_flat,
    epsilon_gamma_box,
    epsilon_plus,
    epsilon_plus_flat,
    explain,
    paper_cnn,
)
from lrp_ref.conventions.changes import Changed
from lrp_ref.conventions.maps import first_winner
from lrp_ref.convert import from_onnx
from lrp_ref.convert.from_onnx import converted
from lrp_ref.layers import MaxPool

PRESETS = {"paper": paper_cnn, "epsilon_plus": epsilon_plus, "epsilon_plus_flat": epsilon_plus_flat,
           "epsilon_alpha2_beta1": epsilon_alpha2_beta1, "epsilon_alpha2_beta1_flat": epsilon_alpha2_beta1_flat,
           "epsilon_gamma_box": lambda network: epsilon_gamma_box(network, -5.0, 5.0)}
# Of the scores. float32 has 24 bits: a sum of 10,000 products of one sign, made in blocks, is off by some 1e-6.
SINGLE = 1e-5
# Of the largest of the ledger's four parts. Rounding: 1e-16 for each of a thousand sums one after the other, over
# denominators that are a few thousand times smaller than their terms.
CLOSES = 1e-9
# Of the largest relevance: rounding once more; DenseNet's batch norms before its convolutions leave sums that cancel.
AGREES = 1e-9


def check(name, what, off, limit):
    """A line; whether it holds."""
    good = off <= limit
    print(f"{name:14} {what:46} {off:9.2e} {'<=' if good else 'NOT <='} {limit:.0e}", flush=True)
    return good


def as_it_is(name):
    """The expected output, and a ledger that closes under every preset, on the graph as it comes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = from_onnx(path_of(name))
    x, wanted = rising(), expected(name).ravel()
    scores = network(x)[0]
    if name == "densenet121":   # the one without a softmax
        yield check(name, "output", np.max(abs(scores - wanted)) / wanted.max(), SINGLE)
    else:                       # exp of scores as large as 1e31 says only whether they are equal
        yield check(name, "scores are equal, as 1 / 1000 each says", np.ptp(scores) / scores.max(), SINGLE)
        yield check(name, "1 / 1000", np.max(abs(wanted - 0.001)), 1e-9)
    double = network.astype(np.float64)
    for preset, ours in PRESETS.items():
        e = explain(double, x.astype(np.float64), ours(double), 7)
        total = {column: values[0] for column, values in e.ledger.total().items()}
        off = total["received"] - sum(total[column] for column in ("handed", "bias", "stabiliser", "dead"))
        size = max(abs(values) for values in total.values())
        finite = np.isfinite(e.relevance).all() and np.any(e.relevance)
        yield check(name, f"ledger closes: {preset}", abs(off) / size if finite else np.inf, CLOSES)


def exactly(z):
    """zennit's stabiliser adds to every denominator; this one takes it as it is, and 1 where it is 0."""
    return torch.where(z == 0, torch.ones_like(z), z)


def by_zennit(module, x, composite):
    with composite.context(module) as hooked:
        t = torch.from_numpy(x.copy()).requires_grad_()
        scores = hooked(t)
        start, top = torch.zeros_like(scores), int(scores[0].argmax())
        start[0, top] = scores[0, top].detach()
        return torch.autograd.grad(scores, t, start)[0].numpy(), scores.detach().numpy()


def beside_zennit(name):
    """Scores and relevance of drawn weights by zennit's composites on a torch module of its own."""
    model, (arrays, nodes) = with_weights(name), drawn(name)
    network = converted(model)[0].astype(np.float64)
    module = Graph(arrays, nodes, model.graph.input[0].name)
    del model, arrays
    x = np.random.default_rng(1).normal(size=(1, 3, 224, 224))
    bound = torch.full((1, 3, 1, 1), 5.0, dtype=torch.float64)
    more = {"stabilizer": exactly, "layer_map": [
        (Scale, rules.Pass()), (nn.LocalResponseNorm, rules.Pass()), (Average, rules.Norm(stabilizer=exactly))]}
    theirs = {"epsilon_plus": composites.EpsilonPlus(**more),
              "epsilon_alpha2_beta1": composites.EpsilonAlpha2Beta1(**more),
              "epsilon_gamma_box": composites.EpsilonGammaBox(-bound, bound, **more)}
    if name == "vgg19":   # some minutes each
        theirs = {"epsilon_plus": theirs["epsilon_plus"]}
    for preset, composite in theirs.items():
        rules_here = PRESETS[preset](network)
        for pool, layer in network:   # of ReLU's zeros many tie; torch gives all to the first of them
            if isinstance(layer, MaxPool):
                rules_here[pool] = Changed(Winner(), first_winner)
        e = explain(network, x, rules_here)
        wanted, scores = by_zennit(module, x, composite)
        yield check(name, f"zennit's scores: {preset}", np.max(abs(e.scores - scores)) / np.max(abs(scores)), 1e-12)
        yield check(name, f"zennit's relevance: {preset}", np.max(abs(e.relevance - wanted)) / np.max(abs(wanted)),
                    AGREES)


def main(names):
    torch.set_num_threads(int(torch.get_num_threads()))
    good = True
    for name in names or ZOO:
        began = time.perf_counter()
        for one in (*as_it_is(name), *beside_zennit(name)):
            good &= one
        print(f"{name:14} {time.perf_counter() - began:.0f} s", flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
