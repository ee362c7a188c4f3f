"""Adapters to implementations, by name: `find("zennit")`, `find("my_package.my_module:Adapter")`."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from lrp_ref.conformance.adapter import Adapter
from lrp_ref.network import did_you_mean

LIBRARIES = {"zennit": "Zennit", "captum": "Captum"}   # {module here and package there: class}
FORMS = "zennit, captum, toolbox:PATH, lrp_ref, dialect:NAME, or module:Name of your own"
PARTS = ("name", "version", "unit_roundoff", "conventions", "relevance")


def find(text: str) -> Adapter:
    """The adapter of that name.

    zennit, captum         as they are installed
    toolbox:PATH           lrp_toolbox's python folder
    lrp_ref, dialect:NAME  this package; what a library computes by its dialect (`conformance.dialects`)
    module:Name            a class, made without arguments, or an instance; of a module that is installed or in the
                           current folder
    """
    from lrp_ref.conformance.ours import ours
    kind, _, rest = text.partition(":")
    if text in LIBRARIES:
        return library(text)
    if kind == "toolbox" and rest:
        from lrp_ref.conformance.adapters.toolbox import Toolbox
        return Toolbox(rest)
    if (found := ours(text)) is not None:
        return found
    if not kind or not rest:
        near = did_you_mean(text, [*LIBRARIES, "lrp_ref"])
        raise ValueError(f"got the adapter {text!r}, which is not known: {near}needed {FORMS}")
    return own(kind, rest)


def library(name: str) -> Adapter:
    try:
        return getattr(import_module(f"{__name__}.{name}"), LIBRARIES[name])()
    except ModuleNotFoundError as error:
        raise ValueError(f"got the adapter {name}, but there is no module {error.name}: pip install torch {name}"
                         ) from None


def own(module: str, name: str) -> Adapter:
    """What `module:name` is, made if it is a class."""
    if (here := str(Path.cwd())) not in sys.path:   # of a command, unlike of `python -m`
        sys.path.insert(0, here)
    try:
        found: Any = import_module(module)
    except ImportError as error:
        cure = f"needed a module of {here} or an installed one" if error.name == module else "mend or install that"
        raise ValueError(f"got the adapter {module}:{name}, but {error}: {cure}") from None
    if not hasattr(found, name):
        public = [one for one in vars(found) if not one.startswith("_")]
        raise ValueError(f"got the adapter {module}:{name}, but {module} has no {name}: {did_you_mean(name, public)}"
                         f"it has {', '.join(public)}")
    found = getattr(found, name)
    if isinstance(found, type):
        try:
            found = found()
        except TypeError as error:
            raise ValueError(f"got the adapter {module}:{name}, a class that is not made without arguments ({error}): "
                             "name an instance instead") from None
    missing = [part for part in PARTS if not hasattr(found, part)]
    if missing:
        raise ValueError(f"got the adapter {module}:{name}, which has no {', '.join(missing)}, needed an object with "
                         f"{', '.join(PARTS)}: see docs/adapters.md")
    return found
