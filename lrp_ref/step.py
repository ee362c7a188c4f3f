"""R_i = sum_j  z_ij / (sum_i z_ij + b_j)  R_j: Eq. 1, one layer's step down."""

from __future__ import annotations

from lrp_ref.arrays import Array, total
from lrp_ref.ledger import Account
from lrp_ref.linear_map import LinearMap
from lrp_ref.rules import Rule, unclaimed


def step(rule: Rule, m: LinearMap, a: Array, R: Array) -> tuple[Array, Account]:
    """R_i = sum over shares, sum_j  z_ij / (sum_i z_ij + b_j + guard_j)  part_j R_j, and the account of every R_j.

    a: the map's input; R: relevance of its outputs; z: sum_i z_ij, where z_ij = sum over terms of c_ij a'_i f(w_ij).
    See rules.py for shares, terms and guards, ledger.py for accounts, linear_map.py for what is there for speed.
    """
    m = rule.seen(m, a)
    shares, sent = rule.shares(m, a), []
    products = m.products([t for share in shares for t in share.terms])
    account = Account.of(R).plus(R, dead=unclaimed(shares, R))
    for share in shares:
        part = share.of(R)
        z, b = total((next(products) for _ in share.terms), R), total((t.b for t in share.terms), R)
        guard, dead, s = rule.share_out(part, z + b, share.over)
        account = account.plus(s, handed=z, bias=b, stabiliser=guard).plus(part, dead=dead)
        sent += [(t, s) for t in share.terms]
    return m.returns(sent, a.shape), account
