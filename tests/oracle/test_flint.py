"""A third witness: every vector again, in FLINT's rationals, or in balls that hold its float64 and no other."""

from fractions import Fraction
from hashlib import sha256

import numpy as np
import pytest

flint_numbers = pytest.importorskip("flint_numbers") if pytest.importorskip("flint") else None

from lrp_ref.arrays import convert_numbers  # noqa: E402
from lrp_ref.checks.numbers.decimals import DECIMALS, DecimalGELU  # noqa: E402
from lrp_ref.conformance.vectors import load  # noqa: E402
from lrp_ref.layers import DenseSift, Softmax  # noqa: E402
from lrp_ref.relevance import relevances  # noqa: E402

Exact, Ball, Irrational = flint_numbers.Exact, flint_numbers.Ball, flint_numbers.Irrational
nearest = flint_numbers.nearest
CASES = [case for case in load().cases if case.level != "negative"]
ROUNDED = 2.0**-52    # a total of a ledger whose fraction is long is kept as a float64


class BallGELU(DecimalGELU):
    """z = a Phi(a), Phi by FLINT's erfc; or with the approximation of Phi by tanh."""

    def chord(self, x):
        if not self.tanh:
            return np.asarray(np.frompyfunc(Ball.normal, 1, 1)(x), dtype=object)
        inner = Ball(2) / Ball.of(flint_numbers.flint.arb.pi())
        return 0.5 * (1 + np.tanh(inner.sqrt() * (x + Fraction("0.044715") * x * x * x)))


def in_numbers(layer, number):
    """The layer in these numbers; one without an exact form by its formula."""
    kind = {**DECIMALS, **{kind: BallGELU for kind, ours in DECIMALS.items() if ours is DecimalGELU}}.get(type(layer))
    return layer.astype(number) if kind is None else kind(**vars(layer))


def witnessed(case, number):
    """R_0 and the totals of the ledger, {layer: {column: number}}."""
    rules, x, R = case.rules, case.x, case.R
    network = case.network.mapped(lambda _, layer: in_numbers(layer, number))
    x, R = convert_numbers(x, number), convert_numbers(R, number)
    # descriptors are irrational, and what bins cover is not: relevance of DenseSift asks for nothing else
    covers = [type(layer) for _, layer in network] == [DenseSift]
    found = relevances(network, {"input": x, network.output: R} if covers else network.activations(x), rules, R)
    totals = {name: {column: np.sum(part) for column, part in vars(account).items()} for name, account in found.ledger}
    return found.of["input"], totals


def committed(text):
    """A number of the vectors: a fraction, or a hexadecimal float."""
    return Fraction(float.fromhex(text)) if "x" in text else Fraction(text)


def residue(x, prime):
    return x.v.p * pow(int(x.v.q), -1, prime) % prime


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_vector_is_the_same_in_flints_numbers(case):
    rational = case.exact is not None or case.modulo
    try:
        relevance, totals = witnessed(case, Exact)
    except Irrational:
        assert not rational or Softmax in {type(layer) for _, layer in case.network}   # under Flat, which asks for none
        relevance, totals = witnessed(case, Ball)
        rational = False
    for x, wanted in zip(relevance.flat, case.relevance.flat, strict=True):
        assert nearest(x, wanted)
    if not rational:
        return
    if case.exact is not None:
        assert all(x == wanted for x, wanted in zip(relevance.flat, case.exact.flat, strict=True))
    for prime, digits in case.modulo.items():
        text = ",".join(str(residue(x, int(prime))) for x in relevance.flat)
        assert sha256(text.encode()).hexdigest()[:16] == digits
    for name, columns in case.ledger.items():
        for column, text in columns.items():
            wanted = committed(text)
            assert abs(totals[name][column] - wanted) <= (ROUNDED * abs(wanted) if "x" in text else 0)
