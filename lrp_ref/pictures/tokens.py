"""The tokens of a text, each on the colour of its relevance: a line for a terminal, for a page, for a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrp_ref.arrays import as_array, number_type
from lrp_ref.hints import quotable, shown
from lrp_ref.pictures.colours import colour, limit_of

PIECE, SPACE = "##", "\u2581"   # WordPiece marks what goes on a word, SentencePiece (a low line) what begins one
DARK, LIGHT = "#000", "#fff"
HEAD = ('<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        "<title>{title}</title><style>body{{font:18px/2 system-ui,sans-serif;margin:2em auto;max-width:45em;"
        "padding:0 1em}}"
        "mark{{padding:.15em .2em;border-radius:.2em}}small{{color:#555}}</style>")


@dataclass(frozen=True, eq=False)
class Words:
    """tokens (T), each on the colour of R_t / limit, limit = max |R|; hovering over a token tells its relevance.

    relevance  (T,) of any number type
    colours    safe, seen by every colour vision, or the paper's
    """

    tokens: Sequence[str]
    relevance: NDArray[Any]
    colours: str = "safe"

    def __post_init__(self) -> None:
        tokens, R = self.tokens, as_array(self.relevance)
        if not isinstance(tokens, (list, tuple)) or not all(isinstance(token, str) for token in tokens):
            raise ValueError(f"got the tokens {shown(tokens)}, needed a list of texts, one for every number")
        if R.shape != (len(tokens),) or not len(tokens):
            raise ValueError(f"got {len(tokens)} tokens and relevance of shape {R.shape}, needed a number for every "
                             "token: one text's, e.relevance[0]")
        number_type(R)   # an error where it is none
        object.__setattr__(self, "tokens", tuple(tokens))
        object.__setattr__(self, "relevance", R)
        self.shades()   # an error where there are no colours for these numbers

    def shades(self) -> list[tuple[int, int, int]]:
        """The colour of every token."""
        row = np.asarray(self.relevance, dtype=np.float64)[None]
        return [(int(r), int(g), int(b)) for r, g, b in colour(row, limit_of(row), self.colours)[0]]

    def spaced(self) -> list[tuple[str, str]]:
        """(what stands before it, the token as it is read) of every token."""
        marked = any(token.startswith(SPACE) for token in self.tokens)
        found = []
        for n, token in enumerate(self.tokens):
            joined = token.startswith(PIECE) or (marked and not token.startswith(SPACE))
            read = token.removeprefix(PIECE).removeprefix(SPACE) or token
            found.append(("" if joined or n == 0 else " ", quotable(read)))
        return found

    def terminal(self) -> str:
        """The line in 24-bit colours."""
        parts = []
        for (before, token), (r, g, b) in zip(self.spaced(), self.shades(), strict=True):
            ink = 0 if ink_on((r, g, b)) == DARK else 255
            parts.append(f"{before}\x1b[38;2;{ink};{ink};{ink}m\x1b[48;2;{r};{g};{b}m{token}\x1b[0m")
        return "".join(parts) + "\n"

    def html(self) -> str:
        """The line as a paragraph."""
        parts = []
        for (before, token), shade, R in zip(self.spaced(), self.shades(), self.relevance, strict=True):
            style = f"background:rgb{shade};color:{ink_on(shade)}".replace(" ", "")
            parts.append(f'{before}<mark style="{style}" title="{float(R):+.6g}">{escape(token)}</mark>')
        return f"<p>{''.join(parts)}</p>"

    def page(self, title: str) -> str:
        """A whole page of HTML that needs nothing else: the title, the line, what its colours mean."""
        most = float(np.abs(np.asarray(self.relevance, dtype=np.float64)).max())
        return (f"{HEAD.format(title=escape(title))}<h1>{escape(title)}</h1>{self.html()}<p><small>The strongest "
                f"colour is a relevance of {most:.4g}; {for_and_against(self.colours)}. A token's number shows when "
                "the pointer is on it.</small></p></html>\n")

    def __str__(self) -> str:
        """A line per token: its relevance, and the token."""
        return "\n".join(f"{float(R):+12.4g}  {quotable(token)}"
                         for token, R in zip(self.tokens, self.relevance, strict=True))

    def _repr_html_(self) -> str:
        return self.html()


def ink_on(shade: tuple[int, int, int]) -> str:
    """Black or white, whichever has the higher contrast: at WCAG's relative luminance 0.179 both have the same."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (n / 255 for n in shade)]
    return DARK if 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] > 0.179 else LIGHT


def for_and_against(colours: str) -> str:
    """Which colours speak for the class, and which against it."""
    from lrp_ref.pictures.views import WORDS

    return "{} is for it, {} against it".format(*WORDS[colours])


def words(tokens: Sequence[str], relevance: NDArray[Any], colours: str = "safe") -> Words:
    """The tokens of a text on the colours of their relevance: shows itself in a notebook, prints numbers."""
    return Words(tokens, relevance, colours)
