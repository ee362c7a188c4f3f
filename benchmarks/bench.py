"""lrp_ref beside zennit and the bare matrix products, in one run: `make bench` prints a table, writes out/bench.json.

Every row is the median of several rounds; a round times each candidate once, so that all meet the same machine.
"""

import argparse
import statistics

from timing import CORES, alternate, clock, medians, now, python, write  # first: it sets the number of threads

# isort: split
import numpy as np
from sketch import sketch
from vgg import vgg16

from lrp_ref import AlphaBeta, Conv2D, Epsilon, Linear, assign, explain

RULES = {"alpha-beta": AlphaBeta(2, 1), "epsilon": Epsilon(1e-6)}


def products(network, x, rule, number):
    """The matrix products that no implementation of the rule can avoid: [(rows, inner, columns, how many)].

    Forward one; epsilon, which divides by what the forward pass has left, one backwards; alpha-beta two forwards and
    two backwards (on the image, of both signs, four and four), the two stacked.
    """
    shapes = []
    for (_, layer), shape in zip(network, network.shapes(x.shape)):
        if not isinstance(layer, (Conv2D, Linear)):
            continue
        if isinstance(layer, Conv2D):
            o, k = len(layer.weight), layer.weight[0].size
            p = int(np.prod(layer.output_shape(shape)[2:]))
        else:
            (k, o), p = layer.weight.shape, 1
        if rule == "epsilon":
            shapes += [(o, k, p, 1), (k, o, p, 1)]
        else:
            times = 2 if shape == x.shape else 1
            shapes += [(o, k, p, 1), (2 * o, k, p, times), (k, 2 * o, p, times)]
    return shapes


def bare(shapes, number):
    """Seconds for those products and nothing else, the operands there already; no result."""
    seconds = 0.0
    for rows, inner, columns, times in shapes:
        a, b = np.full((rows, inner), 0.5, number), np.full((inner, columns), 0.5, number)
        begin = now()
        for _ in range(times):
            a @ b
        seconds += now() - begin
    return seconds, None


def to_torch(network):
    """The same network in torch."""
    import torch
    from torch import nn

    def tensor(array):
        return torch.nn.Parameter(torch.from_numpy(np.ascontiguousarray(array)))

    modules = []
    for _, layer in network:
        kind = type(layer).__name__
        if kind == "Conv2D":
            o, c, *window = layer.weight.shape
            module = nn.Conv2d(c, o, window, layer.stride, layer.pad)
            module.weight, module.bias = tensor(layer.weight), tensor(layer.bias)
        elif kind == "Linear":
            module = nn.Linear(1, 1)
            module.weight, module.bias = tensor(layer.weight.T), tensor(layer.bias)
        else:
            module = {"ReLU": nn.ReLU, "Flatten": nn.Flatten, "MaxPool": lambda: nn.MaxPool2d(2)}[kind]()
        modules.append(module)
    return nn.Sequential(*modules).eval()


def zennit(module, x, rule, target):
    """Seconds for zennit's explanation of the same network, and its relevance."""
    import torch
    from zennit.composites import LayerMapComposite
    from zennit.rules import AlphaBeta as AB
    from zennit.rules import Epsilon as Eps
    from zennit.rules import Pass
    from zennit.types import Activation, Convolution
    from zennit.types import Linear as AnyLinear

    make = {"alpha-beta": lambda: AB(2, 1, stabilizer=1e-30), "epsilon": lambda: Eps(1e-6)}[rule]
    kinds = (Convolution, AnyLinear, torch.nn.Linear)
    composite = LayerMapComposite([(Activation, Pass()), *((kind, make()) for kind in kinds)])
    image = torch.from_numpy(x).requires_grad_()
    begin = now()
    with composite.context(module) as hooked:
        scores = hooked(image)
        start = torch.zeros_like(scores)
        start[0, target] = scores[0, target].detach()
        relevance, = torch.autograd.grad(scores, image, grad_outputs=start)
    return now() - begin, relevance.numpy()


def vgg_rows(rounds):
    """A row per rule and number type."""
    import torch

    torch.set_num_threads(int(CORES))
    rows = []
    for number in (np.float32, np.float64):
        network = vgg16(number)
        module = to_torch(network)
        x = np.random.default_rng(1).normal(size=(1, 3, 224, 224)).astype(number)
        for name in RULES:
            rows.append(vgg_row(network, module, x, name, rounds))
            show(rows[-1])
    return rows


def vgg_row(network, module, x, name, rounds):
    number, rules = network.number, assign(network, {Conv2D: RULES[name], Linear: RULES[name]})
    shapes, target = products(network, x, name, number), int(network(x)[0].argmax())
    seconds, results = alternate({"ours": lambda: clock(lambda: explain(network, x, rules, target).relevance),
                                  "zennit": lambda: zennit(module, x, name, target),
                                  "sketch": lambda: clock(lambda: sketch(network, x, name)),
                                  "bare": lambda: bare(shapes, number)}, rounds)
    gap, other = (float(abs(results["ours"] - results[name]).max() / abs(results[name]).max())
                  for name in ("zennit", "sketch"))
    times, flop = medians(seconds), sum(2 * r * i * c * n for r, i, c, n in shapes)
    return {"rule": name, "number": number.__name__, "gflop": flop / 1e9, **times, "gap": gap,
            "gap of the sketch": other, "zennit/ours": times["zennit"] / times["ours"],
            "ours/bare": times["ours"] / times["bare"], "sketch/bare": times["sketch"] / times["bare"]}


def show(row):
    print(f"{row['rule']:<11} {row['number']:<8} {row['gflop']:7.1f} GFLOP  ours {row['ours']:6.2f} s  zennit "
          f"{row['zennit']:6.2f} s  sketch {row['sketch']:6.2f} s  bare {row['bare']:6.2f} s  zennit/ours "
          f"{row['zennit/ours']:5.2f}  ours/bare {row['ours/bare']:5.2f}  sketch/bare {row['sketch/bare']:5.2f}  "
          f"largest difference {row['gap']:.1e}, of the sketch {row['gap of the sketch']:.1e}", flush=True)


CAFFENET = """
import resource, time
import numpy as np
from lrp_ref import caffenet, explain, paper_cnn
network = caffenet()
x = np.random.default_rng(1).normal(size=(32, 3, 227, 227))
begin = time.perf_counter()
e = explain(network, x, paper_cnn(network))
kept = sum(a.nbytes for a in {id(a): a for a in (*e.activations.values(), *e.relevances.values())}.values())
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, time.perf_counter() - begin, kept / 2**30)
"""
IMPORT = """
import time
import numpy
begin = time.perf_counter()
import lrp_ref
print(time.perf_counter() - begin)
"""
HELP = """
import subprocess, sys, time
begin = time.perf_counter()
subprocess.run([sys.executable, "-m", "lrp_ref", "--help"], check=True, capture_output=True)
print(time.perf_counter() - begin)
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", default="out/bench.json")
    options = parser.parse_args()
    peak, seconds, kept = map(float, python(CAFFENET).split())
    caffenet = {"batch": 32, "peak GiB": peak, "seconds": seconds, "activations and relevances GiB": kept}
    print(f"CaffeNet, 32 images, float64, alpha-beta: peak {peak:.2f} GiB in all, {kept:.2f} GiB of it activations and "
          f"relevances kept; {seconds:.1f} s", flush=True)
    starts = {name: statistics.median(float(python(code)) for _ in range(options.rounds))
              for name, code in (("import beyond numpy", IMPORT), ("lrp-ref --help", HELP))}
    print(", ".join(f"{name} {value:.3f} s" for name, value in starts.items()), flush=True)
    print("VGG-16, one image of 224 x 224, forward and relevance to the pixels, ledger included:", flush=True)
    rows = vgg_rows(options.rounds)
    write(options.output, caffenet=caffenet, starts=starts, vgg16=rows)


if __name__ == "__main__":
    main()
