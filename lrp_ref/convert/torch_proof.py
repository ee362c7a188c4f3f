"""Whether a network gives torch's numbers, layer by layer and as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.convert.torch_tensor import own_array
from lrp_ref.convert.torch_trace import Traced, called, recorded, torch
from lrp_ref.hints import quotable
from lrp_ref.network import INPUT, Network

WHOLE = ("though each of its parts agrees: is there a hook, a replaced method, a part of a tensor that is changed in "
         "place, or something random? Take it out")
PART = "is one of its inputs changed in place, or does a hook or a replaced method change it?"


def prove(trace: Traced, network: Network, origins: Mapping[str, Any], x: Any) -> None:
    """An error that names the first layer that differs from torch, on x or on random inputs.

    origins  {layer: (node, position)}: what it is in the graph of torch.fx; position is None or that in a tuple
    The second random batch has an image more than the example, if the module takes that: the batch's axis is free.
    """
    agree(trace, network, origins, x, "the example")
    rng = np.random.default_rng(0)
    for more in (0, 1):
        drawn = rng.normal(size=(len(x) + more, *x.shape[1:]))
        noise = torch().from_numpy(drawn).to(x.device, x.dtype)
        try:
            with torch().no_grad():
                trace.module(noise.clone())
        except Exception:   # a module may take nothing but batches of one size, or check what is in them
            continue
        agree(trace, network, origins, noise, f"random numbers of shape {tuple(noise.shape)}")


def agree(trace: Traced, network: Network, origins: Mapping[str, Any], x: Any, what: str) -> None:
    """An error unless every layer gives torch's numbers on torch's own inputs, and the network the module's."""
    wanted, inputs = called(trace.module, x), own(x)
    try:
        values = recorded(trace.module, trace.graph, x, trace.defaults)
    except Exception:   # calls that were traced with the example's number of images written out
        values, origins = {}, {}
    xs = {INPUT: inputs}
    with np.errstate(all="ignore"):
        for name, layer, reads in network.nodes:
            try:
                xs[name] = layer(layer.join(*(xs[t] for t in reads)))
            except ValueError as error:
                raise ValueError(f"from_torch: {quotable(name)} does not work on {what}: {error}") from None
            if name in origins:
                node, position = origins[name]
                value = values[node] if position is None else values[node][position]
                xs[name] = same(xs[name], own(value), f"{quotable(name)}, a {type(layer).__name__},", what, PART)
        del values, xs
        same(network(inputs), own(wanted), "the network", what, WHOLE)


def own(tensor: Any) -> Array:
    array: Any = own_array(tensor)
    return array


def same(got: Array, wanted: Array, who: str, what: str, cure: str) -> Array:
    """Torch's numbers; an error where ours are others.

    Rounding is a part of the type's eps for each of some thousand additions, far below the root of eps: half of the
    digits. A mistake is above that, in the one layer where it is: each is compared on torch's own inputs.
    """
    if got.shape != wanted.shape or got.dtype != wanted.dtype:
        raise ValueError(f"from_torch: {who} gives {got.dtype} of shape {got.shape} on {what}, and torch "
                         f"{wanted.dtype} of shape {wanted.shape}: {cure}")
    finite = np.isfinite(wanted)
    largest = float(np.abs(wanted[finite]).max(initial=0))
    off = np.abs(got[finite] - wanted[finite])
    off = float(np.where(np.isnan(off), np.inf, off).max(initial=0))
    if off > np.sqrt(np.finfo(wanted.dtype).eps) * largest or not (np.isfinite(got) == finite).all():
        raise ValueError(f"from_torch: {who} gives other numbers than torch on {what}, by {off:.3g} where the largest "
                         f"is {largest:.3g}: {cure}")
    return wanted
