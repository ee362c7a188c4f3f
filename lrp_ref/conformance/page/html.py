"""HTML from nested calls: whatever is not Html already is escaped, so that no text of anyone's becomes a tag, and
every text can be written."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from html import escape
from typing import Any

from lrp_ref.hints import printable

VOID = ("br", "input", "link", "meta")


class Html(str):
    """Text that is HTML already."""


def tag(name: str, /, *children: Any, **attributes: Any) -> Html:
    """`tag("td", 3, class_="n")` is <td class="n">3</td>; None and False are left out, of children and attributes."""
    given = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items()}
    written = "".join(f" {key}" if value is True else f' {key}="{safe(value)}"'
                      for key, value in given.items() if value is not None and value is not False)
    return Html(f"<{name}{written}>" if name in VOID else f"<{name}{written}>{join(*children)}</{name}>")


def join(*children: Any) -> Html:
    """Children one after the other; lists of them too."""
    return Html("".join(map(inside, children)))


def inside(child: Any) -> str:
    if child is None or child is False:
        return ""
    if isinstance(child, Html):
        return child
    if isinstance(child, Iterable) and not isinstance(child, str):
        return join(*child)
    return safe(child)


def safe(text: Any) -> str:
    return escape(printable(str(text)))


def table(head: Iterable[Any], *bodies: Any, caption: str, class_: str = "", style: str | None = None) -> Html:
    """A table in a box of its own, which scrolls where it is too wide, by keyboard too."""
    return tag("div", tag("table", tag("caption", caption), tag("thead", tag("tr", head)), bodies, role="table"),
               class_=f"wide {class_}".strip(), role="region", aria_label=caption, tabindex=0, style=style)


def slug(*texts: Any) -> str:
    """Texts as an id: what an address would not keep as it is stands as its code, so that different texts differ."""
    return "/".join(re.sub(r"[^A-Za-z0-9_.-]", lambda found: f":{ord(found[0]):x}:", str(text)) for text in texts)


def issue(url: str) -> Html:
    """A link whose text is `repository #number`; plain text unless it is https."""
    if not str(url).startswith("https://"):
        return tag("span", url)
    parts = re.fullmatch(r"https://[^/]+/[^/]+/([^/]+)/(?:-/)?(?:issues|pull|merge_requests)/(\d+)[^/]*", url)
    return tag("a", f"{parts[1]} #{parts[2]}" if parts else url.removeprefix("https://"), href=url, rel="noreferrer")


def issues(urls: Iterable[str]) -> Html:
    """Links with commas between them, each once."""
    links = [issue(url) for url in dict.fromkeys(urls)]
    return join([part for link in links for part in (", ", link)][1:])


def shown(value: Any, digits: int = 10) -> str:
    """A number in so many digits, -0 as 0, NaN and inf by their names, texts as they are; None is what JSON lacks."""
    if value is None:
        return "not finite"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value + 0.0:.{digits}g}" if math.isfinite(value) else str(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(shown(part, digits) for part in value) + "]"
    return str(value)


def capital(sentence: str) -> str:
    """With a capital letter where it begins with a word: z, w-square, sign(0) and captum's stay as they are."""
    return sentence[:1].upper() + sentence[1:] if re.match(r"[a-z]{2,}[ ,:-]|[a-z]{2,}$", sentence) else sentence
