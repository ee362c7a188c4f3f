"""What the page says whatever it shows: the statuses, how to read it, how to run it."""

from __future__ import annotations

from typing import Any

from lrp_ref.conformance.page.html import Html, join, tag

MARKS = {"passed": "✓", "loose": "≈", "undetermined": "?", "unsupported": "–", "failed": "✗", "part": "◐", "none": "·"}

FORMULAS = {   # the first lines of the rules' own docstrings
    "Epsilon": "R_i = sum_j a_i w_ij / (z_j + epsilon sign z_j) R_j, z_j = sum_i a_i w_ij + b_j, sign 0 = +1.",
    "AlphaBeta": "R_i = sum_j (alpha z+_ij / z+_j - beta z-_ij / z-_j) R_j, alpha - beta = 1.",
    "ZPlus": "R_i = sum_j z+_ij / z+_j R_j, z+_j = sum_i z+_ij + b+_j: AlphaBeta(1, 0). Montavon et al. 2017.",
    "Gamma": "R_i = sum_j (z_ij + gamma z+_ij) / sum_i (z_ij + gamma z+_ij) R_j where z_j > 0; with z-_ij where "
             "z_j < 0.",
    "ZBox": "R_i = sum_j (a_i w_ij - low_i w+_ij - high_i w-_ij) / sum_i (same) R_j, for inputs in a box low <= a <= "
            "high.",
    "WSquare": "R_i = sum_j w_ij^2 / sum_i w_ij^2 R_j, over the inputs inside the image.",
    "Flat": "R_i = sum_j c_ij / sum_i c_ij R_j: evenly over the inputs that reach j. Lapuschkin et al. 2019; paper, "
            "Sec. 3.",
    "Winner": "R_i = sum_j w_ij / sum_i w_ij R_j, the image's own weights: in a max-pooling to the winners, ties "
              "evenly.",
    "Pass": "R_i = R_j, for layers in which every output has one input of its own.",
}

MEANINGS = {
    "passed": "Every number is right to the rounding of the format that the library computes in.",
    "loose": "Within the proven bound, but further off than rounding alone leaves it.",
    "undetermined": "The bound is larger than the number itself: this format cannot tell right from wrong here.",
    "unsupported": "The library does not have this rule or layer, and says so. Never counted as passed.",
    "failed": "Outside the bound, not finite, or an error.",
}

LEVELS = {
    "required": "the published formula settles it: every implementation should pass",
    "convention": "the formula leaves something open; the case tells the known answers apart",
    "stress": "at the edges of the number format",
    "negative": "must be refused, with an error and not with numbers",
}

ADAPTER = '''class Adapter:
    name, version = "mine", "1.0"
    unit_roundoff = 2**-53          # 2**-24 for float32
    conventions = {}                # answers that you give on purpose

    def relevance(self, network, rules, x, R):
        ...                         # R_0, shaped like x'''


def mark(status: str) -> Html:
    """The sign of a status, which a screen reader passes over: its word always stands beside it."""
    return tag("span", MARKS[status], class_="mark", aria_hidden="true")


def badge(status: str, word: Any = None) -> Html:
    return tag("span", mark(status), " ", word or status, class_=f"badge {status}")


def how_to_read() -> Html:
    return tag(
        "section", tag("h2", "How to read this page"),
        tag("p", "A case is a small network with a rule for every layer, an input, and the relevance that arrives at "
            "its output; all in exact numbers. What should arrive at the input was worked out in exact arithmetic and "
            "rounded once. A library’s answer is held to that, with a bound on what its own rounding may do."),
        tag("dl", [[tag("dt", badge(status)), tag("dd", meaning)] for status, meaning in MEANINGS.items()],
            class_="statuses"),
        tag("p", "A rule is ", badge("passed"), " for a library only if all its required cases passed. ",
            badge("part", "partly unsupported"), " means that nothing failed, but that not everything could be asked."),
        tag("p", "Four levels of cases:"),
        tag("dl", [[tag("dt", level), tag("dd", meaning)] for level, meaning in LEVELS.items()], class_="levels"),
        tag("p", "A convention is a question that the published formulas leave open, such as the sign of zero. Another "
            "answer than the canonical one is a departure and not a mistake by itself; where a library declares it, "
            "the cases allow for it. A record is a known disagreement that no case can hold: it was never run, and "
            "counts nowhere."),
        id="read")


def how_to_run(names: list[str]) -> Html:
    return tag(
        "section", tag("h2", "How to run it yourself"),
        tag("p", "With ", tag("code", "lrp_ref"), " and the library installed side by side:"),
        tag("pre", tag("code", commands(names)), tabindex=0),
        tag("p", "Any other implementation needs an adapter: a class with four values and one function, or a program "
            "in any language that answers lines of JSON."),
        tag("pre", tag("code", ADAPTER), tabindex=0),
        tag("pre", tag("code", "lrp-ref conform package.module:Adapter\npytest --lrp-adapter package.module:Adapter\n"
                               "lrp-ref conform --exec COMMAND"), tabindex=0),
        tag("p", "For what it does not have, an adapter raises ", tag("code", "Unsupported(reason, url)"), ". The exit "
            "code is 0 where all went well, 1 where a case failed, 2 where the adapter itself is broken."),
        id="run")


def commands(names: list[str]) -> Html:
    lines = [f"lrp-ref conform {name}" for name in names]
    if len(names) > 1:
        lines.append(f"lrp-ref compare {' '.join(names)}")
    return join("\n".join(lines))
