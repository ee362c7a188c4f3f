"""The vectors: every one worked out anew here, decidable, and unlike each of its alternatives."""

from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import F, fractions, refused
from test_dialects import NUMBERS, Neuron, as_printed

from lrp_ref import LRN, AlphaBeta, Epsilon, Linear, Network, ZPlus
from lrp_ref.arrays import convert_numbers
from lrp_ref.checks.numbers.exact import GuardedFraction
from lrp_ref.checks.numbers.modular import PRIMES
from lrp_ref.conformance import make
from lrp_ref.conformance.make import made as making
from lrp_ref.conformance.make.made import Other, one, other, residues
from lrp_ref.conformance.vectors.case import Case, identity, to_json
from lrp_ref.conformance.vectors.suite import Suite, load
from lrp_ref.conventions.table import TABLE, spoken
from lrp_ref.relevance import explain, relevances
from lrp_ref.rules import Pass
from lrp_ref.step import step
from lrp_ref.testing.task import Task

VECTORS = Path(__file__).parents[2] / "data_fixtures" / "vectors" / "v1"
SINGLE = {"Epsilon", "AlphaBeta", "ZPlus", "Gamma", "ZBox", "WSquare", "Flat", "Winner", "Pass"}

pytestmark = pytest.mark.xdist_group("vectors")   # they share what `stored` has read and `anew` has made


@cache
def stored() -> Suite:
    return load(VECTORS)


@cache
def anew() -> list[Case]:
    return make.cases()


def single() -> list[Case]:
    """Cases of one layer whose answer is not at the edges of float64."""
    return [case for case in stored().cases if len(case.layers) == 1 and case.level in ("required", "convention")]


def case(slug: str) -> Case:
    """The one case of that slug."""
    [found] = [case for case in stored().cases if case.id.rpartition("-")[0] == slug]
    return found


# ---- What is written is what is made ----


def test_every_file_is_what_the_cases_give_anew_byte_by_byte() -> None:
    for path, text in make.files(anew()).items():
        assert (VECTORS / path).read_text(encoding="utf-8") == text, f"{path}: run make.write"
    made = {VECTORS / path for path in make.files(anew())}
    assert made == {path for path in VECTORS.rglob("*") if path.is_file()}


def test_every_case_reads_back_as_it_was_made() -> None:
    made = {case.id: case for case in anew()}
    for case in stored().cases:
        assert to_json(case) == to_json(made[case.id]), case.id


def test_writing_gives_a_folder_that_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    three = anew()[:3]   # before `cases` is another
    monkeypatch.setattr(make, "cases", lambda: three)
    make.write(tmp_path)
    assert {case.id for case in load(tmp_path).cases} == {case.id for case in three}


def test_an_id_is_given_once(monkeypatch: pytest.MonkeyPatch) -> None:
    one = anew()[0]   # before MODULES are others

    class Twice:
        @staticmethod
        def cases() -> Iterator[Case]:
            yield from [one, one]

    monkeypatch.setattr(make, "MODULES", {"1.0": (Twice,)})
    with refused(f"two cases have the id {one.id}"):
        make.cases()


def test_ids_are_slugs_and_the_hash_of_the_question() -> None:
    for case in stored().cases:
        slug, _, digits = case.id.rpartition("-")
        assert digits == identity(case) and slug == slug.lower() and " " not in slug


def test_there_are_enough_and_they_are_not_too_large() -> None:
    cases = stored().cases
    assert len(cases) >= 230 and sum(case.level == "required" for case in cases) >= 200
    assert sum(path.stat().st_size for path in VECTORS.rglob("*.json")) < 2_500_000


def test_every_rule_meets_every_layer_it_takes() -> None:
    """Winner needs a pooling, Pass a gate; max-pooling under z-box and w-square is there too."""
    met = {(case.rule, case.layers[0]) for case in stored().cases}
    weighted = ("Linear", "Conv2D", "AvgPool", "SumPool", "AdaptiveAvgPool", "MaxPool")
    assert {(rule, layer) for rule in SINGLE - {"Winner", "Pass"} for layer in weighted} <= met
    assert {(rule, layer) for rule in ("Pass", "Epsilon") for layer in ("ReLU", "Flatten", "BatchNorm")} <= met
    assert {("Winner", "MaxPool"), ("Pass", "LRN"), ("Epsilon", "LRN")} <= met
    assert "Tanh" in {layer for case in stored().cases for layer in case.layers}


@pytest.mark.parametrize("kind", ["Linear", "Conv2D"])
def test_every_rule_has_a_case_in_which_no_size_occurs_twice_and_one_in_which_all_are_equal(kind: str) -> None:
    for rule in SINGLE - {"Winner", "Pass"}:
        distinct, square = (case(f"{rule}-{kind}-{name}".lower()) for name in ("distinct", "square"))
        sizes = sizes_of(distinct)
        assert len(set(sizes)) == len(sizes) and min(sizes) >= 2
        assert len(set(sizes_of(square))) == (1 if kind == "Linear" else 2)   # images are one larger than kernels


def sizes_of(case: Case) -> list[int]:
    """Samples, channels in and out, rows and columns of image and kernel."""
    weight = case.network[case.network.names[0]].weight
    inputs = [1] if weight.ndim == 4 else [0]   # the channels are in x already
    return [*case.x.shape, *np.delete(weight.shape, inputs)]


# ---- The numbers ----


def test_two_numbers_of_a_case_worked_out_by_hand() -> None:
    """D1: z = 1 + 2 - 9/2 = -3/2, and -1/10 more is -8/5, so that R / z is 15/16 for each unit of a w.

    D2c under alpha 2, beta 1: z+ = 3 takes 2 R = 3, z- = -1 - 1/2 has -1 / (-3/2) of -R = -3/2: -1.
    """
    assert case("d1").exact.tolist() == [[F(15, 16), F(15, 8)]]
    assert case("d2c-alpha2").exact.tolist() == [[F(3), F(-1)]]
    assert case("d2c-alpha2").ledger["linear"] == {
        "received": "3/2", "handed": "2", "bias": "-1/2", "stabiliser": "0", "dead": "0"}
    unsigned = next(either for either in case("d1").either if either.convention == "epsilon_sign")
    assert unsigned.relevance.tolist() == [[float(F(15, 14)), float(F(15, 7))]]   # -3/2 / (-3/2 + 1/10)


def test_a_padded_corner_by_hand() -> None:
    """D5: four inputs inside; of w-square's 1 + 4 + .. + 81 = 285 their 25, 36, 64 and 81 are 206."""
    assert case("d5").exact[0, 0, :2, :2].tolist() == [[F(1, 4)] * 2] * 2
    assert case("d5-wsquare").exact[0, 0, :2, :2].tolist() == [[F(25, 206), F(36, 206)], [F(64, 206), F(81, 206)]]
    window = case("d5-wsquare").either[0].relevance[0, 0, :2, :2]
    assert window.tolist() == [[25 / 285, 36 / 285], [64 / 285, 81 / 285]]


def test_relevance_is_correctly_rounded_and_the_ledger_adds_up() -> None:
    for case in stored().cases:
        if case.exact is not None:
            assert (convert_numbers(case.exact, np.float64) == case.relevance).all()
        for columns in case.ledger.values():
            received, *parts = (Fraction(float.fromhex(n)) if "0x" in n else Fraction(n) for n in columns.values())
            size = max(abs(received), *map(abs, parts))   # five totals, each exact or rounded
            assert abs(received - sum(parts)) <= 5 * size * Fraction(2) ** -53, case.id


def test_every_exact_case_comes_out_of_the_stored_question_again() -> None:
    """From the file alone; and where fractions are long, their residues are those of the stored digests."""
    for case in stored().cases:
        if case.exact is None and not case.modulo:
            continue
        sift = {"input": case.x, case.network.output: case.R}   # whose descriptors are no fractions
        xs = sift if case.layers == ("DenseSift",) else case.network.activations(case.x)
        R_0 = relevances(case.network, xs, case.rules, case.R).of["input"]
        assert case.exact is None or np.array_equal(R_0, case.exact)
        assert not case.modulo or residues(R_0) == case.modulo


def test_residues_are_those_of_numerator_over_denominator() -> None:
    """1/2 is (p + 1) / 2 modulo p, and -3 is p - 3."""
    p = PRIMES[0]
    digest = sha256(f"{(p + 1) // 2},{p - 3}".encode()).hexdigest()[:16]
    assert residues(fractions(["1/2", "-3"]))[str(p)] == digest


@pytest.mark.parametrize("slug", ["tanh-passed", "tanh-gate", "small-epsilon-epsilon", "caffe-epsilon", "d14"])
def test_irrational_layers_agree_with_floats(slug: str) -> None:
    """To a few hundred roundings of float64, for a network of a few units."""
    irrational = case(slug)
    assert irrational.exact is None and not irrational.modulo and not irrational.exact_in
    network, rules, x, R = irrational.task()
    got = explain(network, x, rules, R).relevance
    np.testing.assert_allclose(got, irrational.relevance, rtol=500 * 2.0**-53, atol=0)


# ---- What libraries print ----

ELSEWHERE = {
    "D1 TorchLRP's 0.1 is that of float32": "the ninth digit of 0.1 is no convention",
    "D16 lrp_toolbox, alpha 0, dense": "alpha + beta = 1 has no canonical rule to ask for",
}


@pytest.mark.parametrize("name", [name for name in NUMBERS if name not in ELSEWHERE])
def test_what_a_library_prints_is_a_row_of_its_disagreement(name: str) -> None:
    """The canonical relevance or another answer, in a case of the same neuron; to the printed digits."""
    neuron, _, printed = NUMBERS[name]
    rows = [row for case in stored().cases if case.topic == "disagreements" and asks(case, neuron)
            for row in (case.relevance, *(either.relevance for either in case.either))]
    assert any(as_printed([F(n) for n in row[0]], printed, False) for row in rows), printed


def asks(case: Case, neuron: Neuron) -> bool:
    layer = case.network[case.network.names[0]]
    return (isinstance(layer, Linear) and layer.weight[:, 0].tolist() == fractions(neuron.w).tolist()
            and layer.bias.tolist() == [neuron.b] and case.x[0].tolist() == fractions(neuron.x).tolist()
            and case.R.item() == neuron.R)


@pytest.mark.parametrize("d", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 17, 19])
def test_every_disagreement_that_a_case_can_hold_is_there(d: int) -> None:
    assert any(f"D{d}" in case.flags and case.id.startswith(f"d{d}") for case in stored().cases)


def test_known_defects_fail_a_required_case() -> None:
    """captum issue 1234, iNNvestigate issue 273, weights for products, squared weights, flat per channel."""
    answers = {(case.id.split("-")[0], either.convention, either.value) for case in stored().cases
               if case.level == "required" for either in case.either}
    assert {("d2", "bias_alpha_beta", "whole"), ("d2b", "bias_alpha_beta", "whole"), ("d3", "split", "weights"),
            ("d8", "gamma", "squares"), ("d5", "flat", "channel")} <= answers


def test_the_toolboxs_cancelling_numbers_are_those_it_prints() -> None:
    """D7: 2 and -1/10 for 2 and -1; -1e15 for -1e8."""
    for slug, right, wrong in (("d7", [[2, -1]], [[2, -0.1]]), ("d7-large", [[2e8, -1e8]], [[2e8, -1e15]])):
        assert case(slug).relevance.tolist() == right
        assert case(slug).either[0].relevance.tolist() == wrong


def test_a_lost_relevance_grows_to_86_85() -> None:
    """D14, from the sum of 17; the digits that are printed."""
    undivided = next(either for either in case("d14").either if either.value == "undivided")
    assert case("d14").relevance.sum() == 17 and round(undivided.relevance.sum(), 2) == 86.85


# ---- What a case can tell ----


@cache
def judged(case: Case, name: str) -> Any:
    number, u = making.FORMATS[name]
    network, rules, x, R = case.task(number)
    [compared] = Task.of(network, x, rules, R, u, None).compare(case.relevance.astype(number))
    return compared


@pytest.mark.parametrize("name", ["f32", "f64"])
def test_no_element_of_a_case_is_undetermined(name: str) -> None:
    """Every bound, in a format that holds the case, is smaller than the value: right and wrong can be told apart."""
    for case in single():
        if name == "f64" or name in case.exact_in:
            compared = judged(case, name)
            assert not compared.failed.any() and not compared.undetermined.any(), case.id


def test_another_answer_is_out_of_every_bound() -> None:
    """So that no implementation passes under it; in float64, and where the stabiliser is not too small in float32."""
    for case in single():
        radius = judged(case, "f64").radius
        for either in case.either:
            off = abs(either.relevance - case.relevance)
            assert np.isfinite(either.relevance).all() and (off > 4 * radius).any(), (case.id, either.value)


def test_answers_to_one_question_differ_from_each_other() -> None:
    """Unless they are the same answer, of two libraries; in the cases that ask nothing else."""
    for case in stored().cases:
        if case.topic == "conventions":
            rows = {str(either.value): either.relevance.tobytes() for either in case.either}
            assert len(set(rows.values())) == len({str(either.value) for either in case.either}), case.id


def test_most_questions_have_a_case_of_their_own() -> None:
    """Not where to begin, not what no caller leaves open, not how alpha and beta are written."""
    asked = {either.convention for case in stored().cases for either in case.either if case.topic == "conventions"}
    asked |= {either.convention for case in stored().cases for either in case.either
              if case.topic in ("layernorm", "softmax", "matmul", "sum", "product")} & {
                  "add", "multiply", "mat_mul", "softmax", "layer_norm"}
    left = {"start", "default_epsilon", "alpha_beta"}
    alone = {"parameters", "activation", "flatten", "average", "other_max_pool", "groups", "z_box", "convolution",
             "batch_norm_rules", "without_weights", "left_out"}   # of one library, or without weights: not yet asked
    assert asked == TABLE.keys() - left - alone
    assert all(case.either for case in stored().cases if case.level == "convention")


def test_what_is_exact_in_a_format_is_represented_in_it() -> None:
    for case in stored().cases:
        for name in case.exact_in if case.layers != ("DenseSift",) else ():   # whose forward pass is irrational
            network, _, x, R = case.task(making.FORMATS[name][0])
            for got, exact in ((x, case.x), (R, case.R), (network(x), case.network(case.x))):
                assert (convert_numbers(got, GuardedFraction) == exact).all(), case.id
    assert sum("f32" in case.exact_in for case in stored().cases) >= 200


def test_every_flag_has_a_note_and_every_note_a_case() -> None:
    used = {flag for case in stored().cases for flag in case.flags}
    assert used == set(stored().notes)
    for note in stored().notes.values():
        assert note.title and note.kind and note.effect
        assert all(issue.startswith("https://github.com/") and "/issues/" in issue for issue in note.issues)


# ---- What is refused ----

NEURON = Linear(fractions([["1"], ["-1"]]))
ABOUT: dict[str, Any] = {"comment": "", "section": ""}
X, R = fractions([["1", "1"]]), fractions([["1"]])


def test_a_required_case_with_a_small_denominator_is_refused() -> None:
    with refused("cancelling, linear: got a denominator below 1/8: choose other numbers or level"):
        one("cancelling", Epsilon(0), NEURON, X, R, **ABOUT)


def test_a_question_without_another_answer_is_refused() -> None:
    with refused("lonely asks for a convention and has no other answer"):
        one("lonely", ZPlus(), NEURON, X, R, level="convention", **ABOUT)


def test_an_answer_that_is_none_is_refused() -> None:
    def asked(*either: Other) -> Case:
        return one("d", Epsilon(F(1, 2)), Linear(fractions([["1"]])), fractions([["-1/2"]]), R, level="convention",
                   either=either, **ABOUT)

    with refused("got the question 'colour', needed one of start, default_epsilon, …"):
        asked(other(colour=1))
    with refused("d: epsilon_sign = none has no finite answer: …"):
        asked(other(epsilon_sign="none"))
    with refused("d: epsilon_sign = z gives the same relevance"):
        asked(other(epsilon_sign="z"))


def test_what_the_loops_do_not_confirm_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule that leaves the first unit out, in this package's algebra alone."""
    right = making.relevances

    def wrong(network: Network, xs: Any, rules: Any, R_L: Any) -> Any:
        found = right(network, xs, rules, R_L)
        found.of["input"][..., 0] = 0 * found.of["input"][..., 0]
        return found

    monkeypatch.setattr(making, "relevances", wrong)
    with refused("d: the definition by loops gives another relevance or ledger"):
        one("d", ZPlus(), NEURON, X, R, **ABOUT)


# ---- Rules that only this suite has ----


def neuron(rule: Any, w: str, b: str, x: str, **row: Any) -> list[Any]:
    layer = Linear(fractions(w)[:, None], fractions(b))
    a, m = layer.linearize(fractions([x]))
    return step(spoken(row, rule, layer), m, a, fractions([["-3/2"]]))[0][0].tolist()


def test_a_rule_of_four_quadrants_has_four_sums() -> None:
    """D17: 1 over 1 + 1/2 of -3/2 is -1, and 1 over 1 of it -3/2: as X1001 is meant."""
    assert neuron(AlphaBeta(1, 0), "1 -1 2 -2", "1/2", "1 -1 -1 1", split="quadrants") == [-1, F(-3, 2), 0, 0]


def test_the_difference_is_the_negative_sum_where_nothing_cancels() -> None:
    for sums in ("difference", "own"):
        got = neuron(AlphaBeta(2, 1), "1 -1/4", "0", "1 2", small_negative=sums)
        assert [round(float(n), 12) for n in got] == [-3, 1.5]   # the 1e-16 of the difference is in the thirteenth


def test_the_gradient_of_lrn_is_its_gradient() -> None:
    """By central differences, whose error is of second order: 1e-6 squared, and rounding, a few 1e-16 over 1e-6."""
    layer = LRN(3, 0.75, 2, 2)
    x, R_L = np.array([1.0, -2, 0.5, 3]).reshape(1, 4, 1, 1), np.array([2.0, 1, -3, 4]).reshape(1, 4, 1, 1)
    a, m = layer.linearize(x)
    got = step(spoken({"lrn": "gradient"}, Pass(), layer), m, a, R_L)[0].ravel()
    steps = 1e-6 * np.eye(4).reshape(4, 1, 4, 1, 1)
    slopes = [((layer(x + h) - layer(x - h)) / 2e-6 * R_L).sum() for h in steps]
    np.testing.assert_allclose(got, slopes, rtol=0, atol=1e-9)
