"""R_i = sum_j  z_ij / (sum_i z_ij + b_j)  R_j: one layer's step down (Eq. 1)."""

from __future__ import annotations

from lrp_ref.arrays import Array, ones_like, thin, total
from lrp_ref.ledger import Account
from lrp_ref.linear_map import LinearMap
from lrp_ref.rules import Rule


def step(rule: Rule, m: LinearMap, a: Array, R: Array) -> tuple[Array, Account]:
    """R_i = sum over shares, sum_j  z_ij / (z_j + b_j + guard_j)  part_j R_j, and the account of every R_j.

    a: the map's input; R: relevance of its outputs; z_ij = c_ij a'_i f(w_ij), summed over the terms of a share; z_j its
    sum over i. What no share claims is dead. See rules.py for shares, terms and guards, ledger.py for accounts.
    """
    m = rule.seen(m, a)
    shares, one, sent = rule.shares(m, a), thin(ones_like(R)), []
    products = m.products([t for share in shares for t in share.terms])
    account = Account.of(R).plus(R, dead=one - total((share.of(one) for share in shares), R))
    for share in shares:
        part = share.of(R)
        z, b = total((next(products) for _ in share.terms), R), total((t.b for t in share.terms), R)
        over = z + b if share.over is None else share.over
        guard, dead, s = rule.share_out(part, over)
        account = account.plus(s, handed=z, bias=b, stabiliser=guard).plus(part, dead=dead)
        if share.over is not None:
            account = account.plus(s, stabiliser=over - (z + b))
        sent += [(t, s) for t in share.terms]
    return m.returns(sent, a.shape), account
