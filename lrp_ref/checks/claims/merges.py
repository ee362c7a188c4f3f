"""Claims about batch norms that are merged into a neighbour, in Fractions on small numbers."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from lrp_ref import merging
from lrp_ref.checks.claims.claim import FRACTIONS, SEEDS, Case, Claim, Found, equal
from lrp_ref.checks.claims.examples import STATISTICS, mixed, relevance_for
from lrp_ref.checks.numbers.exact import guarded
from lrp_ref.layers import BatchNorm, Conv2D, Linear
from lrp_ref.network import Network
from lrp_ref.relevance import explain
from lrp_ref.rules import Epsilon, Pass

NORM = BatchNorm(*STATISTICS, epsilon=0)
MERGES = {
    "Linear": (Network([("fc", Linear(mixed((4, 3), 1), mixed((3,), 2))), ("bn", NORM)]), (2, 4)),
    "Conv2D, no bias": (Network([("conv", Conv2D(mixed((3, 2, 2, 1), 3), None, (1, 2), (1, 0))), ("bn", NORM)]),
                        (2, 2, 3, 4)),
    "Conv2D in groups": (Network([("conv", Conv2D(mixed((3, 1, 1, 2), 4), mixed((3,), 5), dilation=(1, 2), groups=3)),
                                  ("bn", NORM)]), (2, 3, 2, 4)),
}


UPWARDS: dict[str, tuple[Network, tuple[int, ...]]] = {   # norms below the layer that they are merged into
    "Linear": (Network([("bn", NORM), ("fc", Linear(mixed((3, 2), 1), mixed((2,), 2)))]), (2, 3)),
    "Conv2D with sides": (Network([("bn", NORM), ("conv", Conv2D(mixed((2, 3, 2, 3), 3), mixed((2,), 4), (2, 1),
                                                                 ((1, 0), (0, 2))))]), (2, 3, 4, 5)),
    "Conv2D in groups": (Network([("bn", NORM), ("conv", Conv2D(mixed((6, 1, 1, 2), 5), None, groups=3))]),
                         (2, 3, 2, 4)),
}


def merged_function(name: str, seed: int, upwards: bool = False) -> Found:
    chain, shape = (UPWARDS if upwards else MERGES)[name]
    x, merged = mixed(shape, seed + 8), merging.merge_batchnorm(chain, shape)
    does_something = not equal(chain(x), chain[1:](x) if upwards else chain[:1](x))
    kept = chain.names[1:] if upwards else chain.names[:1]
    return Found(equal(merged(x), chain(x)) and merged.names == kept and does_something, (merged(x),))


def merged_relevance(name: str, seed: int) -> Found:
    chain, shape = MERGES[name]
    x, merged = mixed(shape, seed + 8), merging.merge_batchnorm(chain)
    _, lower, upper = chain.activations(x).values()
    R = relevance_for(upper, seed + 9) * ((lower != 0) & (upper != 0))
    below = chain.names[0]
    both = explain(chain, x, {below: Epsilon(0), "bn": Epsilon(0)}, R).relevance
    once = explain(merged, x, {below: Epsilon(0)}, R).relevance
    passed = explain(chain, x, {below: Epsilon(0), "bn": Pass()}, R).relevance
    return Found(equal(once, both) and not equal(once, passed) and bool(once.any()), (once, passed))


def merged_above_a_zero() -> Found:
    bn = BatchNorm(guarded(["1"]), guarded(["4"]), guarded(["2"]), guarded(["5"]), epsilon=0)
    chain = Network([("fc", Linear(guarded([["1"], ["-1"]]))), ("bn", bn)])
    x, R = guarded([["3", "3"]]), guarded([["4"]])   # fc gives 3 - 3 = 0, bn (0 - 1) + 5 = 4
    both = explain(chain, x, {"fc": Epsilon(0), "bn": Epsilon(0)}, R).relevance
    once = explain(merging.merge_batchnorm(chain), x, {"fc": Epsilon(0)}, R).relevance
    return Found(both.tolist() == [[0, 0]] and once.tolist() == [[3, -3]], (both, once),
                 "where the lower output is 0: both 0 0, merged 3 -3")


def merged_batch_norm() -> Iterator[Case]:
    for seed in SEEDS:
        for name in MERGES:
            yield Case(f"the same function, {name}", partial(merged_function, name, seed), seed > 0)
        for name in UPWARDS:
            yield Case(f"the same function, into the {name} above", partial(merged_function, name, seed, True),
                       seed > 0)
        for name in MERGES:
            yield Case(f"the same relevance, another than Pass, {name}", partial(merged_relevance, name, seed),
                       seed > 0)
    yield Case("where the lower output is 0 they differ", merged_above_a_zero)


CLAIMS = (
    Claim("batch norm", "Merged into a neighbour, the same function; Epsilon(0) on it = Epsilon(0) on both where "
          "no output is 0.", FRACTIONS, merged_batch_norm),
)
