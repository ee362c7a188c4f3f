"""lrp_ref beside zennit, the bare products and the machine's best: `make bench` prints a table, writes out/bench.json.

Seconds are the medians of several rounds, ratios the medians of the rounds' ratios; a round times each candidate once,
so that all meet the same machine.
"""

import argparse
import re
import statistics

from timing import (  # first: it sets the number of threads
    CORES,
    alternate,
    clock,
    head,
    introduce,
    line,
    medians,
    now,
    peak,
    python,
    ratio,
    write,
)

# isort: split
import numpy as np
from sketch import sketch
from vgg import vgg16

from lrp_ref import AlphaBeta, Conv2D, Epsilon, Linear, assign, explain

RULES = {"alpha-beta": AlphaBeta(2, 1), "epsilon": Epsilon(1e-6)}
NUMBERS = {"float64": np.float64, "float32": np.float32}
GOALS = {("alpha-beta", "float64"): {"ours/peak": 1.7, "zennit/ours": 5},   # at most, at least
         ("alpha-beta", "float32"): {"ours/peak": 2, "zennit/ours": 2.2},
         ("epsilon", "float64"): {"ours/peak": 2.2, "zennit/ours": 2.5},
         ("epsilon", "float32"): {"ours/peak": 2.2, "zennit/ours": 1.3}}
SECONDS = "peak", "bare", "sketch", "ours", "zennit"
RATIOS = "bare/peak", "sketch/peak", "ours/peak", "zennit/ours"
WIDTHS = 10, 7, 5, *(6 for _ in SECONDS), 9, 11, 19, 19, 15


def products(network, x, rule, number):
    """The matrix products that no implementation of the rule can avoid: [(rows, inner, columns, how many)].

    Forward one; epsilon, which divides by what the forward pass has left, one backwards; alpha-beta two forwards and
    two backwards (on the image, of both signs, four and four), the two stacked.
    """
    shapes = []
    for (_, layer), shape in zip(network, network.shapes(x.shape).values()):
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


def vgg_rows(rules, numbers, rounds):
    """A row per rule and number type, printed when it is there."""
    import torch

    torch.set_num_threads(int(CORES))
    print(theirs(torch))
    print("\nVGG-16, one image of 224 x 224, forward and relevance to the pixels, ledger included:\n")
    head(("rule", "numbers", "GFLOP", *(f"{name} s" for name in SECONDS), *RATIOS, "differs by"), WIDTHS)
    rows = []
    for number in numbers:
        network = vgg16(NUMBERS[number])
        module = to_torch(network)
        x = np.random.default_rng(1).normal(size=(1, 3, 224, 224)).astype(number)
        for name in rules:
            rows.append(vgg_row(network, module, x, name, rounds))
            show(rows[-1])
    return rows


def theirs(torch):
    """What works out torch's products."""
    libraries = re.findall(r"(Math Kernel Library|MKL-DNN|OpenBLAS)(?: Version)? v?([\d.]+)",
                           torch.__config__.parallel_info())
    return (f"torch {torch.__version__} with {' and '.join(map(' '.join, libraries))}, "
            f"{torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} threads")


def vgg_row(network, module, x, name, rounds):
    number, rules = network.number, assign(network, {Conv2D: RULES[name], Linear: RULES[name]})
    shapes, target = products(network, x, name, number), int(network(x)[0].argmax())
    flop = sum(2 * r * i * c * n for r, i, c, n in shapes)
    seconds, results = alternate({"peak": lambda: peak(flop, number),
                                  "bare": lambda: bare(shapes, number),
                                  "sketch": lambda: clock(lambda: sketch(network, x, name)),
                                  "ours": lambda: clock(lambda: explain(network, x, rules, target).relevance),
                                  "zennit": lambda: zennit(module, x, name, target)}, rounds)
    gaps = {f"gap to {other}": float(abs(results["ours"] - results[other]).max() / abs(results[other]).max())
            for other in ("zennit", "sketch")}
    return {"rule": name, "number": number.__name__, "gflop": flop / 1e9, **medians(seconds), **gaps,
            **{name: ratio(seconds, *name.split("/")) for name in RATIOS}}


def show(row):
    goals = GOALS[row["rule"], row["number"]]
    ratios = [f"{row[name]:.2f}" + (f" (at {'most' if name == 'ours/peak' else 'least'} {goals[name]})"
                                    if name in goals else "") for name in RATIOS]
    line((row["rule"], row["number"], f"{row['gflop']:.1f}", *(f"{row[name]:.2f}" for name in SECONDS), *ratios,
          f"{row['gap to zennit']:.0e}, {row['gap to sketch']:.0e}"), WIDTHS)


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
    parser.add_argument("--rules", nargs="+", choices=RULES, default=RULES)
    parser.add_argument("--numbers", nargs="+", choices=NUMBERS, default=NUMBERS)
    options = parser.parse_args()
    introduce()
    most, seconds, kept = map(float, python(CAFFENET).split())   # first: a child is taken to be as large as its parent
    caffenet = {"batch": 32, "peak GiB": most, "seconds": seconds, "activations and relevances GiB": kept}
    print(f"CaffeNet, 32 images, float64, alpha-beta: at most {most:.2f} GiB in all, {kept:.2f} GiB of it activations "
          f"and relevances kept; {seconds:.1f} s", flush=True)
    starts = {name: statistics.median(float(python(code)) for _ in range(options.rounds))
              for name, code in (("import beyond numpy", IMPORT), ("lrp-ref --help", HELP))}
    print(", ".join(f"{name} {value:.3f} s" for name, value in starts.items()), flush=True)
    rows = vgg_rows(options.rules, options.numbers, options.rounds)
    write(options.output, vgg16=rows, caffenet=caffenet, starts=starts)


if __name__ == "__main__":
    main()
