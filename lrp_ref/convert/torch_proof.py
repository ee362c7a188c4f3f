"""Whether a network gives torch's numbers, layer by layer and as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lrp_ref.arrays import Array, Shape
from lrp_ref.convert.laid import laid_out, taken_back
from lrp_ref.convert.torch_run import given_by, recorded, torch
from lrp_ref.convert.torch_tensor import own_array
from lrp_ref.convert.torch_trace import Traced
from lrp_ref.hints import quotable
from lrp_ref.network import INPUT, Network

WHOLE = ("though each of its parts agrees: is there a hook, a replaced method, a part of a tensor that is changed in "
         "place, or something random? Take it out. Or do large numbers cancel? Then take module.double()")
PART = ("is one of its inputs changed in place, does a hook or a replaced method change it, is the number of images "
        "written out as a number, or do large numbers cancel?")


@dataclass(frozen=True)
class Ran:
    """What torch makes of an input: the module, and each call of its graph; these are {} where they cannot be asked."""

    what: str
    x: Any
    wanted: Any
    values: Mapping[Any, Any]


def ran(trace: Traced, x: Any, wanted: Any, what: str) -> Ran:
    """The calls on x, of which the module makes `wanted`."""
    try:
        return Ran(what, x, wanted, recorded(trace.module, trace.graph, x, trace.defaults))
    except Exception:   # calls that were traced with the example's number of images written out
        return Ran(what, x, wanted, {})


def prove(trace: Traced, network: Network, origins: Mapping[str, Any], example: Ran, compared: Sequence[Any] = ()
          ) -> None:
    """An error that names the first layer that differs from torch, on the example or on a random batch.

    origins  {layer: (node, position, groups)}: what it is in the graph of torch.fx; position is None or that in a
             tuple; groups: how torch has it, where that is otherwise
    compared calls that compare token ids with constants: they say of the random ids what they say of the example's
    The random batch has an image more than the example, if the module takes that, so that the batch's axis is free;
    for an example of one image there are one of three and one of one.
    """
    must_agree(network, origins, example)
    rng, x = np.random.default_rng(0), example.x
    for images in (3, 1) if len(x) == 1 else (len(x) + 1, len(x)):   # of one image, two have told the sizes
        shape = (images, *x.shape[1:])
        drawn = rng.normal(size=shape) if x.is_floating_point() else ids_like(example, compared, shape, rng)
        try:
            noise = torch().from_numpy(drawn).to(x.device, x.dtype)
            wanted = given_by(trace.module, noise)
        except ValueError:   # a module may take nothing but batches of one size, or check what is in them
            continue
        if len(wanted) != images:   # made for one image alone: it drops the batch's axis where that has size 1
            continue
        must_agree(network, origins, ran(trace, noise, wanted, f"random numbers of shape {drawn.shape}"))
        if len(x) > 1:
            return


def ids_like(example: Ran, compared: Sequence[Any], shape: Shape, rng: np.random.Generator) -> Array:
    """Random token ids: any up to the example's; where calls compare them, at every place such as they find there."""
    ids = own(example.x)
    if not compared:
        return rng.integers(0, int(ids.max()) + 1, shape)
    said = [own(example.values[node]) for node in compared if example.values]
    if len(said) < len(compared) or any(one.shape != ids.shape for one in said):   # of some ids, or of others
        return np.array(np.broadcast_to(ids[:1], shape))
    found = np.stack(said)
    drawn = np.empty(shape, np.int64)
    for place in np.ndindex(shape[1:]):
        alike = (found == found[(slice(None), 0, *place)].reshape(-1, *(1,) * ids.ndim)).all(0)
        drawn[(slice(None), *place)] = rng.choice(ids[alike], shape[0])
    return drawn


def must_agree(network: Network, origins: Mapping[str, Any], torchs: Ran) -> None:
    """An error unless every layer gives torch's numbers on torch's own inputs, and the network the module's."""
    inputs = own(torchs.x) if torchs.x.is_floating_point() else own(torchs.x).astype(own(torchs.wanted).dtype)   # ids
    xs = {INPUT: inputs}
    with np.errstate(all="ignore"):
        for name, layer, reads in network.nodes:
            try:
                xs[name] = layer(layer.join(*(xs[t] for t in reads)))
            except ValueError as error:
                raise ValueError(f"from_torch: {quotable(name)} does not work on {torchs.what}: {error}") from None
            if name in origins and torchs.values:
                node, position, groups = origins[name]
                value = own(torchs.values[node] if position is None else torchs.values[node][position])
                who, shape = f"{quotable(name)}, a {type(layer).__name__},", xs[name].shape
                ours = xs[name] if groups is None else laid_out(xs[name], groups)
                value = value.astype(ours.dtype) if value.dtype.kind in "iu" else value   # ids, which are floats here
                held_to(ours, value, who, torchs.what, PART)
                xs[name] = value if groups is None else taken_back(value, groups, shape)
        xs.clear()
        held_to(network(inputs), own(torchs.wanted), "the network", torchs.what, WHOLE)


def own(tensor: Any) -> Array:
    array: Any = own_array(tensor)
    return array


def held_to(got: Array, wanted: Array, who: str, what: str, cure: str) -> Array:
    """Torch's numbers; an error where ours are others.

    Rounding is a part of the type's eps for each of some thousand additions, far below the root of eps: half of the
    digits. A mistake is above that, in the one layer where it is: each is compared on torch's own inputs. Below the
    smallest normal number there are no such digits.
    """
    if got.shape != wanted.shape or got.dtype != wanted.dtype:
        raise ValueError(f"from_torch: {who} gives {got.dtype} of shape {got.shape} on {what}, and torch "
                         f"{wanted.dtype} of shape {wanted.shape}: {cure}")
    finite = np.isfinite(wanted)
    off, largest = (float(np.max(abs(size), where=finite, initial=0)) for size in (got - wanted, wanted))
    number = np.finfo(wanted.dtype)
    if not (off <= np.sqrt(number.eps) * largest + number.tiny and (np.isfinite(got) == finite).all()):
        raise ValueError(f"from_torch: {who} gives other numbers than torch on {what}, by {off:.3g} where the largest "
                         f"is {largest:.3g}: {cure}")
    return wanted
