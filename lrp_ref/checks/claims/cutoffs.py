"""Claims about the cut-off: the statements (a) to (e), each with a counterexample where its condition fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from lrp_ref import assignment, relevance
from lrp_ref.arrays import Array, ones_like
from lrp_ref.checks import definitions as loops
from lrp_ref.checks.claims.by_loops import defined, defined_step, input_of, units
from lrp_ref.checks.claims.case import Case, same
from lrp_ref.checks.claims.examples import RATIONAL, F, mixed, output_of, pairs, relevance_for, small_network
from lrp_ref.checks.claims.laws import seeds
from lrp_ref.checks.numbers.exact import guarded
from lrp_ref.layers import AdaptiveAvgPool, AvgPool, Conv2D, DenseSift, Linear, MaxPool, ReLU, SumPool
from lrp_ref.network import Network, receptive_field
from lrp_ref.relevance import explain
from lrp_ref.rules import AlphaBeta, Epsilon, Flat, WSquare

SHAPE = (2, 1, 6, 5)


def image(*rows: str) -> Array:
    """A batch of one image of one channel."""
    return guarded([[[row.split() for row in rows]]])


def flattened(chain: Network, x: Array, R: Array) -> Array:
    """Relevance R of the top spread flat through every layer."""
    return explain(chain, x, dict.fromkeys(chain.names, Flat()), R).relevance


def maps(chain: Network, x: Array) -> list[loops.Map]:
    """The layers at one sample, by loops, lowest first."""
    return [defined(layer, a[0]) for (_, layer), a in zip(chain, chain.activations(x[None]))]


def where_it_applies(full: bool) -> Iterator[Case]:
    """cutoff(rules, below) changes the rule of every layer under `below` and of no other; above it nothing changes."""
    chain, x = small_network(), mixed(SHAPE, 1)
    rules = assignment.paper_cnn(chain)
    expected = {name: AlphaBeta(2, 1) for name in ("conv1", "conv2", "fc")}
    plain = explain(chain, x, rules)
    yield Case("paper_cnn is AlphaBeta(2, 1) on Conv2D and Linear",
               {name: rules[name] for name in expected} == expected)
    for n, below in enumerate(chain.names):
        for filler in (Flat(), WSquare()):
            cut = assignment.cutoff(rules, below, filler)
            holds = list(cut) == list(chain.names) and [*cut.values()] == [filler] * n + [*rules.values()][n:]
            e = explain(chain, x, cut)
            holds = holds and all(same(e.relevances[name], plain.relevances[name]) for name in chain.names[n:])
            yield Case(f"{filler!r} below {below}", holds, (e.relevance,))
    boxed = assignment.epsilon_gamma_box(chain, -4, 5)
    yield Case("whatever the rule was", assignment.cutoff(boxed, "fc")
               == {**dict.fromkeys(chain.names, Flat()), "fc": boxed["fc"]})


def substitution(full: bool) -> Iterator[Case]:
    """(a) Flat is Eq. 1 with inputs 1, weights 1 and no bias: below the cut neither image nor weights matter."""
    for seed in seeds(full):
        for what, example, rule, a, m in pairs(RATIONAL, seed=seed):
            if rule == Flat():
                R, x = relevance_for(output_of(a, m), seed + 9), example.x(seed=seed)
                got, holds = relevance.step(rule, m, a, R)[0], True
                for n, sample in enumerate(x):
                    there = defined(example.layer, sample)
                    ones = {j: [(i, c, 1) for i, c, _ in there.connections[j]] for j in there.connections}
                    bare = loops.Map(ones, dict.fromkeys(ones, 0), {}, there.learned)
                    by_hand = loops.epsilon(bare, dict.fromkeys(units(sample), 1), units(R[n])).relevance
                    holds = holds and all(got[n][i] == by_hand.get(i, 0) for i in np.ndindex(sample.shape))
                yield Case(what, holds, (got,))
    chain, x = small_network(), mixed(SHAPE, 1)
    for below in chain.names[1:]:
        lower, others = (some[: chain.index(below)] for some in (chain, small_network(40)))
        R = relevance_for(lower(x))
        wanted = flattened(lower, x, R)
        holds = bool(wanted.any()) and all(same(flattened(some, y, R), wanted) for some, y in (
            (lower, mixed(SHAPE, 7)), (others, x), (others, 0 * x)))
        yield Case(f"another image, other weights, below {below}", holds, (wanted,))
    chain, x, R = Network([("fc", Linear(guarded([["1"], ["1"]])))]), guarded([["1", "3"]]), guarded([["1"]])
    weighted, flat = explain(chain, x, {"fc": Epsilon(0)}, R).relevance, flattened(chain, x, R)
    holds = weighted.tolist() == [[F(1, 4), F(3, 4)]] and flat.tolist() == [[F(1, 2), F(1, 2)]]
    yield Case("weights of 1 alone share in proportion to the inputs", holds, (weighted, flat),
               "weights 1 but inputs 1 3 as they are: 1/4 3/4, Flat 1/2 1/2")


def averaging(full: bool) -> Iterator[Case]:
    """(b) Flat(R)_i - sum_j c_ij/n_j sum_i' R_i'<-j = sum_j c_ij/n_j (bias_j + stabiliser_j + dead_j), for any rule."""
    for seed in seeds(full):
        for what, example, rule, a, m in pairs(RATIONAL, samples=1, seed=seed):
            R, x = relevance_for(output_of(a, m), seed + 9), example.x(1, seed)
            there, account = defined(example.layer, x[0]), relevance.step(rule, m, a, R)[1]
            messages = defined_step(rule, there, input_of(example.layer, x[0]), R[0]).messages
            averaged, absorbed = dict.fromkeys(units(x[0]), F(0)), dict.fromkeys(units(x[0]), F(0))
            for j, connections in there.connections.items():
                n = sum(c for _, c, _ in connections)
                sent = sum(messages[i, j] for i, _, _ in connections)
                lost = account.bias[0][j] + account.stabiliser[0][j] + account.dead[0][j]
                for i, c, _ in connections:
                    averaged[i] += c * sent / F(n)
                    absorbed[i] += c * lost / F(n)
            got = units(relevance.step(Flat(), m, a, R)[0][0])
            yield Case(what, {i: got[i] - averaged[i] for i in got} == absorbed)
    # no bias, no dead unit: messages 2, 3 of the first window's 5 and 6, 2 of the second's 8
    chain, x, R = Network([("conv", Conv2D(image("1 1")))]), image("2 3 1"), image("5 8")
    below, flat = explain(chain, x, {"conv": Epsilon(0)}, R).relevance, flattened(chain, x, R)
    yield Case("Flat is the average of each operator's own messages", same(below, image("2 9 2"))
               and same(flat, image("5/2 13/2 4")), (below, flat))
    summed = [sum(window) / 2 for window in ([below[0, 0, 0, 0], below[0, 0, 0, 1]], [*below[0, 0, 0, 1:]])]
    spread = [summed[0] / 2, (summed[0] + summed[1]) / 2, summed[1] / 2]
    yield Case("averages of the summed relevances are not, and lose some", spread == [F(11, 4), F(11, 2), F(11, 4)]
               and sum(spread) != sum(R.flat), (), "averages of the summed relevances: 11/4 11/2 11/4, not 5/2 13/2 4")
    biased = Network([("conv", Conv2D(image("1 1"), guarded(["1"])))])
    e = explain(biased, x, {"conv": Epsilon(0)}, R)
    yield Case("with a bias the average falls short", sum(e.relevance.flat) < sum(flat.flat), (e.relevance,))


def stacking(full: bool) -> Iterator[Case]:
    """(c) Stacked flat layers are the walk R_0 = T_1' .. T_n' R_n, T[j, i] = c_ij / n_j; it counts paths, or is a box,
    only under conditions."""
    for seed in seeds(full):
        chain, x = small_network(seed), mixed(SHAPE, seed + 1)
        for below in chain.names[1:]:
            lower = chain[: chain.index(below)]
            R = relevance_for(lower(x))
            got, holds = flattened(lower, x, R), True
            for n, sample in enumerate(x):
                walked = loops.walk(maps(lower, sample), units(R[n]))
                holds = holds and all(got[n][i] == walked.get(i, 0) for i in np.ndindex(sample.shape))
            yield Case(f"network {seed} below {below}", holds, (got,))
    two = Network([("conv1", Conv2D(image("1 -2 3"), guarded(["1"]), pad=(0, 1))),
                   ("conv2", Conv2D(image("4 0 -1"), guarded(["-2"]), pad=(0, 1)))])
    x, R = image("2 -1 0 5"), image("1 0 0 0")
    walk = flattened(two, x, R)
    counted = [F(c) for c in loops.paths(maps(two, x[0]), (0, 0, 0)).values()]
    holds = same(walk, image("5/12 5/12 1/6 0")) and sorted(counted) == [F(1, 5), F(2, 5), F(2, 5)]
    yield Case("two 3-wide convolutions, padding 1, 4 pixels, unit 0", holds, (walk,),
               "at a clipped window: the walk 5/12 5/12 1/6 0, paths 2/5 2/5 1/5 0")
    whole = Network([("conv1", Conv2D(image("1 -2 3"))), ("conv2", Conv2D(image("4 0 -1")))])
    walk = flattened(whole, image("2 -1 0 5 1 3 7"), image("0 1 0"))
    yield Case("no clipped window: the walk counts paths", same(walk, image("0 1/9 2/9 3/9 2/9 1/9 0")), (walk,))
    boxes = Network([("avg", AvgPool((1, 2))), ("conv", Conv2D(image("4 0 -1", "1 2 5"), None, stride=(2, 3)))])
    walk = flattened(boxes, image("2 -1 0 5 1 3", "7 7 1 2 4 1"), image("6"))
    yield Case("stride = window: one box", same(walk, image(*["1/2 " * 6] * 2)), (walk,))
    overlap = Network([("sum", SumPool((1, 2), 1)), ("max", MaxPool((1, 2)))])
    walk = flattened(overlap, image("3 1 2"), image("4"))
    yield Case("overlapping windows: no box", same(walk, image("1 2 1")), (walk,), "overlapping windows: 1 2 1, no box")


FIELDS = Network([   # an uneven kernel with holes, strides and paddings that differ, a pooling, another convolution
    ("conv1", Conv2D(image("1 2 3", "4 5 6"), None, (2, 1), (1, 2), (3, 2))), ("relu", ReLU()),
    ("pool", MaxPool((3, 2), (1, 2), (1, 0))), ("conv2", Conv2D(image("1 2", "3 4"), None, (1, 2), (0, 1)))])


def fields(full: bool) -> Iterator[Case]:
    """The receptive field of an output is where its relevance goes below a cut-off: size, step and start by axis."""
    x = guarded([[[["1"] * 29] * 21]])
    xs = FIELDS.activations(x)
    for n, name in enumerate(FIELDS.names, 1):
        field, holds, inside = receptive_field(FIELDS, name), True, 0
        for v in np.ndindex(*xs[n].shape[2:]):
            if field is None:
                break
            first = [v[axis] * field.step[axis] + field.start[axis] for axis in (0, 1)]
            last = [first[axis] + field.size[axis] - 1 for axis in (0, 1)]
            if min(first) >= 0 and last[0] < 21 and last[1] < 29 and (inside < 3 or full):
                one = 0 * xs[n]
                one[0, 0][v] = F(1)
                reached = np.argwhere(flattened(FIELDS[:n], x, one)[0, 0] != 0)
                holds = holds and [*reached.min(axis=0)] == first and [*reached.max(axis=0)] == last
                inside += 1
        yield Case(f"outputs of {name}", holds and inside > 2, (), f"{name}: {field}")
    whole = Network([*FIELDS, ("fc", Linear(mixed((7, 2), 1)))])
    cells = Network([*FIELDS, ("cells", AdaptiveAvgPool(2))])
    yield Case("of a fully connected layer it is the image, of adaptive cells it depends on it",
               receptive_field(whole, "fc") is receptive_field(cells, "cells") is None)


def fully_connected(full: bool) -> Iterator[Case]:
    """(d) A flat Linear gives every input the same, whatever the image; over the pixels the fixed walk of the layers
    below it: 0.19 to 1.70 times the mean under windows of 11, stride 4."""
    chain = Network([("fc", Linear(guarded([["2", "-1"], ["0", "3"], ["5", "1"]]), guarded(["1", "2"])))])
    for x in (["1", "2", "3"], ["0", "-7", "4"]):
        R = flattened(chain, guarded([x]), guarded([["5", "4"]]))
        yield Case(f"uniform at {' '.join(x)}", R.tolist() == [[3, 3, 3]], (R,))
    # 9 x 9 windows, 11 wide and 4 apart, over 43 x 43 pixels: a corner lies in 1 of them, no pixel in more than 3 x 3
    tops = guarded([[[["1"] * 9] * 9]])
    m = Conv2D(guarded([[[["1"] * 11] * 11]]), stride=4).linearize(guarded([[[["1"] * 43] * 43]]))[1]
    a = ones_like(guarded([[[["1"] * 43] * 43]]))
    R = relevance.step(Flat(), m, a, tops / F(81))[0][0, 0]
    mean = F(1, 43 * 43)
    holds = (sum(R.flat) == 1 and R[0, 0] / mean == F(43 * 43, 81 * 121) == R.min() / mean
             and R.max() == 9 * R[0, 0] and same(R, R.T) and same(R, R[::-1]))
    yield Case("43 x 43 pixels", holds, (R,), f"not uniform over pixels: {float(R.min() / mean):.2f} to "
               f"{float(R.max() / mean):.2f} times the mean")
    other = flattened(Network([("fc", Linear(guarded([["1"], ["1"]])))]), guarded([["2", "5"]]), guarded([["1"]]))
    squared = explain(Network([("fc", Linear(guarded([["1"], ["2"]])))]), guarded([["2", "5"]]), {"fc": WSquare()},
                      guarded([["1"]])).relevance
    yield Case("w-square is not uniform", same(2 * other, 0 * other + 1)
               and squared.tolist() == [[F(1, 5), F(4, 5)]],
               (squared,))


def fisher(full: bool) -> Iterator[Case]:
    """(e) Below a Fisher vector each SIFT coordinate gets R_l/128, each bin R_l/16, each pixel of its square the same;
    where a bin is clipped by the image border, its pixels get more."""
    for size, bounds in ((3, (1, 1, 12, 11)), (1, (0, 0, 6, 4)), (3, None)):
        layer, shape = DenseSift(size, 2, bounds=bounds), (1, 1, 13, 14)
        pixels = np.full(shape, F(1), dtype=object)
        frames = layer.frames(shape)
        R_l = mixed((1, len(frames)), size)
        at_fisher = np.stack([R_l / F(4)] * 4, axis=-1)                # each descriptor's relevance, in 4 dimensions
        pca = Linear(mixed((128, 4), 3)).linearize(mixed((1, len(frames), 128), 5))
        coordinates = relevance.step(Flat(), pca[1], pca[0], at_fisher)[0]
        holds = same(coordinates, np.broadcast_to(R_l[..., None] / F(128), coordinates.shape))
        got = relevance.hand_down(Flat(), layer, pixels, coordinates)[0][0, 0]
        wanted, clipped = squares(frames, R_l[0], size, (13, 14))
        holds = holds and same(got, wanted) != bool(clipped) and sum(got.flat) == sum(R_l.flat)
        yield Case(f"size {size}, bounds {bounds}", holds, (got,),
                   "" if not clipped else f"{clipped} of {len(frames)} descriptors clipped at the border: denser there")
    both, x = DenseSift((3, 1), 2), np.full((1, 1, 13, 14), F(1), dtype=object)   # in pieces, the first over all pixels
    a, m = both.linearize(x)
    R = mixed((1, *both.output_shape(x.shape)[1:]), 4)
    got = relevance.hand_down(Flat(), both, x, R)[0]
    yield Case("descriptors of two sizes", same(got, relevance.step(Flat(), m, a, R)[0]), (got,))
    # one descriptor at the corner of the image: its first bin has 2 x 2 of its 3 x 3 pixels inside
    layer, one = DenseSift(3, 20), np.full((1, 1, 12, 11), F(1), dtype=object)
    R = np.full((1, 1, 128), F(1, 128), dtype=object)
    got = relevance.hand_down(Flat(), layer, one, R)[0][0, 0]
    yield Case("a clipped bin keeps its sixteenth", got[0, 0] == F(1, 64) and got[3, 3] == F(1, 144), (got,),
               "a pixel of a clipped bin 1/64, of a whole one 1/144")


def squares(frames: Array, R_l: Array, size: int, image: Sequence[int]) -> tuple[Array, int]:
    """R_l / (4 s)^2 on every pixel of descriptor l's square of odd bins, and how many squares leave the image."""
    out, clipped = np.full(tuple(image), F(0), dtype=object), 0
    for (x, y, _), R in zip(frames, R_l):
        left, top = round(x - 2 * size + 0.5), round(y - 2 * size + 0.5)
        inside = out[max(0, top) : top + 4 * size, max(0, left) : left + 4 * size]
        clipped += inside.size < (4 * size) ** 2
        inside += R / F((4 * size) ** 2)
    return out, clipped
