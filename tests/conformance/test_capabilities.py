"""What a case needs, and an implementation that claims only some of it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from helpers import refused
from small_suite import Right

from lrp_ref.conformance.judge.run import run
from lrp_ref.conformance.judge.smoke import smoke
from lrp_ref.conformance.report.facts import by_capability, report
from lrp_ref.conformance.report.text import unsupported
from lrp_ref.conformance.vectors.capabilities import CAPABILITIES, counted, needs, special, unclaimed
from lrp_ref.conformance.vectors.case import LEVELS, Case
from lrp_ref.conformance.vectors.suite import Suite, load
from lrp_ref.layers import LAYERS
from lrp_ref.rules import AlphaBeta, Epsilon, Flat, Gamma, WSquare, ZBox, ZPlus


@cache
def suite() -> Suite:
    return load()


def slug(name: str) -> Case:
    [found] = [case for case in suite().cases if case.id.rpartition("-")[0] == name]
    return found


# ---- What a case needs ----


def test_every_kind_of_layer_needs_one_capability_but_what_the_vectors_never_had() -> None:
    ops = [kind for one in CAPABILITIES.values() for kind in one.ops]
    assert len(ops) == len(set(ops)) and set(ops) == LAYERS.keys()


def test_a_case_needs_what_its_layers_and_its_branches_need() -> None:
    assert needs(slug("add-doubled")) == ("dense", "graph") and special(slug("add-doubled")) == "graph"
    assert needs(slug("softmax-masked")) == ("attention",)
    assert needs(slug("twice-beside")) == ("graph",)
    assert needs(slug("mobile-paper")) == ("dense", "convolution", "activation", "shape", "graph")
    assert needs(slug("batch-norm-before-apart")) == ("convolution", "normalisation")
    assert unclaimed(slug("mobile-paper"), {"dense", "convolution", "shape"}) == ("activation", "graph")
    assert unclaimed(slug("mobile-paper"), None) == ()


def test_every_capability_is_asked_and_the_counts_are_those_of_the_cases() -> None:
    found = counted(suite().cases)
    assert all(one["count"] == sum(one["levels"].values()) > 0 for one in found.values())
    assert found["fisher"]["count"] > 60 and found["graph"]["levels"]["required"] > 20
    assert found["attention"]["count"] > 30 and found["attention"]["levels"]["negative"] == 4
    assert set(found["graph"]["levels"]) == set(LEVELS)


# ---- What came with 1.1 ----


def test_every_rule_meets_every_new_place() -> None:
    """Kernels of 3 x 3 with a padding and a stride of 1; groups with a bias; one output with a batch; one sign."""
    rules = [kind.__name__ for kind in (Epsilon, AlphaBeta, ZPlus, Gamma, ZBox, WSquare, Flat)]
    cases = [case for case in suite().cases if case.topic == "geometry"]
    layers: dict[str, list[Any]] = {rule: [case.network.layers[0][1] for case in cases if case.rule == rule]
                                    for rule in rules}
    for rule, there in layers.items():
        convolutions = [layer for layer in there if type(layer).__name__ == "Conv2D"]
        same = [layer for layer in convolutions if layer.weight.shape[2:] == (3, 3)
                and layer.pad == layer.stride == (1, 1)]
        assert len(same) == 2 and {layer.bias is None for layer in same} == {True, False}, rule
        assert any(layer.groups == 2 and layer.bias is not None for layer in convolutions), rule
        assert any(layer.bias is None for layer in there if type(layer).__name__ == "Linear"), rule
    for case in cases:
        output = case.R.shape
        if "ONE_OUTPUT" in case.flags:
            assert output[0] > 1 and set(output[1:]) == {1}, case.id
        if "ONE_SIGN" in case.flags:
            layer: Any = case.network.layers[0][1]
            signs = {bool(w > 0) for w in layer.weight.flat if w != 0}
            assert (case.x >= 0).all() and len(signs) == 1, case.id


def test_a_cut_off_is_asked_without_averages_and_fisher_vectors_below_every_layer() -> None:
    cases = [case for case in suite().cases if case.id.startswith("cutoff-plain") and "CUT_OFF" in case.flags]
    assert {kind for case in cases for kind in case.layers} == {"Conv2D", "ReLU", "MaxPool", "Flatten", "Linear"}
    below = [sum(isinstance(rule, (Flat, WSquare)) for rule in case.rules.values()) for case in cases]
    assert set(below) >= set(range(1, len(cases[0].layers)))   # so many of the lowest layers are spread


def test_graphs_are_read_as_they_are_written_and_chains_as_ever() -> None:
    branched = [case for case in suite().cases if not case.network.is_chain]
    assert {case.since for case in branched} == {"1.1"} and len(branched) > 40
    assert {"Add", "Concat", "Multiply", "MatMul"} <= {kind for case in branched for kind in case.layers}
    several = [case for case in branched if any(
        sum(reads.count(name) for _, _, reads in case.network.nodes) > 1 for name in ("input", *case.network.names))]
    assert len(several) > 30   # tensors that are read twice


# ---- Who claims some ----


class Claiming(Right):
    """It has dense layers, and says so."""

    name, capabilities = "claiming", ("dense",)


def some(*slugs: str) -> Suite:
    cases = [slug(name) for name in slugs]
    return replace(suite(), cases=cases, count=len(cases))


def test_what_is_not_claimed_is_not_asked_and_reported_by_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lrp_ref.conformance.diagnose.failures.SHRUNK", 0)
    done = run(Claiming(), some("d1", "add-doubled", "softmax-masked", "mobile-paper"))
    assert [(one.status, one.reason) for one in done.outcomes[1:]] == [
        ("unsupported", "not claimed: graph"), ("unsupported", "not claimed: attention"),
        ("unsupported", "not claimed: convolution, activation, shape, graph")]
    assert done.outcomes[0].status == "passed"
    shares = {share.capability: (share.claimed, share.count) for share in by_capability(done)}
    assert shares == {"dense": (True, 1), "graph": (False, 2), "attention": (False, 1)}
    [told] = unsupported(report(done))
    assert told.splitlines()[:2] == ["unsupported, by what the cases need, and why",
                                     f"   2 of 2    graph: {CAPABILITIES['graph'].title}; not claimed"]
    assert {share.claimed for share in by_capability(run(Right(), some("d1", "add-doubled")))} == {None}


@pytest.mark.parametrize(("claimed", "message"), [
    (("dens",), "broken adapter: claiming: got the capability 'dens', which is none: did you mean 'dense'? …"),
    ("dense", "broken adapter: claiming: got capabilities 'dense', needed some of dense, convolution, …"),
    (3, "broken adapter: claiming: got capabilities 3, needed some of …")])
def test_a_claim_of_nothing_that_there_is_is_refused(claimed: Any, message: str) -> None:
    adapter = Claiming()
    adapter.capabilities = claimed
    with refused(message):
        smoke(adapter)
