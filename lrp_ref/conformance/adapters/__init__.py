"""Adapters to implementations, by name: `find("zennit")`, `find("my_package.my_module:Adapter")`."""

from __future__ import annotations

import importlib
import shlex
from importlib import import_module
from pathlib import Path
from traceback import extract_tb
from typing import Any

from lrp_ref.conformance.adapter import PARTS, Adapter, one_line
from lrp_ref.entry import current_folder, search
from lrp_ref.hints import did_you_mean, listed

LIBRARIES = {"zennit": "Zennit", "captum": "Captum", "lxt": "Lxt"}   # {module here and package there: class}
FORMS = ("zennit, captum, lxt, toolbox:PATH, lrp_ref, dialect:NAME, recorded:FILE, exec:COMMAND, or module:Name of "
         "your own")


def find(text: str) -> Adapter:
    """The adapter of that name.

    zennit, captum, lxt    as they are installed
    toolbox:PATH           lrp_toolbox's python folder
    lrp_ref, dialect:NAME  this package; what a library computes by its dialect (`conformance.dialects`)
    recorded:FILE          what an implementation answered (`conformance.adapters.recorded`)
    exec:COMMAND           a program that reads and writes lines of JSON (`conformance.lines`)
    module:Name            a class, made without arguments, or an instance; of a module that is installed or in the
                           current folder
    """
    from lrp_ref.conformance.adapters.ours import ours
    kind, _, rest = text.partition(":")
    if text in LIBRARIES:
        return library(text)
    if kind == "toolbox" and rest:
        from lrp_ref.conformance.adapters.toolbox import Toolbox
        try:
            return Toolbox(rest)
        except ValueError:
            raise
        except (Exception, SystemExit) as error:
            raise ValueError(f"got the adapter {text}, which cannot be imported: {told(error)}: mend it") from None
    if kind == "recorded" and rest:
        from lrp_ref.conformance.adapters.recorded import read
        return read(rest)
    if kind == "exec" and rest:
        from lrp_ref.conformance.lines import Lines
        return Lines(rest)
    if (found := ours(text)) is not None:
        return found
    if not kind or not rest:
        near = did_you_mean(text, [*LIBRARIES, "lrp_ref"])
        raise ValueError(f"got the adapter {text!r}, which is not known: {near}needed {FORMS}")
    return own(kind, rest)


def adapter(text: str | None, program: str | None = None) -> tuple[Adapter, str]:
    """The adapter of that name, or to that program, and the words by which it is named again."""
    if program:
        from lrp_ref.conformance.lines import Lines

        return Lines(program), f"--exec {shlex.quote(program)}"
    assert text is not None
    return find(text), shlex.quote(text)


def library(name: str) -> Adapter:
    try:
        return getattr(import_module(f"{__name__}.{name}"), LIBRARIES[name])()
    except ModuleNotFoundError as error:
        raise ValueError(f"got the adapter {name}, but there is no module {error.name}: pip install torch {name}"
                         ) from None
    except (Exception, SystemExit) as error:   # a shared library of torch's is not there, or of another version
        raise ValueError(f"got the adapter {name}, which cannot be imported: {told(error)}: mend or install that anew"
                         ) from None


def own(module: str, name: str) -> Adapter:
    """What `module:name` is, made if it is a class."""
    asked = f"got the adapter {module}:{name}"
    if module.startswith(".") or "/" in module or "\\" in module or module.endswith(".py"):
        path = Path(module.replace("\\", "/").removesuffix(".py"))
        near = f"did you mean {'.'.join(path.parts).lstrip('.')}:{name}" if not {"/", ".."} & {*path.parts} else \
            f"did you mean {path.name}:{name}, in its folder"
        raise ValueError(f"{asked}, whose first half is a path, needed a module's name as import takes it: {near}?")
    search(here := current_folder())   # of a command, unlike of `python -m`
    try:
        found: Any = import_module(module)
    except ModuleNotFoundError as error:
        cure = f"needed a module of {here} or an installed one" if error.name == module else "mend or install that"
        raise ValueError(f"{asked}, but {error}: {cure}") from None
    except (Exception, SystemExit) as error:
        raise ValueError(f"{asked}, but {module} cannot be imported: {told(error)}: mend it") from None
    if not hasattr(found, name):
        names = dict.fromkeys([*vars(found), *dir(found)])   # what is loaded on demand stands in the second alone
        public = [one for one in names if not one.startswith("_")]
        raise ValueError(f"{asked}, but {module} has no {name}: {did_you_mean(name, public)}"
                         f"it has {listed(public)}")
    found = getattr(found, name)
    if isinstance(found, type):
        try:
            found = found()
        except TypeError as error:
            raise ValueError(f"{asked}, a class that is not made without arguments ({error}): "
                             "name an instance instead") from None
        except (Exception, SystemExit) as error:
            raise ValueError(f"{asked}, which as it was made raised {told(error)}: mend it") from None
    missing = [part for part in PARTS if not has(found, part, asked)]
    if missing:
        raise ValueError(f"{asked}, which has no {listed(missing)}, needed an object with "
                         f"{listed(PARTS)}: see docs/adapters.md")
    return found


def has(found: Any, part: str, asked: str) -> bool:
    try:
        return hasattr(found, part)
    except Exception as error:   # of a property
        raise ValueError(f"{asked}, whose {part} raised {told(error)}: mend it") from None


def told(error: BaseException) -> str:
    """What was raised, and where: the first line that was reached of a module not here, or where syntax is wrong."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{type(error).__name__}: {error.msg} ({error.filename}, line {error.lineno})"
    first = next((frame for frame in extract_tb(error.__traceback__) if not frame.filename.startswith("<frozen ")
                  and frame.filename != importlib.__file__
                  and Path(frame.filename).parent != Path(__file__).parent), None)
    return f"{one_line(error)} ({first.filename}, line {first.lineno})" if first else one_line(error)
