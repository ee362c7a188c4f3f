"""Depthwise convolutions of EfficientNet-Lite0 in the least NumPy: a table of `make bench`.

The goal is that they take a quarter of an explanation's time. Ours are timed beside three sketches that know nothing of
rules, padding done: a pass per tap over all images, written into one array; all windows as a view, summed by einsum;
and rows times banded matrices by BLAS, these with and without making the matrices. The last line says what part of an
explanation under epsilon depthwise convolutions would take if every shape had its fastest, once forwards and once back.
"""

import argparse
import sys
from functools import partial

from timing import CORES, clock, head, introduce, line  # first: it sets the number of threads

# isort: split
import numpy as np
from imagenet import depthwise, timed_products

from lrp_ref import Conv2D, Epsilon, Linear, assign, explain, load_model

WIDTHS = 30, 10, 10, 10, 10, 14
ROUNDS = 5


def by_taps(x, w, stride):
    """sum over taps of w x, into one array."""
    rows, columns = ((n - k) // stride + 1 for n, k in zip(x.shape[2:], w.shape[2:]))
    out, part = np.zeros((len(x), len(w), rows, columns)), np.empty((len(x), len(w), rows, columns))
    for i, j in np.ndindex(w.shape[2:]):
        window = x[:, :, i : i + stride * (rows - 1) + 1 : stride, j : j + stride * (columns - 1) + 1 : stride]
        out += np.multiply(window, w[:, 0, i, j, None, None], out=part)
    return out


def by_windows(x, w, stride):
    """All windows, a view, by einsum."""
    windows = np.lib.stride_tricks.sliding_window_view(x, w.shape[2:], (2, 3))[:, :, ::stride, ::stride]
    return np.einsum("ncrsij,cij->ncrs", windows, w[:, 0])


def banded(w, width, stride):
    """For every channel and row of the kernel the matrix by which a row of the image gives a row of sums."""
    columns = (width - w.shape[3]) // stride + 1
    made = np.zeros((len(w), w.shape[2], width, columns))
    channel, row, one, other = made.strides
    for j in range(w.shape[3]):   # the diagonal that begins in row j
        diagonal = np.lib.stride_tricks.as_strided(made[:, :, j:], (len(w), w.shape[2], columns),
                                                   (channel, row, stride * one + other))
        diagonal[...] = w[:, 0, :, j, None]
    return made


def by_new_bands(x, w, rows, stride):
    return by_rows(x, banded(w, x.shape[3], stride), rows, stride)


def by_rows(x, bands, rows, stride):
    """Rows times banded matrices, one product for every row of the kernel."""
    out = 0
    for i in range(bands.shape[1]):
        out = out + x[:, :, i : i + stride * (rows - 1) + 1 : stride] @ bands[:, i]
    return out


def least(call):
    return min(clock(call)[0] for _ in range(ROUNDS))


def main(arguments=None):
    argparse.ArgumentParser(description=__doc__).parse_args(arguments)
    try:
        network = load_model("imagenet").chain.astype(np.float64)
    except ValueError as error:
        sys.exit(f"{error}")
    introduce()
    x = np.random.default_rng(1).uniform(-1, 1, (1, 3, 224, 224))
    rules = assign(network, {Conv2D: Epsilon(1e-6), Linear: Epsilon(1e-6)})
    R = np.where(network(x) == network(x).max(), network(x), 0)
    e = explain(network, x, rules, R)
    print(f"\nForwards, one image of 224 x 224, float64, {CORES} threads, milliseconds, the least of {ROUNDS}:\n")
    head(("channels, rows, kernel, stride", "ours", "taps", "windows", "rows", "rows, bands"), WIDTHS)
    sums = np.zeros(7)
    for name, layer, _ in network.nodes:
        if getattr(layer, "groups", 1) == 1:
            continue
        a, (stride, _), w = network.read(name, e.activations), np.broadcast_to(layer.stride, 2), layer.weight
        (top, bottom), (left, right) = (np.broadcast_to(side, 2) for side in layer.pad)
        framed = np.pad(a, ((0, 0), (0, 0), (top, bottom), (left, right)))
        rows = e.activations[name].shape[2]
        with timed_products() as spent:
            for _ in range(ROUNDS):
                layer(a)
        stride = int(stride)
        bands = banded(w, framed.shape[3], stride)
        calls = (partial(by_taps, framed, w, stride), partial(by_windows, framed, w, stride),
                 partial(by_rows, framed, bands, rows, stride), partial(by_new_bands, framed, w, rows, stride))
        bare = e.activations[name] - (0 if layer.bias is None else layer.bias[:, None, None])
        for call in calls:
            assert np.allclose(call(), bare, rtol=0, atol=1e-9 * abs(bare).max())
        times = [spent[0] / ROUNDS, *map(least, calls)]
        sums += [*times, min(times), min(t for t in times if t is not times[3])]
        line((f"{a.shape[1]}, {a.shape[2]}, {w.shape[2]}, {stride}", *(f"{1000 * t:.2f}" for t in times)), WIDTHS)
    line(("all", *(f"{1000 * t:.2f}" for t in sums[:5])), WIDTHS)
    part, without, whole, products = depthwise(network, x, rules, R)
    rest = whole * part - products
    free, made = ((rest + 2 * fastest) / (whole - products + 2 * fastest) for fastest in sums[5:])
    print(f"\nepsilon: depthwise convolutions take {part:.2f} of {1000 * whole:.0f} ms; {without:.2f} if products took "
          f"no time;\n{made:.2f} with each shape's fastest, forwards and back, {free:.2f} if bands cost nothing")


if __name__ == "__main__":
    main()
