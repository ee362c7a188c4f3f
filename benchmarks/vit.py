"""A transformer of ViT-Base's shape under AttnLRP, lrp_ref beside LXT's explicit functions: a table of `make bench`.

Twelve blocks of 768 units, twelve heads, 197 tokens, seeded weights. Ours keeps the relevance of every tensor and the
ledger of every unit. LXT hands back that of the input, and so does the sketch: the same in the least NumPy, with no
rules, checks or ledger. Seconds are medians of several rounds in which each is timed once; memory is the most that the
process had, measured in one of its own.
"""

import argparse
import resource

from timing import (  # first: it sets the number of threads
    CORES,
    alternate,
    clock,
    head,
    introduce,
    line,
    medians,
    now,
    python,
    ratio,
    write,
)

# isort: split
import numpy as np

from lrp_ref import explain
from lrp_ref.assignment import attnlrp
from lrp_ref.layers import GELU, Add, ClassToken, LayerNorm, Linear, MatMul, Reshape, Scale, Slice, Softmax, Transpose
from lrp_ref.network import Network

BLOCKS, HEADS, UNITS, PATCHES, CLASSES = 12, 12, 768, 196, 1000
WIDTHS = 10, 8, 8, 8, 18, 10, 20, 11
EPSILON = 1e-6


def vit(number, blocks=BLOCKS, heads=HEADS, units=UNITS, patches=PATCHES, classes=CLASSES, seed=0):
    """Patches (N, patches, 768 numbers of 16 x 16 x 3 pixels) to scores (N, classes), norms first."""
    rng = np.random.default_rng(seed)
    tokens, each = patches + 1, units // heads

    def drawn(*shape, by=None):
        return (rng.standard_normal(shape) * (shape[0] ** -0.5 if by is None else by)).astype(number)

    def linear(inputs, outputs):
        return Linear(drawn(inputs, outputs), drawn(outputs, by=0.1))

    def norm():
        return LayerNorm(1 + drawn(units, by=0.1), drawn(units, by=0.1), 1e-6)

    layers = [("patches", linear(768, units)), ("class", ClassToken(drawn(units, by=1))),
              ("position", Scale(None, drawn(tokens, units, by=0.1)))]
    x = "position"
    for b in range(blocks):
        layers.append((f"{b}.norm1", norm(), x))
        for part in "qkv":
            layers += [(f"{b}.{part}", linear(units, units), f"{b}.norm1"),
                       (f"{b}.{part}.heads", Reshape((tokens, heads, each))),
                       (f"{b}.{part}.by_head", Transpose((0, 2, 1, 3)))]
        layers += [
            (f"{b}.scaled", Scale(np.array(each**-0.5, number), None), f"{b}.q.by_head"),
            (f"{b}.keys", Transpose((0, 1, 3, 2)), f"{b}.k.by_head"),
            (f"{b}.scores", MatMul((heads, tokens, each), (heads, each, tokens)), (f"{b}.scaled", f"{b}.keys")),
            (f"{b}.softmax", Softmax()),
            (f"{b}.read", MatMul((heads, tokens, tokens), (heads, tokens, each)), (f"{b}.softmax", f"{b}.v.by_head")),
            (f"{b}.tokens", Transpose((0, 2, 1, 3))), (f"{b}.joined", Reshape((tokens, units))),
            (f"{b}.attention", linear(units, units)), (f"{b}.add1", Add(), (x, f"{b}.attention")),
            (f"{b}.norm2", norm()), (f"{b}.up", linear(units, 4 * units)), (f"{b}.gelu", GELU()),
            (f"{b}.down", linear(4 * units, units)), (f"{b}.add2", Add(), (f"{b}.add1", f"{b}.down"))]
        x = f"{b}.add2"
    return Network([*layers, ("norm", norm()), ("first", Slice(1, 0, 1)), ("flat", Reshape((units,))),
                    ("scores", linear(units, classes))])


def lxt_of(network):
    """The same network of LXT's explicit functions: a function of a torch tensor."""
    import torch
    from lxt.explicit import functional as theirs
    from lxt.explicit.rules import identity
    from torch.nn import functional

    def tensor(array):
        return torch.from_numpy(np.ascontiguousarray(array))

    def of(layer):
        match layer:
            case Linear():
                w, b = tensor(layer.weight.T), tensor(layer.bias)
                return lambda x: theirs.linear_epsilon(x, w, b, EPSILON)
            case LayerNorm():
                w, b = tensor(layer.scale), tensor(layer.shift)
                return lambda x: theirs.layer_norm(x, w, b, float(layer.epsilon))
            case Scale():   # ours passes relevance by a position, too
                number = tensor(layer.shift if layer.scale is None else layer.scale)
                return lambda x: identity(lambda y: y + number if layer.scale is None else y * number, x)
            case ClassToken():
                token = tensor(layer.token)
                return lambda x: torch.cat([token.expand(len(x), 1, -1), x], 1)
            case GELU():
                return lambda x: identity(functional.gelu, x)
            case Softmax():
                return lambda x: theirs.softmax(x, -1)
            case MatMul():
                return lambda a, b: theirs.matmul(a, b, False, EPSILON)
            case Add():
                return lambda a, b: theirs.add2(a, b, False, EPSILON)
            case Transpose():
                return lambda x: x.permute(layer.axes)
            case Slice():
                return lambda x: x[layer.cut()]
        return lambda x: x.reshape(len(x), *layer.shape)

    parts = [(name, of(layer), reads) for name, layer, reads in network.nodes]

    def scores(x):
        made = {"input": x}
        for name, part, reads in parts:
            made[name] = part(*(made[t] for t in reads))
        return made[network.output]
    return scores


def sketch(network, x, R):
    """The same relevance of the input in the least NumPy that gives it: no rules, checks or ledger, nothing kept."""
    made = {"input": x}
    for name, layer, reads in network.nodes:
        made[name] = forward(layer, *(made[t] for t in reads))
    Rs = {network.output: R}
    for name, layer, reads in reversed(network.nodes):
        for t, message in zip(reads, back(layer, Rs.pop(name), made[name], [made[t] for t in reads])):
            Rs[t] = Rs[t] + message if t in Rs else message
    return Rs["input"]


def forward(layer, *parts):
    match layer:
        case Add():
            return parts[0] + parts[1]
        case MatMul():
            return parts[0] @ parts[1]
    return layer(parts[0])


def back(layer, R, z, parts):
    """What each tensor that the layer reads receives."""
    x = parts[0]
    match layer:
        case Reshape():
            return [R.reshape(x.shape)]
        case Transpose():
            return [R.transpose(0, *(1 + np.argsort(np.array(layer.axes[1:]) - 1)))]
        case Slice():
            below = np.zeros_like(x)
            below[layer.cut()] = R
            return [below]
        case Softmax():
            return [x * (R - z * R.sum(axis=-1, keepdims=True))]
        case ClassToken():
            return [R[:, 1:]]
        case Scale() | GELU():
            return [R]
    s = (z < 0).astype(z.dtype)   # np.where takes several times as long
    s *= -2 * EPSILON
    s += EPSILON
    s += z
    np.divide(R, s, out=s)
    match layer:
        case Linear():
            below = s @ layer.weight.T
            below *= x
            return [below]
        case LayerNorm():
            s *= layer.scale / np.sqrt(x.var(axis=-1, keepdims=True) + x.dtype.type(layer.epsilon))
            s -= s.mean(axis=-1, keepdims=True)
            s *= x
            return [s]
        case MatMul():
            s *= x.dtype.type(0.5)
            a, b = parts
            return [a * (s @ b.swapaxes(-1, -2)), b * (a.swapaxes(-1, -2) @ s)]
        case Add():
            return [part * s for part in parts]
    raise TypeError(layer)


def lxt(scores, x, R):
    """Seconds for LXT's explanation of the same network, and its relevance."""
    import torch

    image = torch.from_numpy(x).requires_grad_()
    begin = now()
    scores(image).backward(torch.from_numpy(R))
    return now() - begin, image.grad.numpy()


def asked(number):
    """The network, the patches and R, a score and 0 elsewhere."""
    network = vit(number)
    x = np.random.default_rng(1).standard_normal((1, PATCHES, 768)).astype(number)
    z = network(x)
    return network, x, np.where(z == z.max(), z, number(0))


def peak_memory(number):
    """GB that a process has at most which explains and keeps every relevance; and before it explains."""
    code = ("import sys; sys.path.insert(0, sys.argv[1]); import vit, numpy; "
            "print(*vit.before_and_after(getattr(numpy, sys.argv[2])))")
    return map(float, python(code, __file__.rpartition("/")[0] or ".", number.__name__).split())


def before_and_after(number):
    network, x, R = asked(number)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    explain(network, x, attnlrp(network, EPSILON), R)
    return before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def row(number, rounds):
    network, x, R = asked(number)
    rules, scores = attnlrp(network, EPSILON), lxt_of(network)
    seconds, results = alternate({"ours": lambda: clock(lambda: explain(network, x, rules, R).relevance),
                                  "sketch": lambda: clock(lambda: sketch(network, x, R)),
                                  "lxt": lambda: lxt(scores, x, R)}, rounds)
    gap, own_gap = (abs(results["ours"] - theirs).max() / abs(theirs).max() for theirs in map(
        results.get, ("lxt", "sketch")))
    assert own_gap < 1e-4, f"ours and the sketch differ by {own_gap:.0e} of the largest relevance"
    before, most = peak_memory(number)
    return {"numbers": number.__name__, **medians(seconds), "lxt/ours": ratio(seconds, "lxt", "ours"),
            "lxt/sketch": ratio(seconds, "lxt", "sketch"), "memory": most, "memory before": before, "gap": float(gap)}


def show(one):
    line((one["numbers"], f"{one['ours']:.2f}", f"{one['sketch']:.2f}", f"{one['lxt']:.2f}",
          f"{one['lxt/ours']:.2f} (at least 1)", f"{one['lxt/sketch']:.2f}", f"{one['memory']:.2f} GB (at most 3)",
          f"{one['gap']:.0e}"), WIDTHS)



def main(arguments=None):
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--output", default="out/bench.json")
    given = options.parse_args(arguments)
    import torch

    torch.set_num_threads(int(CORES))
    introduce()
    print(f"\nViT-Base's shape, {BLOCKS} blocks of {UNITS} units and {HEADS} heads, {PATCHES + 1} tokens, AttnLRP, "
          "forward and relevance of every tensor, ledger included:\n")
    head(("numbers", "ours s", "sketch", "LXT", "LXT/ours", "LXT/sketch", "memory", "differs by"), WIDTHS)
    rows = []
    for number in (np.float32, np.float64):
        rows.append(row(number, given.rounds))
        show(rows[-1])
    write(given.output, vit_base=rows)


if __name__ == "__main__":
    main()
