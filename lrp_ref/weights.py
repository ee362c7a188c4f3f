"""R_w = sum over the connections of a weight of z_ij / z_j R_j: the relevance of weights and biases."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lrp_ref.arrays import Array, Shape, times, total, zeros
from lrp_ref.hints import listed, shown
from lrp_ref.linear_map import LinearMap
from lrp_ref.network import Network, a_network, named, same_numbers
from lrp_ref.relevance import Explanation, every_layer, through_layer
from lrp_ref.rules import Rule


def weight_relevance(network: Network, e: Explanation, rules: Mapping[str, Rule], name: str) -> dict[str, Array]:
    """{"weight": R_w of every weight of layer `name`, "bias": R_b}, for every sample: (N, *shape of the parameter).

    What a layer hands down, z_ij s_j, belongs as much to the weight of a connection as to its input. Summed over the
    weights it is what the layer handed down, and R_b is the ledger's column `bias`. e and rules: an explanation of the
    network, and the rules that it was made with. For Linear, Conv2D, ConvTranspose2D, BatchNorm and Scale; the latter
    two's weight is what the input is multiplied by, the bias what is added to that.
    """
    if not isinstance(e, Explanation):
        raise ValueError(f"got {shown(e)}, needed what explain(network, x, rules) gives")
    layer, rule = a_network(network)[name], every_layer(network, rules)[name]
    x, R = read_of_it(network, e, name), e.relevances[name]
    account, own = through_layer(rule, layer, x, R, e.activations[name])[1], getattr(layer, "bias", None)
    if not np.array_equal(account.handed, e.ledger[name].handed):
        raise ValueError(f"layer {name} hands down something else by these rules than in this explanation: give those "
                         "that it was made with, and no layer that it passes through in part")
    a, m = layer.linearize(x)
    with named(name):
        weight = of_weights(rule, m, a, R)
    bias = summed_to(account.bias, m.bias.shape)
    return {"weight": weight, "bias": bias if own is None else np.reshape(bias, (len(x), *own.shape))}


def read_of_it(network: Network, e: Explanation, name: str) -> Array:
    """What the layer reads; an error unless the layer answers there as in e, bit for bit."""
    if not {name, *network.reads[name]} <= {*e.activations}:
        raise ValueError(f"got an explanation with the tensors {listed(e.activations)}, needed one of this network: "
                         f"{listed(network.names)}")
    x = network.read(name, e.activations)
    same_numbers(network, x)
    with named(name):
        if not np.array_equal(network[name](x), e.activations[name]):
            raise ValueError("gives something else here than in this explanation: give the network that it explains")
    return x


def of_weights(rule: Rule, m: LinearMap, a: Array, R: Array) -> Array:
    """sum over shares and terms of f(w) sum a'_i s_j over the connections of weight w: as `step`, but by weight."""
    m = rule.seen(m, a)
    received = zeros((len(a), *m.weight.shape), R)
    for share in rule.shares(m, a):
        z = total((m.apply(t.a, t.f) for t in share.terms), R)
        _, _, s = rule.share_out(share.of(R), z + total((t.b for t in share.terms), R), share.over)
        for t in share.terms:
            received = received + times(m.by_weight(np.broadcast_to(t.a, a.shape), s), t.f(m.weight)[None])
    return received


def summed_to(x: Array, shape: Shape) -> Array:
    """(N, ..) summed over the axes of a sample along which an array of that shape is spread: (N, *shape)."""
    full = (1,) * (x.ndim - 1 - len(shape)) + shape
    axes = tuple(n for n, (size, own) in enumerate(zip(x.shape[1:], full), 1) if size != own)
    return np.reshape(np.sum(x, axis=axes, keepdims=True), (len(x), *shape))
