"""EfficientNet-Lite0 at 224 x 224, lrp_ref beside zennit: `make bench` prints a table, writes out/bench.json.

Seconds are medians of several rounds in which both are timed once; memory is the most that Python and NumPy allocated
while explaining, over what all activations take, and kept is what the explanation itself holds of it when it is there:
activations, relevances, and the ledger's sums. Depthwise is the part of the seconds that convolutions of one channel
each take, and without products the part that they would take if their products took no time.
"""

import argparse
import sys
import tracemalloc
from contextlib import contextmanager

from timing import (  # first: it sets the number of threads
    CORES,
    alternate,
    clock,
    head,
    introduce,
    line,
    medians,
    now,
    ratio,
    write,
)

# isort: split
import numpy as np

from lrp_ref import (
    AdaptiveAvgPool,
    Add,
    AlphaBeta,
    Clip,
    Conv2D,
    Epsilon,
    Gamma,
    Linear,
    ZPlus,
    assign,
    explain,
    load_model,
)
from lrp_ref.layers.conv import Convolution
from lrp_ref.ledger import Again
from lrp_ref.relevance import through_layer

RULES = {"alpha-beta": AlphaBeta(2, 1), "gamma": Gamma(0.25), "z+": ZPlus(), "epsilon": Epsilon(1e-6)}
GOALS = {"alpha-beta": 2.2, "gamma": 2.2, "z+": 1.6, "epsilon": 1.4}   # zennit / ours, at least
MEMORY, DEPTHWISE = 2.5, 0.25                                          # at most
WIDTHS = 10, 6, 6, 22, 24, 16, 24, 16, 11


def hooked(module, network, rules, x):
    """zennit's rules hung on the modules, as its adapter does, without its own 1e-6 where a rule has no epsilon."""
    import torch
    from zennit import rules as theirs

    from lrp_ref.conformance.adapters.zennit import their

    def exactly(z):
        return torch.where(z == 0, torch.ones_like(z), z)

    def hook(rule, layer):
        if isinstance(layer, (Conv2D, Linear)):
            match rule:
                case AlphaBeta():
                    return theirs.AlphaBeta(rule.alpha, rule.beta, exactly)
                case Gamma():
                    return theirs.Gamma(rule.gamma, exactly)
                case ZPlus():
                    return theirs.ZPlus(exactly)
        return their(rule, layer, x)

    return [one.register(part) for part, (name, layer) in zip(module, network)
            if (one := hook(rules[name], layer)) is not None]


def zennit(module, network, rules, x, R):
    """Seconds for zennit's explanation of the same network, and its relevance."""
    import torch

    image = torch.from_numpy(x).requires_grad_()
    begin = now()
    handles = hooked(module, network, rules, x)
    relevance, = torch.autograd.grad(module(image), image, torch.from_numpy(R))
    seconds = now() - begin
    for handle in handles:
        handle.remove()
    return seconds, relevance.numpy()


def allocated(call):
    """Bytes that a call had at once at most."""
    tracemalloc.start()
    call()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


def kept(e):
    """Bytes of all arrays that an explanation holds, each counted once."""
    columns = [column for account in e.ledger.accounts for column in (
        account.sums if isinstance(account, Again) else account.parts())]
    messages = [message for several in e.messages.values() for message in several]
    owners = map(owner, (*e.activations.values(), *e.relevances.values(), *messages, *columns))
    return sum(array.nbytes for array in {id(array): array for array in owners}.values())


def owner(array):
    """The array whose memory a view sees."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def depthwise(network, x, rules, R):
    """What part of the seconds of all layers, up and down, goes to convolutions of one channel each; what part would,
    if their products took no time: what is left are passes over inputs and outputs; all seconds; those of products."""
    e, seconds, products = explain(network, x, rules, R), {}, {}
    for name, layer, _ in network.nodes:
        a = network.read(name, e.activations)
        with timed_products() as spent:
            up, z = clock(lambda layer=layer, a=a: layer(a))
            down, _ = clock(lambda name=name, layer=layer, a=a, z=z: through_layer(
                rules[name], layer, a, e.relevances[name], z))
        seconds[name], products[name] = up + down, spent[0]
    own = [name for name in seconds if getattr(network[name], "groups", 1) > 1]
    all_of, products_of = (sum(part[name] for name in own) for part in (seconds, products))
    whole = sum(seconds.values())
    return all_of / whole, (all_of - products_of) / (whole - products_of), whole, products_of


@contextmanager
def timed_products():
    """Seconds inside a convolution's products, there and back, in a list of one number."""
    spent, plain, inside = [0.0], {name: getattr(Convolution, name) for name in ("apply_each", "transpose_sum")}, []

    def timed(name):
        def product(*given):
            inside.append(name)
            begin = now()
            try:
                return plain[name](*given)
            finally:
                inside.pop()
                spent[0] += 0 if inside else now() - begin
        return product
    for name in plain:
        setattr(Convolution, name, timed(name))
    try:
        yield spent
    finally:
        for name, function in plain.items():
            setattr(Convolution, name, function)


def row(network, module, x, name, rounds):
    rule = RULES[name]
    rules = assign(network, {Conv2D: rule, Linear: rule}, by_name={   # zennit has no rule without a stabiliser there
        one: Epsilon(1e-6) for one, layer in network if isinstance(layer, (Add, AdaptiveAvgPool))})
    R = np.where(network(x) == network(x).max(), network(x), 0)
    seconds, results = alternate({"ours": lambda: clock(lambda: explain(network, x, rules, R).relevance),
                                  "zennit": lambda: zennit(module, network, rules, x, R)}, rounds)
    activations = sum(a.nbytes for a in network.activations(x).values())
    gap = abs(results["ours"] - results["zennit"]).max() / abs(results["zennit"]).max()
    part, without, *_ = depthwise(network, x, rules, R)
    return {"rule": name, **medians(seconds), "zennit/ours": ratio(seconds, "zennit", "ours"),
            "memory": allocated(lambda: explain(network, x, rules, R)) / activations,
            "kept": kept(explain(network, x, rules, R)) / activations,
            "depthwise": part, "depthwise without products": without, "gap": float(gap)}


def show(one):
    line((one["rule"], f"{one['ours']:.2f}", f"{one['zennit']:.2f}",
          f"{one['zennit/ours']:.2f} (at least {GOALS[one['rule']]})", f"{one['memory']:.2f} (at most {MEMORY})",
          f"{one['kept']:.2f}", f"{one['depthwise']:.2f} (at most {DEPTHWISE})",
          f"{one['depthwise without products']:.2f}", f"{one['gap']:.0e}"), WIDTHS)


def main(arguments=None):
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--rules", nargs="*", default=list(RULES), choices=RULES)
    options.add_argument("--output", default="out/bench.json")
    given = options.parse_args(arguments)
    try:
        network = load_model("imagenet").chain
    except ValueError as error:
        sys.exit(f"{error}")
    import torch

    from lrp_ref.conformance.adapters.to_torch import to_torch

    torch.set_num_threads(int(CORES))
    introduce()
    x = np.random.default_rng(1).uniform(-1, 1, (1, 3, 224, 224))
    network.activations(x)
    module = to_torch(network, x.shape)
    count = sum(isinstance(layer, (Conv2D, Linear, Clip)) for _, layer in network)
    print(f"\nEfficientNet-Lite0 in float64, {len(network)} layers ({count} with weights or clipping), forward and "
          "relevance to the pixels, ledger included:\n")
    head(("rule", "ours s", "zennit", "zennit/ours", "memory/activations", "kept/activations", "depthwise",
          "without products", "differs by"), WIDTHS)
    rows = []
    for name in given.rules:
        rows.append(row(network, module, x, name, given.rounds))
        show(rows[-1])
    write(given.output, efficientnet_lite0=rows)


if __name__ == "__main__":
    main()
