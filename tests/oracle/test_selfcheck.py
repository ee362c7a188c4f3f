"""selfcheck proves what it says, says what it proves, and fails at the right claim when something is wrong."""

import ast
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import check_platforms
import numpy as np
import pytest

from lrp_ref import AlphaBeta, Epsilon, Flat, Gamma, MaxPool, ZPlus, assignment, merging, network, rules
from lrp_ref.arrays import Array, constant, negative, ones_like, positive, same, zeros
from lrp_ref.checks.claims import cutoffs, selfcheck
from lrp_ref.checks.claims.claim import PROVED, WITHIN, Case, Claim, Found, digest
from lrp_ref.checks.claims.examples import LAYERS, RATIONAL, RULES, takes
from lrp_ref.checks.claims.selfcheck import CLAIMS, FAILED
from lrp_ref.checks.numbers.modular import modulo
from lrp_ref.command.cli import main
from lrp_ref.layers import LAYERS as TYPES
from lrp_ref.layers.example import drawn
from lrp_ref.layers.fisher import regions, sift, svm
from lrp_ref.layers.fisher import vector as fisher
from lrp_ref.layers.fisher.vector_map import FisherMap
from lrp_ref.ledger import Account
from lrp_ref.linear_map import Term
from lrp_ref.rules import RULES as KINDS
from lrp_ref.rules import Rule, Share

DOCS = Path(__file__).parents[2] / "docs"
NAMED = {claim.name: claim for claim in CLAIMS}
QUICK = ("conventions", "batch norm", "cut-off (d)", "cut-off (e)", "three products", "regions", "Fisher chain")


def failing(*names: str) -> set[str]:
    claims = [until_it_fails(NAMED[name]) for name in names]
    return {one.name for one in selfcheck.selfcheck(claims=claims) if one.verdict == FAILED}


def until_it_fails(claim: Claim) -> Claim:
    """The claim with its cases up to the first that fails, which decides its verdict."""
    def cases() -> Iterator[Case]:
        for case in claim.chosen():
            found = case.found()
            yield replace(case, check=lambda found=found: found)
            if not found.holds:
                return
    return replace(claim, cases=cases)


# ---- It proves: every claim is a test, in the room whose code it looks at ----


def laws_tested() -> list[str]:
    """The claims over whose cases tests are parametrised."""
    decorators = [decorator for path in Path(__file__).parents[1].rglob("test_*.py")
                  for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
                  if isinstance(node, ast.FunctionDef) for decorator in node.decorator_list]
    return [one.args[0].value for one in decorators if isinstance(one, ast.Call)
            and getattr(one.func, "id", "") == "law" and isinstance(one.args[0], ast.Constant)]


def test_every_claim_is_tested_once_but_what_only_full_looks_at() -> None:
    assert sorted(laws_tested()) == sorted(claim.name for claim in CLAIMS if any(claim.chosen()))
    assert [claim.name for claim in CLAIMS if not any(claim.chosen())] == ["VGG ledger"]
    assert sum(len([*claim.chosen()]) for claim in CLAIMS) >= 2000


def test_names_and_sentences_are_there_and_differ() -> None:
    assert len(NAMED) == len(CLAIMS) and len({claim.sentence for claim in CLAIMS}) == len(CLAIMS)
    assert all(len(claim.sentence) > 40 for claim in CLAIMS)
    assert {claim.verdict for claim in CLAIMS} == {PROVED, WITHIN}


def test_no_two_cases_of_a_claim_have_one_name() -> None:
    for claim in CLAIMS:
        names = [case.what for case in claim.chosen()]
        assert len(set(names)) == len(names), claim.name


def test_the_page_says_what_is_claimed() -> None:
    page = (DOCS / "selfcheck.md").read_text(encoding="utf-8")
    table = selfcheck.claims_table()
    assert table in page, f"docs/selfcheck.md needs this table:\n{table}"


def test_the_ledger_is_proved_for_every_rule_that_takes_a_layer() -> None:
    cases = [case.what for case in NAMED["ledger"].chosen()]
    wanted = [f"{rule} on {name}" for name, example in LAYERS.items()
              for rule in RULES if takes(example.map(1)[1], RULES[rule])]
    assert cases == wanted and len(cases) > 300


def test_the_ledger_table_of_the_page_is_what_is_proved() -> None:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in (
        DOCS / "selfcheck.md").read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    [head] = [row for row in rows if row[1] == "Epsilon"]
    shown = {(row[0], rule): cell for row in rows if row[0] in TYPES for rule, cell in zip(head[1:], row[1:])}
    proved: dict[tuple[str, str], str] = dict.fromkeys(shown, "")
    for example in (*LAYERS.values(), *RATIONAL.values()):     # of a type with both the exact one is shown
        for rule in example.rules().values():
            proved[type(example.layer).__name__, type(rule).__name__] = "exact" if example.rational else "map"
    assert shown == proved and len(shown) == len(TYPES) * len(KINDS)


def test_more_seeds_in_full() -> None:
    for name in ("network ledger", "Eq. 5", "three products"):
        some, more = ([case.what for case in NAMED[name].chosen(full)] for full in (False, True))
        assert set(some) < set(more)


def test_a_claim_that_only_full_looks_at_is_left_out_and_no_failure() -> None:
    only = Claim("only", "A claim for this test whose one case takes long.", "none", lambda: [Case("one", bool, True)])
    assert selfcheck.selfcheck(claims=[only]) == []
    [one] = selfcheck.selfcheck(True, claims=[only])
    assert one.verdict == FAILED and one.failures == ("one",) and one.cases == 1


def test_numbers_are_drawn_as_splitmix64_draws_them() -> None:
    # the first outputs of SplitMix64 for the state 0, as its author publishes them
    assert list(drawn(3, 0)) == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]


# ---- It can fail ----

Patch = Callable[[pytest.MonkeyPatch], None]


def share_out_with(change: Callable[..., Any]) -> Patch:
    """Every s of `share_out` changed."""
    plain = Rule.share_out

    def patched(self: Rule, R: Array, z: Array, over: Any) -> Any:
        guard, dead, s = plain(self, R, z, over)
        return guard, dead, change(s, R, z)
    return lambda monkeypatch: monkeypatch.setattr(Rule, "share_out", patched)


def shares_of(kind: type, shares: Callable[[Any, Any, Any], list[Share]]) -> Patch:
    return lambda monkeypatch: monkeypatch.setattr(kind, "shares", shares)


def without(column: str) -> Patch:
    """Every account without what a column is given."""
    plain = Account.plus
    return lambda monkeypatch: monkeypatch.setattr(
        Account, "plus", lambda self, x, **factors: plain(self, x, **{**factors, column: 0}))


def summed_over_the_batch(s: Array, R: Array, z: Array) -> Array:
    whole = zeros(R.shape, R) + z.sum(axis=0)
    return R / np.where(whole == 0, constant(1, whole), whole)


def first_winner(self: MaxPool, x: Array) -> Any:
    a, m = PLAIN_MAX(self, x)
    free, weights = zeros(self(x).shape, x) + constant(1, x), []
    for w in m.weights:   # type: ignore[attr-defined]
        weights.append(np.where((w != 0) & (free != 0), constant(1, x), constant(0, x)))
        free = free - weights[-1]
    return a, replace(m, weights=weights)   # type: ignore[call-arg]


def bias_swapped(self: AlphaBeta, m: Any, a: Array) -> list[Share]:
    up, down = PLAIN_ALPHA(self, m, a)
    (p, q), (r, s) = up.terms, down.terms
    return [Share(up.part, [replace(p, b=negative(m.bias)), q]), Share(down.part, [replace(r, b=positive(m.bias)), s])]


def inclusive(rules: Any, below: str, rule: Any = None) -> Any:
    names = list(rules)
    i = min(names.index(below) + 1, len(names) - 1)
    return PLAIN_CUTOFF(rules, names[i], rule)


def without_shift(given: Any) -> Any:
    layers = ((name, replace(layer, shift=0 * layer.shift) if name == "bn" else layer) for name, layer in given)
    return PLAIN_MERGE(network.Network(layers))


def scalar_sign(minus: int, zero: int) -> Callable[[Array], Array]:
    def sign(z: Array) -> Array:
        ends = np.where(z > 0, constant(1, z), constant(minus, z))
        return np.where(z == 0, constant(zero, z), ends)
    return sign


PLAIN_MAX, PLAIN_ALPHA, PLAIN_CUTOFF, PLAIN_MERGE = (MaxPool.linearize, AlphaBeta.shares, assignment.cutoff,
                                                     merging.merge_batchnorm)
PLAIN_SLOPE = svm.GaussianSVM.gradient
PLAIN_OF, PLAIN_BOX, PLAIN_PART = fisher.Posteriors.of, sift.box, regions.part


def patched(thing: Any, name: str, value: Any) -> Patch:
    return lambda monkeypatch: monkeypatch.setattr(thing, name, value)


# what is wrong; the patch; the claims that must fail; and some that must not, for they say something else
WRONG: list[tuple[str, Patch, tuple[str, ...], tuple[str, ...]]] = [
    ("sign 0 = -1", patched(rules, "sign", scalar_sign(-1, -1)), ("conventions", "rules"), ("ledger", "cut-off")),
    ("unsigned epsilon", patched(rules, "sign", scalar_sign(1, 1)), ("conventions", "rules", "Eq. 5"), ("layers",)),
    ("no bias in the ledger", without("bias"), ("conventions", "ledger", "network ledger", "LeNet ledger"),
     ("cut-off",)),
    ("no dead in the ledger", without("dead"), ("conventions", "ledger"), ("cut-off (c)",)),
    ("no stabiliser in the ledger", without("stabiliser"), ("conventions", "network ledger"), ("gradient",)),
    ("handed as a remainder of nothing", without("handed"), ("network ledger", "Eq. 5"), ("cut-off (a)",)),
    ("a denominator summed over the batch", share_out_with(summed_over_the_batch), ("batches", "rules"), ("layers",)),
    ("the bias not in z", shares_of(Epsilon, lambda self, m, a: [Share(1, [Term(a, same)])]),
     ("conventions", "rules"), ("layers",)),
    ("b+ with beta", shares_of(AlphaBeta, bias_swapped), ("conventions", "rules", "matrix"), ("cut-off", "layers")),
    ("gamma ups and downs exchanged",
     shares_of(Gamma, lambda self, m, a: [Share(share.part, other.terms) for share, other in zip(
         PLAIN_GAMMA(self, m, a), reversed(PLAIN_GAMMA(self, m, a)))]), ("conventions", "rules"), ("ledger",)),
    ("ZPlus of negative parts",
     shares_of(ZPlus, lambda self, m, a: AlphaBeta(2, 1).shares(m, a)), ("equal rules", "LeNet identities"),
     ("layers",)),
    ("flat weights 1 at the inputs as they are",
     shares_of(Flat, lambda self, m, a: [Share(1, [Term(a, ones_like)])]),
     ("conventions", "cut-off (a)", "cut-off (c)", "cut-off (d)"), ("batch norm",)),
    ("flat with a bias", shares_of(Flat, lambda self, m, a: [Share(1, [Term(ones_like(a), ones_like, m.bias)])]),
     ("conventions", "cut-off (a)", "cut-off (b)"), ("network ledger",)),
    ("epsilon of absolute products", shares_of(Epsilon, lambda self, m, a: [Share(1, [Term(abs(a), same, m.bias)])]),
     ("gradient", "rules"), ("layers",)),
    ("the first winner takes all", patched(MaxPool, "linearize", first_winner), ("conventions", "rules"),
     ("batch norm",)),
    ("the default of max-pooling is Epsilon(0)", patched(MaxPool, "hands_down", "by contribution"),
     ("choices",), ("cut-off",)),
    ("half the slope of a Gaussian kernel", patched(svm.GaussianSVM, "gradient", lambda layer, x: PLAIN_SLOPE(
        layer, x) / constant(2, x)), ("roots and powers",), ("layers",)),
    ("the boundary layer cut off too", patched(assignment, "cutoff", inclusive), ("cut-off",),
     ("cut-off (a)", "rules")),
    ("batch norm merged without its shift", patched(merging, "merge_batchnorm", without_shift), ("batch norm",),
     ("layers",)),
    ("posteriors of squared variances", patched(fisher.Posteriors, "of", staticmethod(
        lambda layer, x: PLAIN_OF(replace(layer, variances=layer.variances * layer.variances), x))), ("Fisher chain",),
     ("Eq. 5",)),
    ("the variance statistic without its -1", patched(FisherMap, "polynomial", property(lambda m: bent(m))),
     ("Eq. 5", "three products", "Fisher chain"), ("layers",)),
    ("bins one pixel wider", patched(sift, "box", lambda x, size: PLAIN_BOX(x, size + 2)), ("cut-off (e)", "rules"),
     ("cut-off (d)",)),
    ("z- as the rest of z", shares_of(AlphaBeta, lambda self, m, a: by_difference(self, m, a)),
     ("floats", "conventions"), ("choices",)),
    ("half precision in a rule", share_out_with(lambda s, *_: s.astype(np.float16).astype(s.dtype)
                                                if s.dtype != object else s), ("floats",), ("choices",)),
    ("receptive fields one pixel to the side", patched(cutoffs, "receptive_field", lambda n, name: replace(
        PLAIN_FIELD(n, name), start=(0, 0)) if name != "fc" else None), ("receptive fields",), ("cut-off (c)",)),
    ("regions counted from the other side", patched(regions, "part", lambda x, p, parts, n: PLAIN_PART(
        x, parts - 1 - p, parts, n)), ("regions",), ("Eq. 5",)),
]
PLAIN_GAMMA = Gamma.shares
PLAIN_FIELD: Any = network.receptive_field
PLAIN_POLYNOMIAL: Any = FisherMap.polynomial


def by_difference(self: AlphaBeta, m: Any, a: Array) -> list[Share]:
    """The same shares, z- being z less the terms of z+."""
    up, _ = PLAIN_ALPHA(self, m, a)
    rest = [Term(a, same, m.bias), *(replace(t, a=-t.a, b=-t.b) for t in up.terms)]
    return [up, Share(-constant(self.beta, a), rest)]


def bent(m: FisherMap) -> Array:
    P = PLAIN_POLYNOMIAL.fget(m).copy()
    P[1, :, 0] = P[1, :, 0] + m.v[:, None]
    return P


@pytest.mark.parametrize(("patch", "wrong", "right"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_what_is_wrong_fails_at_the_right_claims(patch: Patch, wrong: tuple[str, ...], right: tuple[str, ...],
                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    patch(monkeypatch)
    assert failing(*wrong, *right) == set(wrong)


def test_a_claim_that_raises_has_failed_and_the_others_are_tried() -> None:
    def surprise() -> bool:
        raise RuntimeError("a\nsurprise")

    def cases() -> Iterator[Case]:
        yield Case("one", lambda: True)
        yield Case("two", surprise)
        yield Case("three", lambda: True)

    got = selfcheck.selfcheck(claims=[Claim("raises", "One of three raises.", "Fractions", cases),
                                      Claim("none", "Nothing is tried, so nothing is proved.", "Fractions", list),
                                      NAMED["regions"]])
    assert [one.verdict for one in got] == [FAILED, FAILED, PROVED] and got[0].cases == 1
    assert got[0].failures == ("RuntimeError after one: a surprise",) and got[1].failures == ("no case was tried",)
    assert "! RuntimeError after one: a surprise" in selfcheck.text(got)
    assert selfcheck.text(got).endswith("2 FAILED, in 0 s")


def test_the_command_ends_with_1_where_a_claim_failed(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr(selfcheck, "CLAIMS", [NAMED[name] for name in QUICK])
    assert main(["selfcheck"]) == 0
    printed = capsys.readouterr().out
    assert len([line for line in printed.splitlines() if line.startswith(("proved", "within"))]) == len(QUICK)
    monkeypatch.setattr(rules, "sign", scalar_sign(-1, -1))
    assert main(["selfcheck"]) == 1
    captured = capsys.readouterr()
    [line] = [line for line in captured.out.splitlines() if line.startswith("FAILED") and "conventions" in line]
    assert "32 cases" in line and "! z = 0, eps > 0: sign 0 = +1, the stabiliser takes R" in captured.out
    assert "Traceback" not in captured.err
    assert main(["selfcheck", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["failed"] >= 1 and {claim["name"] for claim in found["claims"]} == set(QUICK)


def test_two_runs_print_the_same_json(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selfcheck, "CLAIMS", [NAMED[name] for name in ("conventions", "cut-off (e)", "Fisher chain")])
    printed = []
    for _ in range(2):
        assert main(["selfcheck", "--json"]) == 0
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1] and json.loads(printed[0])["claims"][0]["verdict"] == PROVED


# ---- Digests ----


def test_a_digest_sees_every_residue_every_fraction_and_every_verdict() -> None:
    def looked(what: str, holds: bool, *results: Array) -> tuple[Case, Found]:
        return Case(what, bool), Found(holds, results)

    x = np.array([0.5, 2.0])
    cases = [looked("one", True, x), looked("one", True, np.nextafter(x, 3)), looked("two", True, x),
             looked("one", False, x), looked("one", True, modulo(2147483647, 2147483629)(x)),
             looked("one", True, modulo(2147483647, 2147483587)(x)), looked("one", True)]
    assert len({digest([case]) for case in cases}) == len(cases)
    assert digest(cases[:1]) == digest([looked("one", True, x.copy())])


# ---- The same on every kernel ----


def ran(**changes: Any) -> dict[str, Any]:
    claim = {"name": "ledger", "cases": 3, "digest": "abc", "verdict": PROVED, "failures": []}
    return {"kernel": "A", "product": "p", "failed": 0, "claims": [{**claim, **changes}]}


def test_the_check_of_platforms_fails_where_digests_differ_or_kernels_do_not() -> None:
    good = {"A": ran(), "B": {**ran(), "kernel": "B", "product": "q"}}
    assert check_platforms.verdict(good) == []
    for other, message in (({**ran(), "product": "q"}, "void: the kernels do not all differ"),
                           ({**ran(), "kernel": "B"}, "void: the products do not all differ"),
                           ({**ran(digest="abd"), "kernel": "B", "product": "q"}, "ledger: (3, 'abc') on A, (3,"),
                           ({**ran(cases=4), "kernel": "B", "product": "q"}, "ledger: (3, 'abc') on A, (4, 'abc')"),
                           ({**ran(verdict=FAILED, failures=["x"]), "kernel": "B", "product": "q"},
                            "B: ledger FAILED: ['x']")):
        assert any(line.startswith(message) for line in check_platforms.verdict({"A": ran(), "B": other})), message
