"""Of many photographs those whose files the same command has made already are not explained again."""

from __future__ import annotations

import json
import os
from argparse import Namespace
from collections.abc import Mapping
from hashlib import file_digest, sha256
from typing import Any
from zipfile import BadZipFile

import numpy as np

from lrp_ref.command.outputs import lines_on
from lrp_ref.models.model import Model
from lrp_ref.paper.record import digest
from lrp_ref.version import __version__

# Options that change nothing in the files and in what is printed of a photograph; any other is another command.
ALIKE = ("images", "output_dir", "workers", "dask")


def same_command(options: Namespace, name: str, model: Model) -> str:
    """A digest of all that what is made of a photograph depends on, but the photograph."""
    asked = {what: repr(value) for what, value in sorted(vars(options).items()) if what not in ALIKE}
    return sha256(repr((__version__, np.__version__, name, digest(model), asked)).encode()).hexdigest()[:16]


def digest_of(image: str) -> str:
    """Of the photograph's path and bytes; what is no file is told when it is read."""
    if not os.path.isfile(image):
        return ""
    with open(image, "rb") as file:
        return sha256(repr((image, file_digest(file, "sha256").digest())).encode()).hexdigest()[:16]


def stamp(of: str, found: Any) -> dict[str, str]:
    """What stands beside the arrays: of which command and photograph they are, and what is printed of it."""
    return {"of": of, "printed": json.dumps(found)}


def made_before(written: Mapping[str, str | None], of: str) -> Any:
    """What was printed of a photograph whose files are there, made by the same command; None: it is to be explained."""
    arrays = written["save"]
    if not (arrays and all(os.path.isfile(path) for path in written.values() if path)):
        return None
    try:
        with np.load(arrays) as there:
            return with_files(json.loads(str(there["printed"])), written) if str(there["of"]) == of else None
    except (ValueError, KeyError, OSError, EOFError, BadZipFile):   # another file of that name
        return None


def with_files(found: Any, written: Mapping[str, str | None]) -> Any:
    """Text or facts, and where the files are."""
    return "\n".join([found, *lines_on(written)]) if isinstance(found, str) else {**found, **written}
