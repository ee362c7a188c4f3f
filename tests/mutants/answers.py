"""What the code answers on small networks, and whether lrp_ref.testing takes such answers for right.

    python tests/mutants/answers.py FILE      the answers of the lrp_ref that is imported, for `judged` of another
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from lrp_ref import Network, assign, cutoff, epsilon_gamma_box, explain, merge_batchnorm, paper_cnn, paper_fv
from lrp_ref.checks.claims.examples import (
    LAYERS,
    RULES,
    STATISTICS,
    mixed,
    output_of,
    relevance_for,
    small_network,
    takes,
)
from lrp_ref.layers import BatchNorm, DenseSift, L2Norm, Linear, ReLU, SignedSqrt
from lrp_ref.layers.fisher.regions import regions_of
from lrp_ref.rules import AlphaBeta, Epsilon, Rule
from lrp_ref.testing import assert_cutoff, assert_ledger, assert_relevance_close

Rules = Mapping[str, Rule]
FORMATS = {2.0**-24: np.float32, 2.0**-53: np.float64}


@dataclass(frozen=True, eq=False)
class Case:
    """A network at x, its rules, where relevance starts, below which layer it is cut off if anywhere."""

    network: Network
    x: Any
    rules: Rules
    R: Any = None
    below: str = ""
    formats: tuple[float, ...] = tuple(FORMATS)

    def given(self, number: Any) -> tuple[Network, Any, Any]:
        R = self.R.astype(number) if isinstance(self.R, np.ndarray) and self.R.dtype == object else self.R
        return self.network.astype(number), self.x.astype(number), R

    def answer(self, number: Any) -> dict[str, Any]:
        network, x, R = self.given(number)
        return dict(explain(network, x, cutoff(self.rules, self.below) if self.below else self.rules, R).relevances)

    def refused(self, theirs: Mapping[str, Any], u: float) -> str:
        """What lrp_ref.testing has against the answer; nothing where it cannot decide."""
        network, x, R = self.given(FORMATS[u])
        tests: list[Callable[[], object]] = [
            lambda: assert_relevance_close(theirs, network, x, self.rules, R, u, undetermined=10**6),
            lambda: assert_ledger(network, x, self.rules, theirs, R, u)]
        if self.below:
            tests = [lambda: assert_cutoff(theirs, network, x, self.rules, self.below, R, u, undetermined=10**6)]
        for test in tests:
            try:
                test()
            except (AssertionError, ValueError) as error:
                if not ("undetermined" in str(error) or str(error).startswith("no bound:")):
                    return str(error)
        return ""


def cases() -> Iterator[tuple[str, Case]]:
    """Every layer under every rule that takes it; a network under several, and cut off; merged; a Fisher pipeline."""
    for name, example in LAYERS.items():
        a, m = example.map()
        for title, rule in RULES.items():
            if takes(m, rule):
                yield f"{title} on {name}", Case(Network([("one", example.layer)]), example.x(), {"one": rule},
                                                 relevance_for(output_of(a, m), 9))
    network, x = small_network(), mixed((3, 1, 6, 5), 1)
    ways: dict[str, Callable[[Network], Rules]] = {
        "the defaults": assign, "paper_cnn": paper_cnn, "epsilon_gamma_box": lambda n: epsilon_gamma_box(n, -4, 5),
        "rules by type and name": lambda n: assign(n, {Linear: Epsilon(0.25), ReLU: Epsilon(0)}, AlphaBeta(2, 1),
                                                   {"conv2": RULES["Gamma(1/4)"]})}
    for title, way in ways.items():
        yield title, Case(network, x, way(network))
    for title, target in (("a class", 2), ("a class for each image", np.array([1, 3, 0]))):
        yield title, Case(network, x, paper_cnn(network), target)
    for below in network.names[1:]:
        yield f"cut off below {below}", Case(network, x, paper_cnn(network), 1, below)
    merged = merge_batchnorm(Network([("fc", Linear(mixed((2, 3), 5), mixed((3,), 6))),
                                      ("bn", BatchNorm(*STATISTICS, epsilon=0))]))
    yield "merged batch norm", Case(merged, mixed((4, 2), 7), {"fc": Epsilon(0.25)}, 1)
    pixels = abs(mixed((1, 1, 15, 18), 3))
    sift = DenseSift((3, 4), 3)
    regions = regions_of(sift.frames(pixels.shape)[:, :2], (15, 18), "1x2+1x1")
    mixture = replace(LAYERS["FisherVector"].layer, regions=regions, threshold=0)
    pipeline = Network([("sift", sift), ("pca", Linear(mixed((128, 3), 8) / 256)), ("fisher", mixture),
                        ("l2", L2Norm(3)), ("root", SignedSqrt()), ("norm", L2Norm()),
                        ("svm", Linear(mixed((36, 2), 9), mixed((2,), 10)))])
    yield "a Fisher pipeline", Case(pipeline, pixels, paper_fv(pipeline), 1, "", (2.0**-53,))


def answers() -> dict[tuple[str, float], Any]:
    """{(case, u): {layer: relevance of its input}}, or the error in its place."""
    found: dict[tuple[str, float], Any] = {}
    for name, case in cases():
        for u in case.formats:
            try:
                with np.errstate(all="ignore"):
                    found[name, u] = case.answer(FORMATS[u])
            except Exception as error:
                found[name, u] = f"{type(error).__name__}: {error}"
    return found


def alike(one: Any, other: Any) -> bool:
    """The same numbers, bit by bit."""
    return isinstance(one, dict) and all(
        R.dtype == other[name].dtype and np.array_equal(R, other[name], equal_nan=True) for name, R in one.items())


@cache
def own() -> tuple[dict[str, Case], dict[tuple[str, float], Any]]:
    """The cases, and this code's own answers."""
    return dict(cases()), answers()


def judged(theirs: Mapping[tuple[str, float], Any], every: bool = False) -> dict[str, Any]:
    """How many answers differ from this code's, how many are errors, and the first refused, float32 before float64.

    every  look at those too that do not differ
    """
    known, ours = own()
    differ = [key for key in ours if not alike(theirs.get(key), ours[key])]
    wrong = [key for key in differ if not isinstance(theirs.get(key), dict)]
    order = sorted(set(ours if every else differ) - set(wrong), key=lambda key: (-key[1], list(ours).index(key)))
    for name, u in order:
        message = known[name].refused(theirs[name, u], u)
        if message:
            return {"differ": len(differ), "errors": len(wrong), "refused": [name, u, message]}
    return {"differ": len(differ), "errors": len(wrong), "refused": None}


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(pickle.dumps(answers()))
