"""Tokens on the colour of their relevance: colours, ink, spaces, what can be read of it, what is refused."""

import re
from fractions import Fraction

import numpy as np
import pytest
from helpers import refused

from lrp_ref.pictures import words
from lrp_ref.pictures.tokens import ink_on

TOKENS, R = ["not", "a", "##ble", "<b>"], np.array([-2.0, 0.0, 1.0, 0.5])


def test_the_largest_number_has_the_strongest_colour_and_0_the_palest() -> None:
    # of `safe`: R = -limit, 0, limit / 2, limit / 4
    assert words(TOKENS, R).shades() == [(24, 72, 127), (247, 247, 247), (234, 145, 50), (248, 202, 146)]
    assert words(["x"], np.zeros(1)).shades() == [(247, 247, 247)]


def test_ink_has_the_higher_contrast() -> None:
    # contrast (L1 + 0.05) / (L2 + 0.05): grey 118 has L = 0.1812, 4.6 on black, 4.5 under white; grey 117 0.1779
    assert [ink_on((g, g, g)) for g in (0, 117, 118, 255)] == ["#fff", "#fff", "#000", "#000"]
    assert ink_on((0, 0, 255)) == "#fff"   # L = 0.0722
    assert ink_on((255, 0, 0)) == "#000"   # L = 0.2126


def test_pieces_of_a_word_stand_together() -> None:
    assert [before + token for before, token in words(TOKENS, R).spaced()] == ["not", " a", "ble", " <b>"]
    of_sentencepiece = words(["\u2581the", "\u2581fil", "m", "\u2581"], np.ones(4)).spaced()
    assert "".join(before + token for before, token in of_sentencepiece) == "the film \u2581"


def test_a_terminal_gets_colours_and_no_control_characters_of_the_text() -> None:
    line = words(["a\x1b[2J", "b"], np.array([1.0, -1.0])).terminal()
    assert line == ("\x1b[38;2;255;255;255m\x1b[48;2;121;53;12ma\\x1b[2J\x1b[0m"
                    " \x1b[38;2;255;255;255m\x1b[48;2;24;72;127mb\x1b[0m\n")


def test_a_page_escapes_the_text_and_tells_every_number() -> None:
    page = words(TOKENS, R).page("Relevance for <good>")
    assert "<b>" not in page.replace("<body>", "") and "&lt;b&gt;" in page and "Relevance for &lt;good&gt;" in page
    assert re.findall(r'title="(.*?)"', page) == ["-2", "+0", "+1", "+0.5"]
    assert "a relevance of 2; orange is for it, blue against it" in page
    assert words(TOKENS, R, "paper").page("x").count("yellow to red is for it") == 1


def test_it_prints_numbers_and_shows_itself() -> None:
    of_fractions = words(["x", "y"], np.array([Fraction(-1, 3), Fraction(2)]))
    assert str(of_fractions) == "     -0.3333  x\n          +2  y"
    assert of_fractions._repr_html_().startswith('<p><mark style="background:rgb(')


@pytest.mark.parametrize("tokens, relevance, message", [
    (["a", "b"], [1.0], "got 2 tokens and relevance of shape (1,), needed a number for every token: …"),
    ([], [], "got 0 tokens and relevance of shape (0,), …"),
    ("ab", [1.0, 2.0], "got the tokens 'ab', needed a list of texts, one for every number"),
    ([1, 2], [1.0, 2.0], "got the tokens [1, 2], needed a list of texts, …"),
    (["a"], [np.nan], "the map holds nan …"),
])
def test_what_is_no_text_with_numbers_is_refused(tokens, relevance, message) -> None:
    with refused(message):
        words(tokens, np.array(relevance))


def test_unknown_colours_are_refused() -> None:
    with refused("colours 'red' are not known: …"):
        words(["a"], np.ones(1), "red")
