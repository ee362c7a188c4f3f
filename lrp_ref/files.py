"""A file is written whole or not at all, under a temporary name beside it, then renamed; and read only where its end
is known."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources.abc import Traversable
from pathlib import Path


def why(error: OSError) -> str:
    """What the system says, without its number."""
    said = error.strerror or str(error)
    return f"{said} ({error.filename})" if error.filename else said


def writable(path: str | os.PathLike[str]) -> Path:
    """Where `path` leads, links followed; a ValueError if nothing can be written there.

    Long work calls this first, so that a misspelt folder costs a second and not an hour.
    """
    if "\0" in os.fspath(path):
        raise ValueError(f"cannot write {os.fspath(path)!r}: it has the character 0 in it: choose another path")
    try:
        return free(Path(os.path.realpath(path)), path)
    except OSError as error:
        raise ValueError(f"cannot write {path}: {error.strerror or error}: choose another path") from None


def free(target: Path, path: str | os.PathLike[str]) -> Path:
    """The target that `path` leads to, if a file can be written there."""
    folder = target.parent
    if not folder.is_dir():
        wrong = "is not a folder" if folder.exists() else "does not exist"
        raise ValueError(f"cannot write {path}: folder {folder} {wrong}: make it or choose another path")
    if not os.access(folder, os.W_OK):
        raise ValueError(f"cannot write {path}: folder {folder} is read-only: choose another path")
    # A device such as /dev/null must not be replaced by a file.
    if target.exists() and not target.is_file():
        kind = "a folder" if target.is_dir() else "no regular file"
        raise ValueError(f"cannot write {path}: it is {kind}: choose another path")
    return target


def read_regular(path: Traversable, most: int) -> bytes:
    """What is in a regular file; a ValueError for a pipe or a device, which may have no end, and for more bytes."""
    if not path.is_file():
        if isinstance(path, Path) and not os.path.lexists(path):
            raise FileNotFoundError(f"got {path}, which does not exist: give the path of a file")
        wrong = "is a folder" if path.is_dir() else "is no regular file, and is not opened"
        raise ValueError(f"got {path}, which {wrong}: give the path of a file")
    with path.open("rb") as file:
        data: bytes = file.read(most + 1)
    if len(data) > most:
        raise ValueError(f"got {path}, which has more than {most} bytes, needed at most so many: is it the right file?")
    return data


def named_beside(target: Path, suffix: str = "") -> Path:
    """A name that says whose it is: of a program that was killed it is left over, and may be deleted."""
    return target.with_name(f".lrp-ref-{secrets.token_hex(6)}{suffix}")


@contextmanager
def writing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary name beside `path`, renamed to `path` when the block succeeds, removed when it fails.

        with writing("heatmap.png") as temporary:
            image.save(temporary)

    The temporary name keeps the extension, because writers choose the format by it. The block only writes:
    an OSError in it means that writing failed, and becomes a ValueError that names `path`.
    """
    target = writable(path)
    temporary = named_beside(target, target.suffix)
    try:
        yield temporary
        if target.exists():
            temporary.chmod(target.stat().st_mode & 0o777)
        os.replace(temporary, target)
    except OSError as error:
        raise ValueError(f"cannot write {path}: {error.strerror or error}: choose another path") from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def writing_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary folder beside `path`, renamed to `path` when the block succeeds, removed when it fails.

    `path` must not exist: nothing is ever added to a folder that is there. Errors are as in `writing`.
    """
    target = writable(path)
    if target.exists():
        raise ValueError(f"cannot write {path}: it exists: choose another path")
    temporary = named_beside(target)
    try:
        temporary.mkdir()
        yield temporary
        temporary.rename(target)
    except OSError as error:
        raise ValueError(f"cannot write {path}: {error.strerror or error}: choose another path") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
