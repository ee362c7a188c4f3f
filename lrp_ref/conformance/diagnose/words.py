"""Departures in words: the last step, in which what was found becomes sentences."""

from __future__ import annotations

from collections.abc import Iterable

from lrp_ref.conformance.diagnose.coverage import Map
from lrp_ref.conformance.diagnose.formula import ITS_SIGN, MEASURED, ONE, Factor, Formula
from lrp_ref.conformance.diagnose.instead import Instead
from lrp_ref.conformance.diagnose.model import Departure
from lrp_ref.conformance.diagnose.other_pool import OtherPool
from lrp_ref.conformance.diagnose.quantities import OWN
from lrp_ref.conventions.table import stated

OURS = {"Epsilon": "a w / (z + epsilon sign z)", "AlphaBeta": "alpha z+_ij / (z+ + b+) - beta z-_ij / (z- + b-)",
        "ZPlus": "z+_ij / (z+ + b+)",
        "Gamma": "(a w + gamma (a w)+) / (the same summed, + b + gamma b+), (a w)- and b- where z < 0",
        "ZBox": "(a w - low w+ - high w-) / (the same summed)", "WSquare": "w^2 / (the sum of w^2 over the inputs)",
        "Flat": "1 / (the number of inputs inside the image)", "Winner": "w / (the sum of w), of winners",
        "Pass": "1"}
CONTRIBUTION = {"Epsilon": "a w", "AlphaBeta": "(a w)+ and (a w)-", "ZPlus": "(a w)+",
                "Gamma": "a w + gamma (a w)+, or (a w)- where z < 0", "ZBox": "a w - low w+ - high w-",
                "WSquare": "w^2", "Flat": "1", "Winner": "w", "Pass": "1"}
BIAS = {"Epsilon": "b", "AlphaBeta": "b+ or b-", "ZPlus": "b+", "Gamma": "b + gamma b+, or b- where z < 0",
        "ZBox": "nothing", "WSquare": "nothing", "Flat": "nothing"}


def heading(one: Departure) -> str:
    """A sentence without its full stop: where it holds, and what happens there."""
    if one.kind == "convention":
        return stated(*one.what)
    at = under(one) if one.places else ""
    match one.kind:
        case "start":
            return f"relevance starts from {of_relevance('R', one.what)} and not from R itself"
        case "between":
            return f"between two layers relevance goes on {changed(one.what)}"
        case "end":
            again = " once more" if one.what.startswith("times") else ""
            return f"the relevance that is returned is R_0 {changed(one.what)}{again}"
        case "rules":
            return one.what
        case "format":
            return f"numbers are right to {one.what}'s accuracy, and not to that of float64"
        case "meeting":
            return f"{at}: {met(one)}"
        case "map" if isinstance(one.what, Instead):
            what = one.what.name
            return f"{at}: as if {what.replace(' = ', ' were ') if ' = ' in what else f'the rule were {what}'}"
        case "map" if isinstance(one.what, OtherPool):
            return f"{at}: run back as {one.what.name}"
        case "map":
            return f"{at}: {of_map(one.what)}"
    where = f"where {' and '.join(one.what.where)}, " if one.what.where else ""
    return f"{at}: {of_share(one)}{where}{of_formula(one)}"


def under(one: Departure) -> str:
    """AlphaBeta and ZPlus on Linear and Conv2D"""
    rules, layers = (sorted({place[n] for place in one.places}) for n in (0, 1))
    return f"{anded(rules)} on {anded(layers)}"


def of_share(one: Departure) -> str:
    """Which share of several it is: of Gamma by the sign of z, else by that of contributions."""
    if not one.what.only:
        return ""
    if {rule for rule, _ in one.places} == {"Gamma"}:
        return f"where z is {one.what.only}, "
    return f"in the share of {one.what.only} contributions "


def anded(names: Iterable[str]) -> str:
    *some, last = names
    return f"{', '.join(some)} and {last}" if some else last


def of_relevance(R: str, what: str) -> str:
    return what.removeprefix("replaced with ") if what.startswith("replaced with") else f"{R} {what}"


def changed(what: str) -> str:
    return f"multiplied by {what.removeprefix('times ')}" if what.startswith("times ") else what


def met(one: Departure) -> str:
    layers = {layer for _, layer in one.places}
    several = "where windows overlap, of an input that several windows reach" if layers <= {
        "MaxPool", "AvgPool", "SumPool", "Conv2D"} else "of an input that several outputs share"
    known = one.what in ("the last message overwrites the others", "the first message alone counts",
                         "the largest message alone counts", "messages are averaged")
    return f"{several} {one.what}, and messages are not added" if known else one.what


def of_map(one: Map) -> str:
    if one.name.startswith("repeated stride times"):
        return f"with a stride, R_j / z_j goes back {one.name}"
    if not one.name.startswith(("as if", "with", "a row", "a column", "a channel")):
        return one.name
    if "bias" in one.name:
        return f"denominators are made {one.name}"
    how = {"put": "what inputs get is put back {}", "back": "the way back goes through windows {}",
           "throughout": "sums and the way back go through windows {}"}[one.way]
    return how.format(one.name)


def of_formula(one: Departure) -> str:
    f, rules = one.what, {rule for rule, _ in one.places}
    if f.factor != ONE:
        return of_factor(f)
    parts = []
    if f.part != OWN:
        parts.append({"1": "they hand down all of R (R in place of alpha R or -beta R)",
                      "-part": "the part of R has the other sign"}.get(f.part, f"the part of R is {f.part}"))
    if f.numerator != OWN:
        more = ", the magnitude of contributions of both signs," if "|a w|" in f.numerator else ""
        only = " in the numerator alone" if f.total == "own sum" else ""
        parts.append(f"an input contributes {f.numerator}{more}{only} in place of {in_place(CONTRIBUTION, rules)}")
    if f.total not in (OWN, "own sum"):
        lost = ", which takes a share that is lost" if "padding" in f.total else ""
        parts.append(f"the denominator is {f.total}{lost}, in place of the sum over the inputs of the output")
    if f.bias != OWN and "bias" not in f.numerator:
        parts.append(of_bias(f.bias, rules))
    if f.guard != OWN and (f.guard != ITS_SIGN or f.bias == OWN):   # another bias, and with it the sign of the sum
        parts.append(of_guard(f))
    return "; ".join(parts)


def in_place(table: dict[str, str], rules: Iterable[str]) -> str:
    return " or ".join(dict.fromkeys(table.get(rule, "what the rule has") for rule in sorted(rules)))


def of_bias(bias: str, rules: Iterable[str]) -> str:
    ours = in_place(BIAS, rules)
    if bias == "0":
        return "the bias is left out of the denominator"
    if bias == "b":
        return f"the bias as it is, b for {ours}, stands in the denominator"
    return f"{bias} stands in the denominator in place of the bias's {ours}" if "bias" not in bias else (
        f"{bias} stands in the denominator in place of the output's own")


def of_guard(f: Formula) -> str:
    if f.guard in MEASURED:
        what = {MEASURED[0]: "with its sign", MEASURED[1]: "whatever its sign", MEASURED[2]: "where it is 0"}[f.guard]
        return f"the denominator has a stabiliser of {f.scale:g}, {what}"
    if f.guard == "0":
        return "the denominator has no stabiliser"
    return f"the stabiliser is {f.guard} in place of epsilon sign z"


def of_factor(f: Formula) -> str:
    one = f.factor
    if one.const == 0:
        return "nothing is handed down"
    if one.shared:
        if one.bottom in ("|b|", "the rule's |bias|", "|b| + epsilon"):
            keeps = "a bias and epsilon keep (|b| + epsilon)" if "epsilon" in one.bottom else "a bias keeps |b|"
            return f"{keeps} / ({one.top} + {one.bottom}) of R; the rest goes to the contributions alone"
        return f"{one.bottom} keeps its part: {one.top} / ({one.top} + {one.bottom}) of R is handed down"
    if one.bottom and not one.top and one.const == 1:
        return f"what is handed down is divided by {one.bottom}"
    return f"what is handed down is multiplied by {factor_text(one)}"


def factor_text(one: Factor) -> str:
    top = " ".join(filter(None, (f"{one.const:.9g}" if one.const != 1 else "", one.top))) or "1"
    return f"{top} over {one.bottom}" if one.bottom else top


# ---- Formulas side by side ----


def theirs(one: Formula, rule: str) -> str:
    """The formula of a message M_ij with R_j = 1, ASCII."""
    if one.factor.const == 0:
        return "0"
    contribution = one.numerator if one.numerator != OWN else CONTRIBUTION.get(rule, "c")
    total = "the same summed over the inputs" if one.total == OWN else one.total if one.total != "own sum" else (
        f"the sum of {CONTRIBUTION.get(rule, 'c')}")
    bias = "" if one.bias == "0" else one.bias if one.bias != OWN else BIAS.get(rule, "")
    guard = {OWN: "epsilon sign z" if rule == "Epsilon" else "", "0": ""}.get(one.guard, one.guard)
    if one.guard in MEASURED:
        guard = f"{one.scale:g} {one.guard.removeprefix('a number ')}"
    guard = "" if rule != "Epsilon" and "epsilon" in guard else guard
    d = " + ".join(filter(None, (total, "" if bias == "nothing" else bias, guard)))
    part = {OWN: "alpha or -beta times " if rule == "AlphaBeta" else "", "1": ""}.get(one.part, f"{one.part} ")
    times = "" if one.factor == ONE else f" times {factor_text(one.factor)}" if not one.factor.shared else (
        f" times {one.factor.top} / ({one.factor.top} + {one.factor.bottom})")
    return f"{part}({contribution}) / ({d}){times}"


def ours(rule: str) -> str:
    return theirs(Formula(), rule)
