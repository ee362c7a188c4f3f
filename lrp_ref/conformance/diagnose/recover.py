"""The formula of an implementation, told from its messages: the fewest slots that are not the canonical ones.

Every candidate is compared with every probe of a rule and layer, to rounding; where a formula holds under a condition
only, the condition is the one fact that all departing pairs have, and outside of it the canonical rule must hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.conformance.diagnose.formula import ITS_SIGN, MEASURED, ONE, UNSIGNED, Factor, Formula, measured_guard
from lrp_ref.conformance.diagnose.pairs import divided, sign
from lrp_ref.conformance.diagnose.probes import near
from lrp_ref.conformance.diagnose.quantities import (
    OWN,
)
from lrp_ref.conformance.diagnose.table import Table

SCREEN, KEPT, REGIONS = 14, 60, 7   # pairs that a candidate must fit first; candidates kept; conditions tried


@dataclass(frozen=True, eq=False)
class Region:
    """The pairs for which some conditions hold."""

    where: tuple[str, ...]
    pairs: Array


def formulas(t: Table, kind: str, tolerance: float) -> list[Formula]:
    """All that fit every pair of a kind of share, the fewest departing slots first; [] where all is canonical."""
    wrong = ~near(t.M, t.own, tolerance)
    if not wrong.any():
        return []
    found: list[Formula] = []
    enough, alive = 0, (t.M != 0) | (t.own != 0)
    for region in regions(t, wrong):
        if enough and (region.pairs & alive).sum() > enough:
            break
        fits = [replace(one, where=region.where, only="" if kind == "all" else kind)
                for one in fitting(t, region.pairs, tolerance)]
        found += fits[:KEPT]
        if any(one.cost <= 2 for one in fits):
            enough = int((region.pairs & alive).sum())
            if not region.where:
                break
    return fewest(sorted(found, key=lambda one: one.cost))[:KEPT]


def holds(t: Table, one: Formula, tolerance: float) -> bool:
    """Whether it gives all pairs, those outside of its condition as the canonical rule does."""
    here = np.ones(len(t.M), bool)
    for words in one.where:
        if words not in t["fact"]:
            return False
        here &= t["fact"][words] > 0
    known = {"numerator": one.numerator, "bias": one.bias, "guard": UNSIGNED if one.guard == ITS_SIGN else one.guard}
    if any(name not in t[slot] for slot, name in known.items() if name not in MEASURED):
        if "epsilon" not in one.guard or one.numerator not in t["numerator"] or one.bias not in t["bias"]:
            return False
        one = replace(one, guard=OWN)   # of a rule without epsilon
    if any(name and name not in t["factor"] for name in (one.factor.top, one.factor.bottom)) or (
            one.total not in (OWN, "own sum") and one.total not in t["total"]):
        return False
    rows = np.flatnonzero(here)
    got = t.own.copy()
    with np.errstate(all="ignore"):
        got[rows] = value(t, one.plain, rows)
    return bool(near(got, t.M, tolerance).all())


def regions(t: Table, wrong: Array) -> Iterator[Region]:
    """All pairs; then those with a fact that all departing ones have, the fewest right ones first; then two facts."""
    yield Region((), np.ones_like(wrong))
    holding = {name: values > 0 for name, values in t["fact"].items() if (wrong <= (values > 0)).all()
               and not (values > 0).all()}
    alive = (t.M != 0) | (t.own != 0)
    ranked = sorted(holding, key=lambda name: int((holding[name] & alive).sum()))[:REGIONS]
    for name in ranked:
        yield Region((name,), holding[name])
    best = min((holding[name].sum() for name in ranked), default=0)
    for n, one in enumerate(ranked):
        for other in ranked[n + 1:]:
            both = holding[one] & holding[other]
            if both.sum() < best:
                yield Region((one, other), both)


def fitting(t: Table, here: Array, tolerance: float) -> list[Formula]:
    """Formulas without a condition that fit all pairs of a region."""
    rows = np.flatnonzero(here)
    known = rows[np.isfinite(t.M[rows]) & (t.M[rows] != 0)]
    if not len(known):
        return [Formula(factor=Factor(0.0))] if (t.M[rows] == 0).all() else []
    screen = known[np.random.default_rng(3).permutation(len(known))[:SCREEN]]
    found = dict.fromkeys([*by_factor(t, screen), *by_slots(t, screen), *by_number(t, known)])
    return fewest([one for one in sorted(found, key=lambda one: one.cost) if fits_all(t, one, rows, tolerance)])[:KEPT]


def fewest(found: Sequence[Formula]) -> list[Formula]:
    """Those of which no part alone does as well under the same condition."""
    kept: list[tuple[Formula, set[Any]]] = []
    for one in found:
        slots = {(name, getattr(one, name)) for name in ("numerator", "total", "bias", "guard", "part", "factor")
                 if getattr(one, name) not in (OWN, ONE)}
        if not any(slots > fewer and one.where == other.where for other, fewer in kept):
            kept.append((one, slots))
    return [one for one, _ in kept]


def fits_all(t: Table, one: Formula, rows: Array, tolerance: float) -> bool:
    got = value(t, one, rows)
    return bool(near(got, t.M[rows], tolerance).all())


def value(t: Table, one: Formula, rows: Array) -> Array:
    """What a formula gives at these pairs."""
    d = denominator(t, one, rows)
    if one.guard in MEASURED:
        d = d + one.scale * measured_guard(one.guard, d)
    found = divided(t.part[one.part][rows] * t["numerator"][one.numerator][rows], d)
    if one.factor != ONE:
        found = found * one.factor.of({name: t["factor"][name][rows] for name in (one.factor.top, one.factor.bottom)
                                       if name}).reshape(-1)
    return found


def denominator(t: Table, one: Formula, rows: Array) -> Array:
    if one.total in (OWN, "own sum"):
        s = t["sum of"][one.numerator if one.total == OWN else OWN][rows]
    else:
        s = t["total"][one.total][rows]
    d: Array = s + t["bias"][one.bias][rows]
    if one.guard == ITS_SIGN:
        return d + t["guard"][UNSIGNED][rows] * sign(d)
    return d if one.guard in MEASURED else d + t["guard"][one.guard][rows]


# ---- Candidates ----


def by_slots(t: Table, rows: Array) -> list[Formula]:
    """Numerator, sum, bias and stabiliser in every combination that fits the pairs of the screen."""
    numerators, found = t["numerator"], []
    B, G = np.array([v[rows] for v in t["bias"].values()]), np.array([v[rows] for v in t["guard"].values()])
    b_names, g_names = list(t["bias"]), list(t["guard"])
    with np.errstate(divide="ignore", invalid="ignore"):
        for part, parts in t.part.items():
            names, d, S = [], [], []
            for name, values in numerators.items():
                c = values[rows]
                if (c == 0).any():
                    continue
                wanted = parts[rows] * c / t.M[rows]
                options = {OWN: t["sum of"][name][rows], "own sum": t["sum of"][OWN][rows]}
                if name == OWN:
                    options = {OWN: options[OWN], **{n: v[rows] for n, v in t["total"].items() if n != OWN}}
                elif part != OWN:
                    options.pop("own sum")
                for total, s in options.items():
                    names.append((name, total))
                    d.append(wanted)
                    S.append(s)
            if not names:
                continue
            target = np.array(d)
            every = np.array(S)[:, None] + B[None]
            rest = target[:, None] - every
            scale = ((1e-7 + 3e-5 * tolerant(t)) * (1e-3 + abs(target)))[:, None]
            for n, guard in enumerate(G):
                for v, b in np.argwhere((abs(rest - guard) <= scale).all(2)):
                    numerator, total = names[v]
                    found.append(Formula(numerator, total, b_names[b], g_names[n], part))
            if UNSIGNED in g_names:
                for v, b in np.argwhere((abs(rest - t["guard"][UNSIGNED][rows] * sign(every)) <= scale).all(2)):
                    numerator, total = names[v]
                    if (numerator, total) != (OWN, OWN):   # whose sum's sign stands among the guards
                        found.append(Formula(numerator, total, b_names[b], ITS_SIGN, part))
    found = [one for one in found if one.cost <= 4]
    return sorted(found, key=lambda one: one.cost)[: 4 * KEPT]


def tolerant(t: Table) -> bool:
    """Whether the messages are float32's."""
    return bool((t.M.astype(np.float32) == t.M).all())


BASES = (Formula(), Formula(bias="0"), Formula(bias="0", guard="0"), Formula(bias="0", guard="epsilon sign(sum)"))


def by_factor(t: Table, rows: Array) -> Iterator[Formula]:
    """A factor of a whole message: a number, a quantity, a ratio of two, a quantity's part of a sum of two."""
    names = list(t["factor"])
    Q = np.array([t["factor"][name][rows] for name in names])
    usable = (Q != 0).all(1) & np.isfinite(Q).all(1)
    names, Q = [name for name, good in zip(names, usable) if good], Q[usable]
    loose = 3e-5 if tolerant(t) else 1e-8
    for base, rho in ratios(t, rows):
        if is_steady(rho, loose) and abs(rho[0] - 1) > loose:
            yield replace(base, factor=Factor(tidy(rho[0])))
        for n, q in enumerate(Q):
            for flipped, r in ((False, rho / q), (True, rho * q)):
                if is_steady(r, loose) and not is_steady(q, loose):
                    yield replace(base, factor=Factor(tidy(r[0]), *(("", names[n]) if flipped else (names[n], ""))))
        quotients = rho[None, None] * Q[None] / Q[:, None]
        steady = (np.ptp(quotients, axis=2) <= loose * abs(quotients[..., 0]))
        for top, bottom in np.argwhere(steady):
            if top != bottom and not is_steady(Q[top] / Q[bottom], loose):
                yield replace(base, factor=Factor(tidy(quotients[top, bottom, 0]), names[top], names[bottom]))
        part = divided(Q[:, None], Q[:, None] + Q[None])
        close = (abs(part - rho) <= loose * abs(rho)).all(2)
        for top, bottom in np.argwhere(close):
            if top != bottom:
                yield replace(base, factor=Factor(1.0, names[top], names[bottom], True))
    if "|b|" in t["factor"]:   # of pairs without a bias the part is the whole
        yield from parts_of_nothing(t, rows, loose)


def ratios(t: Table, rows: Array) -> Iterator[tuple[Formula, Array]]:
    """The messages divided by what every base formula gives of them."""
    for base in BASES:
        if base.guard in t["guard"]:
            own = value(t, base, rows)
            if (own != 0).all():
                yield base, t.M[rows] / own


def parts_of_nothing(t: Table, rows: Array, loose: float) -> Iterator[Formula]:
    """q / (q + r) where r may be 0."""
    names = [n for n, v in t["factor"].items() if (v[rows] >= 0).all() and np.isfinite(v[rows]).all()]
    Q = np.array([t["factor"][n][rows] for n in names])
    for base, rho in ratios(t, rows):
        for top, q in enumerate(Q):
            if (q == 0).any():
                continue
            close = (abs(q / (q + Q) - rho) <= loose * abs(rho)).all(1)
            for bottom in np.flatnonzero(close):
                if (Q[bottom] != 0).any():
                    yield replace(base, factor=Factor(1.0, names[top], names[int(bottom)], True))


def by_number(t: Table, known: Array) -> Iterator[Formula]:
    """A stabiliser that is a number, measured."""
    for bias in (OWN, "0", "b"):
        base = Formula(bias=bias, guard="0")
        d = denominator(t, base, known)
        c = t["numerator"][OWN][known]
        if (c == 0).any() or (d == 0).any():
            continue
        rest = t.part[OWN][known] * c / t.M[known] - d
        small = abs(rest) / abs(d)
        if small.max(initial=0) > 0.5:
            continue
        for name in MEASURED[:2]:
            guard = rest / measured_guard(name, d)
            middle = float(np.median(guard))
            digits = 1e-7 if tolerant(t) else 1e-14
            if middle and (abs(guard - middle) <= 1e-6 * abs(middle) + digits * abs(d) * 30).all():
                yield Formula(bias=bias, guard=name, scale=float(f"{middle:.3g}"))


def is_steady(values: Array, loose: float) -> bool:
    return bool(np.ptp(values) <= loose * abs(values[0]))


def tidy(number: float) -> float:
    """The number of few digits that it is to rounding, else itself."""
    for digits in (1, 2, 3, 6):
        short = float(f"{number:.{digits}g}")
        if abs(short - number) <= 1e-6 * abs(number):
            return short
    return float(number)
