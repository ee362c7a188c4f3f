"""One page, complete in itself: what `lrp-ref explore` writes."""

from __future__ import annotations

import json
import os
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from html import escape
from importlib import resources
from typing import Any

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.explorer.facts import view
from lrp_ref.explorer.view import View
from lrp_ref.files import writing
from lrp_ref.hints import Watch, listed, shown, unwatched
from lrp_ref.models.bundled import find_model
from lrp_ref.models.explained import Given
from lrp_ref.models.model import Model
from lrp_ref.pictures.colours import COLOURS
from lrp_ref.pictures.photograph import read_photograph, resize, to_pixels
from lrp_ref.version import __version__

MOST = 5_000_000   # bytes per photograph
NAMES = 2000       # of them for names, and for what is said to be left out
SIDE = 448         # pixels of a photograph's longer side in the page
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; script-src"


@dataclass(frozen=True, eq=False)
class Explorer:
    """The page, and what was left out of it because it would have been too large."""

    html: str
    left_out: tuple[str, ...]

    def save(self, path: str | os.PathLike[str]) -> None:
        with writing(path) as temporary:
            temporary.write_text(self.html, encoding="utf-8")

    def __repr__(self) -> str:
        return f"Explorer({len(self.html):,} bytes; .save(path), then open it in a browser)"


def explorer(photographs: Mapping[str, Any] | Sequence[Any] | str | os.PathLike[str],
             models: Mapping[str, Model] | Sequence[str] | Model | str, classes: Sequence[str | int] = (),
             rules: Mapping[str, Given] | None = None, most: int = MOST, watch: Watch = unwatched) -> Explorer:
    """A page of photographs by models side by side, with a slider over every cut-off: `explorer("cat.jpg", "cnn")`.

    photographs  a path, several, or {name: path, or photograph as `Model.prepare` takes it}
    models       a model or its name, several names, or {name: model}
    classes      by name or number, besides none: the three highest; with some, these and the next
    rules        {name: preset or rule}; None: those that are usual for each model
    most         bytes per photograph; where it would be more, messages, rules and classes are left out, and it is said
    """
    if isinstance(classes, str) or not isinstance(classes, Sequence):
        raise ValueError(f"explorer got classes={shown(classes)}, needed a list of classes, by name or number")
    if rules is not None and not (isinstance(rules, Mapping) and rules):
        raise ValueError(f"explorer got rules={shown(rules)}, needed {{name: preset or rule}}")
    found = [(name, read_photograph(one) if isinstance(one, (str, os.PathLike)) else to_pixels(one))
             for name, one in named_photographs(photographs)]
    every = named_models(models)
    return page([(name, [view(pixels, kind, model, classes, rules, naming_photograph(watch, name))
                         for kind, model in every.items()]) for name, pixels in found], most)


def naming_photograph(watch: Watch, name: str) -> Watch:
    return lambda text: watch(f"{name}: {text}")


def named_photographs(given: Any) -> list[tuple[str, Any]]:
    """The name of each, of which two may be alike, and its pixels or path."""
    if isinstance(given, Mapping):
        return [(str(name), one) for name, one in given.items()]
    paths = [given] if isinstance(given, (str, os.PathLike)) else given
    if not isinstance(paths, Sequence) or not paths or not all(isinstance(one, (str, os.PathLike)) for one in paths):
        raise ValueError(f"explorer got photographs={shown(given)}, needed a path, several, or {{name: photograph}}")
    return [(os.path.basename(one), one) for one in paths]


def named_models(given: Any) -> dict[str, Model]:
    if isinstance(given, Model):
        return {"model": given}
    names = [given] if isinstance(given, str) else given
    names = {str(one): one for one in names} if isinstance(names, (list, tuple)) else names
    pairs = names.items() if isinstance(names, Mapping) else ()
    found = {str(name): find_model(one) if isinstance(one, str) else one for name, one in pairs}
    if not found or not all(isinstance(one, Model) for one in found.values()):
        raise ValueError(f"explorer got models={shown(given)}, needed a name such as cnn, several, or {{name: Model}}")
    return found


def page(subjects: Sequence[tuple[str, Sequence[View]]], most: int = MOST) -> Explorer:
    """The page of photographs, each a name and its views."""
    if not subjects or not all(views for _, views in subjects):
        raise ValueError("got no photograph, or one without a view, needed at least one of each")
    left_out, written, around = list[str](), list[str](), len(put_in("", "")) + NAMES
    for name, views in subjects:
        pictures = [as_address(one.picture) for one in views]
        left_out += [f"{name}, {text}" for text in shrunk(views, most - around - sum(map(len, pictures)))]
        written.append(f'{{"name":{json.dumps(name)},"pictures":{json.dumps(pictures)},"views":'
                       f"[{','.join(one.written() for one in views)}]}}")
    facts = {"version": __version__, "colours": COLOURS["safe"], "most": most, "left_out": left_out}
    data = f'{json.dumps(facts)[:-1]},"photographs":[{",".join(written)}]}}'
    return Explorer(put_in(data, f"LRP explorer: {listed(name for name, _ in subjects)}"), tuple(left_out))


def shrunk(views: Sequence[View], most: int) -> list[str]:
    """What was left out of views of one photograph, the largest first, so that they have at most so many bytes."""
    lost, even_so = [list[str]() for _ in views], list[str]()
    sizes = [len(one.written()) for one in views]
    while sum(sizes) > most:
        for n in sorted(range(len(views)), key=lambda n: -sizes[n]):
            what = views[n].smaller()
            if what is not None:
                lost[n].append(what)
                sizes[n] = len(views[n].written())
                break
        else:
            even_so.append(f"even so {sum(sizes):,} bytes, of {max(0, most):,}")
            break
    return [f"{one.name}: without {', '.join(each)}" for one, each in zip(views, lost) if each] + even_so


def put_in(data: str, title: str) -> str:
    """page.html with its parts in their places; no text of anyone's becomes a tag."""
    script = part_of_page("page.js")
    digest = b64encode(sha256(script.encode()).digest()).decode()
    parts = {"title": escape(title), "policy": f"{POLICY} 'sha256-{digest}'", "style": part_of_page("page.css"),
             "data": data.replace("<", "\\u003c"), "script": script}
    return re.sub("@(" + "|".join(parts) + ")@", lambda found: parts[found[1]], part_of_page("page.html"))


def part_of_page(name: str) -> str:
    return (resources.files("lrp_ref.explorer") / name).read_text(encoding="utf-8")


def as_address(pixels: Array) -> str:
    """A photograph (H, W) or (H, W, 3) in [0, 1] as the address of a JPEG."""
    from lrp_ref.pictures.picture import jpeg

    height, width = pixels.shape[:2]
    part = min(1.0, SIDE / max(height, width))
    small = resize(pixels, (max(1, round(height * part)), max(1, round(width * part))))
    colours = small if small.ndim == 3 else np.repeat(small[:, :, None], 3, axis=2)
    return "data:image/jpeg;base64," + b64encode(jpeg(np.rint(255 * colours).astype(np.uint8))).decode()
