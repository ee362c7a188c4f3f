"""VGG-16's convolutions alone, forwards and back: gathered windows, as the code does, beside a product for every tap.

With channels last and row p of x being pixel (p // width, p % width) of the image in its frame, a convolution of stride
1 is z[p] = sum over taps x[p + t width + u] @ w[t, u]: nothing is gathered; and back, x[p + t width + u] += s[p] @
w[t, u].T, nothing is folded. Two pixels at the end of every row are outputs of no window. Seconds are the least of
several rounds, in which both are timed once; "channels last" leaves out the time for changing from and to images.
"""

import argparse
from functools import partial

from timing import clock, head, introduce, line, write  # first: it sets the number of threads

# isort: split
import numpy as np
from scipy.linalg.blas import dgemm, sgemm
from vgg import vgg16

from lrp_ref import AlphaBeta, Conv2D, Epsilon, Linear, assign, explain
from lrp_ref.arrays import negative, positive, same

RULES = {"epsilon": (Epsilon(1e-6), [same]), "alpha-beta": (AlphaBeta(2, 1), [positive, negative])}
NUMBERS = {"float64": (np.float64, dgemm), "float32": (np.float32, sgemm)}
CHUNK = 1 << 20   # numbers of a strip, inputs and outputs together
WAYS = "gathered", "taps", "taps, channels last"
WIDTHS = 10, 7, 7, 11, 11, 19, 8, 17, 10


def stacked(layer, functions):
    """(kh, kw, C, functions * O): the weights of every tap."""
    return np.ascontiguousarray(np.transpose(np.concatenate([f(layer.weight) for f in functions]), (2, 3, 1, 0)))


def strips(shape, outputs):
    """Some rows of pixels at a time."""
    step = max(1, CHUNK // ((shape[1] + outputs) * (shape[3] + 2)))
    return [(first, min(first + step, shape[2])) for first in range(0, shape[2], step)]


def rows_of(x, first, last):
    """Rows first - 1 .. last of an image (C, H, W) inside a frame of zeros, channels last: (pixels, C)."""
    channels, height, width = x.shape
    out = np.zeros((last - first + 2, width + 2, channels), x.dtype)
    top, bottom = max(0, first - 1), min(height, last + 1)
    out[top - first + 1 : bottom - first + 1, 1:-1] = np.moveaxis(x[:, top:bottom], 0, 2)
    return out.reshape(-1, channels)


def images_of(rows, width, left=0):
    """The same back: (C, rows, width)."""
    return np.ascontiguousarray(np.moveaxis(rows.reshape(-1, width + 2, rows.shape[1])[:, left : left + width], 2, 0))


def up(x, w, gemm, width):
    """z[p] = sum over taps x[p + t width + u] @ w[t, u], x and z (pixels, channels)."""
    z = np.zeros((len(x) - 2 * (width + 2), w.shape[3]), x.dtype)
    for (t, u), part in taps(x, z, width):
        gemm(1, w[t, u].T, part.T, 1, z[: len(part)].T, overwrite_c=True)
    return z


def down(s, w, gemm, width):
    """x[p + t width + u] += s[p] @ w[t, u].T, s being 0 where there is no window."""
    x = np.zeros((len(s) + 2 * (width + 2), w.shape[2]), s.dtype)
    for (t, u), part in taps(x, s, width):
        gemm(1, w[t, u], s[: len(part)].T, 1, part.T, overwrite_c=True)
    return x


def taps(x, z, width):
    """The rows of x that every tap reads for the rows of z, but the last two, which are outputs of no window."""
    return [((t, u), x[t * (width + 2) + u :][: len(z) - 2]) for t, u in np.ndindex(3, 3)]


def by_taps(layer, x, s, functions, gemm):
    """Seconds (forwards, back) from images to images, and of the products alone; what came out."""
    w, width, outputs = stacked(layer, functions), x.shape[3], len(functions) * len(layer.weight)
    z, below = np.empty((outputs, *x.shape[2:]), x.dtype), np.zeros((x.shape[1], x.shape[2] + 2, width), x.dtype)
    spent = np.zeros(4)   # products forwards and back, and all the rest
    for first, last in strips(x.shape, outputs):
        before, rows = clock(partial(rows_of, x[0], first, last))
        product, rows = clock(partial(up, rows, w, gemm, width))
        after, z[:, first:last] = clock(partial(images_of, rows, width))
        spent += product, 0, before + after, 0
    for first, last in strips(x.shape, outputs):
        before, rows = clock(partial(shares_of, s, first, last))
        product, rows = clock(partial(down, rows, w, gemm, width))
        after, part = clock(partial(images_of, rows, width, 1))
        fold, _ = clock(partial(np.add, below[:, first : last + 2], part, out=below[:, first : last + 2]))
        spent += 0, product, 0, before + after + fold
    return spent[:2] + spent[2:], spent[:2], (z, below[:, 1:-1])


def shares_of(s, first, last):
    """Rows of s, channels last, with two zeros at the right: (pixels, channels)."""
    out = np.zeros((last - first, s.shape[2] + 2, len(s)), s.dtype)
    out[:, :-2] = np.moveaxis(s[:, first:last], 0, 2)
    return out.reshape(-1, len(s))


def gathered(layer, x, s, functions):
    """Seconds for (forwards, back) as `lrp_ref` does, piece by piece; what came out."""
    a, m = layer.linearize(x)
    z, below, spent = np.empty_like(s), np.zeros_like(x[0]), [0.0, 0.0]
    split = np.split(s[None], len(functions), axis=1)
    for inputs, outputs, piece in m.pieces(a.shape):
        seconds, result = clock(partial(piece.apply_each, a[inputs], functions))
        spent[0] += seconds
        z[:, outputs[2]] = np.concatenate(result, axis=1)[0]
        some = [one[outputs] for one in split]
        seconds, part = clock(partial(piece.transpose_sum, some, functions, a[inputs].shape))
        spent[1] += seconds
        below[:, inputs[2]] += part[0]
    return spent, (z, below)


def passes(functions):
    """((how often forwards, and back), functions of the weights): with the forward pass, which is there before."""
    return [((1, 1), functions)] if functions == [same] else [((1, 0), [same]), ((1, 1), functions)]


def compared(network, x, rule, number, rounds):
    """A row: least seconds of all convolutions, forwards and back, each way, and of a whole explanation."""
    kind, functions = RULES[rule]
    gemm, xs = NUMBERS[number][1], network.activations(x)
    rules = assign(network, {Conv2D: kind, Linear: kind})
    whole = min(clock(lambda: explain(network, x, rules))[0] for _ in range(rounds))
    totals, gap, rng = {way: np.zeros(2) for way in WAYS}, 0.0, np.random.default_rng(2)
    for name, layer, _ in network.nodes:
        for counted, some in passes(functions) if isinstance(layer, Conv2D) else ():
            a = network.read(name, xs)
            s = rng.normal(size=(len(some) * len(layer.weight), *a.shape[2:])).astype(x.dtype)
            least = dict.fromkeys(WAYS, (np.inf, np.inf))
            for _ in range(rounds):
                there, found = gathered(layer, a, s, some)
                both, alone, results = by_taps(layer, a, s, some, gemm)
                for way, seconds in zip(WAYS, (there, both, alone)):
                    least[way] = tuple(map(min, least[way], seconds))
            gap = max(gap, *(float(abs(one - other).max() / abs(one).max()) for one, other in zip(found, results)))
            for way in WAYS:
                totals[way] += np.multiply(counted, least[way])
    totals = {way: seconds.tolist() for way, seconds in totals.items()}
    won = [(sum(totals["gathered"]) - sum(totals[way])) / whole for way in WAYS[1:]]
    return {"rule": rule, "number": number, "explanation": whole, **totals, "won": won, "gap": gap}


def show(row):
    cells = [f"{forwards:.2f}, {back:.2f}" for forwards, back in (row[way] for way in WAYS)]
    won = [f"{100 * part:.0f} %" for part in row["won"]]
    line((row["rule"], row["number"], f"{row['explanation']:.2f}", *cells, *won, f"{row['gap']:.0e}"), WIDTHS)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rules", nargs="+", choices=RULES, default=list(RULES))
    parser.add_argument("--numbers", nargs="+", choices=NUMBERS, default=list(NUMBERS))
    parser.add_argument("--output", default="out/bench.json")
    options = parser.parse_args()
    introduce()
    print("\nVGG-16's convolutions alone, seconds forwards and back; what taps would win of a whole explanation:\n")
    head(("rule", "numbers", "explain", *WAYS, "taps win", "channels last win", "differs by"), WIDTHS)
    rows = []
    for number in options.numbers:
        network = vgg16(NUMBERS[number][0])
        x = np.random.default_rng(1).normal(size=(1, 3, 224, 224)).astype(number)
        for rule in options.rules:
            rows.append(compared(network, x, rule, number, options.rounds))
            show(rows[-1])
    write(options.output, taps=rows)


if __name__ == "__main__":
    main()
