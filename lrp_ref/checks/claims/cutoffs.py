"""Claims about the cut-off: the statements (a) to (e), each with a counterexample where its condition fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial

import numpy as np

from lrp_ref import assignment, relevance
from lrp_ref.arrays import Array
from lrp_ref.checks import definitions as loops
from lrp_ref.checks.claims.by_loops import defined, defined_step, input_of, units
from lrp_ref.checks.claims.claim import FRACTIONS, SEEDS, Case, Claim, Found, equal
from lrp_ref.checks.claims.examples import (
    RATIONAL,
    Example,
    F,
    Pair,
    image,
    mixed,
    output_of,
    relevance_for,
    small_network,
)
from lrp_ref.checks.claims.laws import on_pairs
from lrp_ref.checks.numbers.exact import guarded
from lrp_ref.layers import AdaptiveAvgPool, AvgPool, Conv2D, DenseSift, Flatten, Linear, MaxPool, ReLU, SumPool
from lrp_ref.network import Network, receptive_field
from lrp_ref.relevance import Explanation, explain
from lrp_ref.rules import AlphaBeta, Epsilon, Flat, Rule, WSquare
from lrp_ref.step import step

SHAPE = (2, 1, 6, 5)


def flattened(chain: Network, x: Array, R: Array) -> Array:
    """Relevance R of the top spread flat through every layer."""
    return explain(chain, x, dict.fromkeys(chain.names, Flat()), R).relevance


def maps(chain: Network, x: Array) -> list[loops.Map]:
    """The layers at one sample, by loops, lowest first."""
    return [defined(layer, a[0]) for (_, layer), a in zip(chain, chain.activations(x[None]).values())]


# ---- Where it applies ----


def paper_is_two_one() -> bool:
    rules = assignment.paper_cnn(small_network())
    return {name: rules[name] for name in ("conv1", "conv2", "fc")} == dict.fromkeys(
        ("conv1", "conv2", "fc"), AlphaBeta(2, 1))


def only_below(plain: Callable[[], Explanation], filler: Rule, below: str) -> Found:
    chain, x = small_network(), mixed(SHAPE, 1)
    rules, n = assignment.paper_cnn(chain), chain.index(below)
    cut = assignment.cutoff(rules, below, filler)
    holds = list(cut) == list(chain.names) and [*cut.values()] == [filler] * n + [*rules.values()][n:]
    e, other = explain(chain, x, cut), plain()
    holds = holds and all(equal(e.relevances[t], other.relevances[t]) for t in ("input", *chain.names)[n:])
    holds = holds and equal(e.relevance, other.relevance) == (n == 0)   # of the lowest layer there is nothing below
    return Found(holds, (e.relevance,))


def whatever_the_rule_was() -> bool:
    chain = small_network()
    boxed = assignment.epsilon_gamma_box(chain, -4, 5)
    return assignment.cutoff(boxed, "fc") == {**dict.fromkeys(chain.names, Flat()), "fc": boxed["fc"]}


def where_it_applies() -> Iterator[Case]:
    chain = small_network()
    plain = cache(partial(explain, chain, mixed(SHAPE, 1), assignment.paper_cnn(chain)))
    yield Case("paper_cnn is AlphaBeta(2, 1) on Conv2D and Linear", paper_is_two_one)
    for below in chain.names:
        for filler in (Flat(), WSquare()):
            yield Case(f"{filler!r} below {below}", partial(only_below, plain, filler, below))
    yield Case("whatever the rule was", whatever_the_rule_was)


# ---- (a) Substitution ----


def is_substituted(example: Example, seed: int) -> Found:
    a, m = example.map(seed=seed)
    R, x = relevance_for(output_of(a, m), seed + 9), example.x(seed=seed)
    got, holds = step(Flat(), m, a, R)[0], True
    for n, sample in enumerate(x):
        there = defined(example.layer, sample)
        ones = {j: [(i, c, 1) for i, c, _ in there.connections[j]] for j in there.connections}
        bare = loops.Map(ones, dict.fromkeys(ones, 0), {}, there.learned)
        by_hand = loops.epsilon(bare, dict.fromkeys(units(sample), 1), units(R[n])).relevance
        holds = holds and all(got[n][i] == by_hand.get(i, 0) for i in np.ndindex(sample.shape))
    return Found(holds, (got,))


def is_blind_below(below: str) -> Found:
    chain, x = small_network(), mixed(SHAPE, 1)
    lower, others = (some[: chain.index(below)] for some in (chain, small_network(40)))
    R = relevance_for(lower(x))
    wanted = flattened(lower, x, R)
    return Found(bool(wanted.any()) and all(equal(flattened(some, y, R), wanted) for some, y in (
        (lower, mixed(SHAPE, 7)), (others, x), (others, 0 * x))), (wanted,))


def inputs_as_they_are() -> Found:
    chain, x, R = Network([("fc", Linear(guarded([["1"], ["1"]])))]), guarded([["1", "3"]]), guarded([["1"]])
    weighted, flat = explain(chain, x, {"fc": Epsilon(0)}, R).relevance, flattened(chain, x, R)
    return Found(weighted.tolist() == [[F(1, 4), F(3, 4)]] and flat.tolist() == [[F(1, 2), F(1, 2)]], (weighted, flat),
                 "weights 1 but inputs 1 3 as they are: 1/4 3/4, Flat 1/2 1/2")


def substitution() -> Iterator[Case]:
    for seed in SEEDS:
        for name, example in RATIONAL.items():
            yield Case(f"Flat on {name}", partial(is_substituted, example, seed), seed > 0)
    for below in small_network().names[1:]:
        yield Case(f"another image, other weights, below {below}", partial(is_blind_below, below))
    yield Case("weights of 1 alone share in proportion to the inputs", inputs_as_they_are)


# ---- (b) Averaging ----


def averages(pair: Pair, seed: int) -> Found:
    a, m = pair.map()
    R, x = relevance_for(output_of(a, m), seed + 9), pair.example.x(1, seed)
    there, account = defined(pair.example.layer, x[0]), step(pair.rule, m, a, R)[1]
    messages = defined_step(pair.rule, there, input_of(pair.example.layer, x[0]), R[0]).messages
    averaged, absorbed = dict.fromkeys(units(x[0]), F(0)), dict.fromkeys(units(x[0]), F(0))
    for j, connections in there.connections.items():
        n = sum(c for _, c, _ in connections)
        sent = sum(messages[i, j] for i, _, _ in connections)
        lost = account.bias[0][j] + account.stabiliser[0][j] + account.dead[0][j]
        for i, c, _ in connections:
            averaged[i] += c * sent / F(n)
            absorbed[i] += c * lost / F(n)
    got = units(step(Flat(), m, a, R)[0][0])
    return Found({i: got[i] - averaged[i] for i in got} == absorbed)


# no bias, no dead unit: messages 2, 3 of the first window's 5 and 6, 2 of the second's 8
PAIRWISE = Network([("conv", Conv2D(image("1 1")))]), image("2 3 1"), image("5 8")


def messages_averaged() -> Found:
    chain, x, R = PAIRWISE
    below, flat = explain(chain, x, {"conv": Epsilon(0)}, R).relevance, flattened(chain, x, R)
    return Found(equal(below, image("2 9 2")) and equal(flat, image("5/2 13/2 4")), (below, flat))


def sums_averaged() -> Found:
    chain, x, R = PAIRWISE
    first, second, third = explain(chain, x, {"conv": Epsilon(0)}, R).relevance[0, 0, 0]
    summed = (first + second) / 2, (second + third) / 2
    spread = [summed[0] / 2, (summed[0] + summed[1]) / 2, summed[1] / 2]
    return Found(spread == [F(11, 4), F(11, 2), F(11, 4)] and sum(spread) != sum(R.flat), (),
                 "averages of the summed relevances: 11/4 11/2 11/4, not 5/2 13/2 4")


def averages_beside_a_bias() -> Found:
    chain, x, R = PAIRWISE
    biased = Network([("conv", Conv2D(image("1 1"), guarded(["1"])))])
    e = explain(biased, x, {"conv": Epsilon(0)}, R)
    return Found(sum(e.relevance.flat) < sum(flattened(chain, x, R).flat), (e.relevance,))


def averaging() -> Iterator[Case]:
    yield from on_pairs(averages, RATIONAL, 1)
    yield Case("Flat is the average of each operator's own messages", messages_averaged)
    yield Case("averages of the summed relevances are not, and lose some", sums_averaged)
    yield Case("with a bias the average falls short", averages_beside_a_bias)


# ---- (c) Stacking ----


def walks(seed: int, below: str) -> Found:
    chain, x = small_network(seed), mixed(SHAPE, seed + 1)
    lower = chain[: chain.index(below)]
    R = relevance_for(lower(x))
    got, holds = flattened(lower, x, R), True
    for n, sample in enumerate(x):
        walked = loops.walk(maps(lower, sample), units(R[n]))
        holds = holds and all(got[n][i] == walked.get(i, 0) for i in np.ndindex(sample.shape))
    return Found(holds, (got,))


def is_no_count_of_paths() -> Found:
    two = Network([("conv1", Conv2D(image("1 -2 3"), guarded(["1"]), pad=(0, 1))),
                   ("conv2", Conv2D(image("4 0 -1"), guarded(["-2"]), pad=(0, 1)))])
    x, R = image("2 -1 0 5"), image("1 0 0 0")
    # unit 0 walks to units 0 and 1 with 1/2 each; 0 walks on to pixels 0, 1 and 1 to pixels 0, 1, 2
    walk = flattened(two, x, R)
    paths = loops.paths(maps(two, x[0]), (0, 0, 0))
    # the network of ones run forward on ones, and Eq. 1 applied to it: 5 paths, 2 of them to pixel 0
    ones = Network([(name, Conv2D(image("1 1 1"), pad=(0, 1))) for name in two.names])
    counted = explain(ones, 0 * x + 1, dict.fromkeys(ones.names, Epsilon(0)), R).relevance
    holds = equal(walk, image("5/12 5/12 1/6 0")) and equal(counted, image("2/5 2/5 1/5 0"))
    holds = holds and {i: F(c) for i, c in paths.items()} == {i: c for i, c in units(counted[0]).items() if c}
    return Found(holds, (walk,), "at a clipped window: the walk 5/12 5/12 1/6 0, paths 2/5 2/5 1/5 0")


def counts_paths() -> Found:
    whole = Network([("conv1", Conv2D(image("1 -2 3"))), ("conv2", Conv2D(image("4 0 -1")))])
    walk = flattened(whole, image("2 -1 0 5 1 3 7"), image("0 1 0"))
    return Found(equal(walk, image("0 1/9 2/9 3/9 2/9 1/9 0")), (walk,))


def is_one_box() -> Found:
    boxes = Network([("avg", AvgPool((1, 2))), ("conv", Conv2D(image("4 0 -1, 1 2 5"), guarded(["-2"]), (2, 3)))])
    walk = flattened(boxes, image("2 -1 0 5 1 3, 7 7 1 2 4 1"), image("6"))
    return Found(equal(walk, image(", ".join(["1/2 " * 6] * 2))), (walk,))


def is_no_box() -> Found:
    overlap = Network([("sum", SumPool((1, 2), 1)), ("max", MaxPool((1, 2)))])
    walk = flattened(overlap, image("3 1 2"), image("4"))
    return Found(equal(walk, image("1 2 1")), (walk,), "overlapping windows: 1 2 1, no box")


def stacking() -> Iterator[Case]:
    for seed in SEEDS:
        for below in small_network().names[1:]:
            yield Case(f"network {seed} below {below}", partial(walks, seed, below), seed > 0)
    yield Case("two 3-wide convolutions, padding 1, 4 pixels, unit 0", is_no_count_of_paths)
    yield Case("no clipped window: the walk counts paths", counts_paths)
    yield Case("stride = window: one box", is_one_box)
    yield Case("overlapping windows: no box", is_no_box)


# ---- Receptive fields ----

FIELDS = Network([   # an uneven kernel with holes, strides and paddings that differ, a pooling, another convolution
    ("conv1", Conv2D(image("1 2 3, 4 5 6"), None, (2, 1), (1, 2), (3, 2))), ("relu", ReLU()),
    ("pool", MaxPool((3, 2), (1, 2), (1, 0))), ("conv2", Conv2D(image("1 2, 3 4"), None, (1, 2), (0, 1)))])


def is_what_is_reached(name: str, most: int) -> Found:
    x = guarded([[[["1"] * 29] * 21]])
    chain = FIELDS[: FIELDS.index(name) + 1]
    field, outputs, inside = receptive_field(FIELDS, name), chain(x), 0
    holds = field is not None
    for v in np.ndindex(*outputs.shape[2:]):
        if field is None or inside == most:
            break
        first = [v[axis] * field.step[axis] + field.start[axis] for axis in (0, 1)]
        last = [first[axis] + field.size[axis] - 1 for axis in (0, 1)]
        if min(first) >= 0 and last[0] < 21 and last[1] < 29:
            one = 0 * outputs
            one[0, 0][v] = F(1)
            reached = np.argwhere(flattened(chain, x, one)[0, 0] != 0)
            holds = holds and [*reached.min(axis=0)] == first and [*reached.max(axis=0)] == last
            inside += 1
    return Found(holds and inside > 2, (), f"{name}: {field}")


def is_none_of_the_whole() -> bool:
    whole = Network([*FIELDS, ("fc", Linear(mixed((7, 2), 1)))])
    cells = Network([*FIELDS, ("cells", AdaptiveAvgPool(2))])
    return receptive_field(whole, "fc") is receptive_field(cells, "cells") is None


def fields() -> Iterator[Case]:
    for name in FIELDS.names:
        yield Case(f"outputs of {name}", partial(is_what_is_reached, name, 3))
        yield Case(f"all outputs of {name}", partial(is_what_is_reached, name, 21 * 29), full=True)
    yield Case("of a fully connected layer it is the image, of adaptive cells it depends on it", is_none_of_the_whole)


# ---- (d) Fully connected layers ----


def is_uniform(x: str) -> Found:
    chain = Network([("fc", Linear(guarded([["2", "-1"], ["0", "3"], ["5", "1"]]), guarded(["1", "2"])))])
    R = flattened(chain, guarded([x.split()]), guarded([["5", "4"]]))
    return Found(R.tolist() == [[3, 3, 3]], (R,))


def is_a_pattern_of_pixels() -> Found:
    # 9 x 9 windows, 11 wide and 4 apart, over 43 x 43 pixels: a corner lies in 1 of them, no pixel in more than 3 x 3
    chain = Network([("conv1", Conv2D(np.full((2, 1, 11, 11), F(1)), stride=4)), ("flat", Flatten()),
                     ("fc", Linear(np.full((162, 3), F(1))))])
    x = guarded(np.arange(43 * 43).reshape(1, 1, 43, 43).tolist())
    R, mean = flattened(chain, x, guarded([["1", "0", "0"]]))[0, 0], F(1, 43 * 43)
    holds = (sum(R.flat) == 1 and R[0, 0] / mean == F(43 * 43, 81 * 121) == R.min() / mean
             and R.max() == 9 * R[0, 0] and equal(R, R.T) and equal(R, R[::-1]) and set(R[8:35:4, 8:35:4].flat)
             == {R.max()} and round(R.min() / mean, 2) == F("0.19") and round(R.max() / mean, 2) == F("1.70"))
    return Found(holds, (R,), f"not uniform over pixels: {float(R.min() / mean):.2f} to {float(R.max() / mean):.2f} "
                 "times the mean")


def squares_are_not_uniform() -> Found:
    x, R = guarded([["2", "5"]]), guarded([["1"]])
    other = flattened(Network([("fc", Linear(guarded([["1"], ["1"]])))]), x, R)
    squared = explain(Network([("fc", Linear(guarded([["1"], ["2"]])))]), x, {"fc": WSquare()}, R).relevance
    return Found(equal(2 * other, 0 * other + 1) and squared.tolist() == [[F(1, 5), F(4, 5)]], (squared,))


def fully_connected() -> Iterator[Case]:
    for x in ("1 2 3", "0 -7 4"):
        yield Case(f"uniform at {x}", partial(is_uniform, x))
    yield Case("43 x 43 pixels", is_a_pattern_of_pixels)
    yield Case("w-square is not uniform", squares_are_not_uniform)


# ---- (e) Fisher vectors ----


def fills_squares(size: int, bounds: tuple[int, int, int, int] | None) -> Found:
    layer, shape = DenseSift(size, 2, bounds=bounds), (1, 1, 13, 14)
    pixels = np.full(shape, F(1), dtype=object)
    frames = layer.frames(shape)
    R_l = mixed((1, len(frames)), size)
    at_fisher = np.stack([R_l / F(4)] * 4, axis=-1)                # each descriptor's relevance, in 4 dimensions
    pca = Linear(mixed((128, 4), 3)).linearize(mixed((1, len(frames), 128), 5))
    coordinates = step(Flat(), pca[1], pca[0], at_fisher)[0]
    holds = equal(coordinates, np.broadcast_to(R_l[..., None] / F(128), coordinates.shape))
    got = relevance.through_layer(Flat(), layer, pixels, coordinates)[0][0, 0]
    wanted, clipped = squares(frames, R_l[0], size, (13, 14))
    holds = holds and equal(got, wanted) != bool(clipped) and sum(got.flat) == sum(R_l.flat)
    return Found(holds, (got,), "" if not clipped else
                 f"{clipped} of {len(frames)} descriptors clipped at the border: denser there")


def squares(frames: Array, R_l: Array, size: int, shape: Sequence[int]) -> tuple[Array, int]:
    """R_l / (4 s)^2 on every pixel of descriptor l's square of odd bins, and how many squares leave the image."""
    out, clipped = np.full(tuple(shape), F(0), dtype=object), 0
    for (x, y, _), R in zip(frames, R_l):
        left, top = round(x - 2 * size + 0.5), round(y - 2 * size + 0.5)
        inside = out[max(0, top) : top + 4 * size, max(0, left) : left + 4 * size]
        clipped += inside.size < (4 * size) ** 2
        inside += R / F((4 * size) ** 2)
    return out, clipped


def goes_size_by_size() -> Found:
    both, x = DenseSift((3, 1), 2), np.full((1, 1, 13, 14), F(1), dtype=object)   # in pieces, the first over all pixels
    a, m = both.linearize(x)
    R = mixed((1, *both.output_shape(x.shape)[1:]), 4)
    got = relevance.through_layer(Flat(), both, x, R)[0]
    return Found(equal(got, step(Flat(), m, a, R)[0]), (got,))


def keeps_its_sixteenth() -> Found:
    # one descriptor at the corner of the image: its first bin has 2 x 2 of its 3 x 3 pixels inside
    layer, one = DenseSift(3, 20), np.full((1, 1, 12, 11), F(1), dtype=object)
    R = np.full((1, 1, 128), F(1, 128), dtype=object)
    got = relevance.through_layer(Flat(), layer, one, R)[0][0, 0]
    return Found(got[0, 0] == F(1, 64) and got[3, 3] == F(1, 144), (got,),
                 "a pixel of a clipped bin 1/64, of a whole one 1/144")


def fisher() -> Iterator[Case]:
    for size, bounds in ((3, (1, 1, 12, 11)), (1, (0, 0, 6, 4)), (3, None)):
        yield Case(f"size {size}, bounds {bounds}", partial(fills_squares, size, bounds))
    yield Case("descriptors of two sizes", goes_size_by_size)
    yield Case("a clipped bin keeps its sixteenth", keeps_its_sixteenth)


CLAIMS = (
    Claim("cut-off", "cutoff(rules, below) changes the rule of every layer under `below` and of no other; above it "
          "nothing changes.", FRACTIONS, where_it_applies),
    Claim("cut-off (a)", "(a) Flat is Eq. 1 with inputs 1, weights 1 and no bias: below the cut neither image nor "
          "weights matter.", FRACTIONS, substitution),
    Claim("cut-off (b)", "(b) Flat(R)_i - sum_j c_ij/n_j sum_i' R_i'<-j = sum_j c_ij/n_j (bias_j + stabiliser_j + "
          "dead_j), for any rule.", FRACTIONS, averaging),
    Claim("cut-off (c)", "(c) Stacked flat layers are the walk R_0 = T_1' .. T_n' R_n, T[j, i] = c_ij / n_j; it counts "
          "paths, or is a box, only under conditions.", FRACTIONS, stacking),
    Claim("cut-off (d)", "(d) A flat Linear gives every input the same, whatever the image; over the pixels the fixed "
          "walk of the layers below it: 0.19 to 1.70 times the mean under windows of 11, stride 4.", FRACTIONS,
          fully_connected),
    Claim("cut-off (e)", "(e) Below a Fisher vector each SIFT coordinate gets R_l/128, each bin R_l/16, each pixel of "
          "its square the same; where a bin is clipped by the image border, its pixels get more.", FRACTIONS, fisher),
    Claim("receptive fields", "The receptive field of an output is where its relevance goes below a cut-off: size, "
          "step and start by axis.", FRACTIONS, fields),
)
