"""lrp-ref vectors: look for faults in the vectors, make them anew, take them along."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from lrp_ref.command.failed import Failed
from lrp_ref.conformance import make
from lrp_ref.conformance.make.lint import knows_schemas, lint
from lrp_ref.conformance.make.lint_folder import walked
from lrp_ref.files import writable, writing, writing_folder
from lrp_ref.hints import Watch


def vectors_command(options: Namespace, watch: Watch) -> str:
    """The text of lrp-ref vectors lint, regenerate or export."""
    allowed = {"lint": {"folder"}, "regenerate": {"check", "output"}, "export": {"folder"}}[options.what]
    for name, written in (("folder", "a folder"), ("check", "--check"), ("output", "--output")):
        if getattr(options, name) and name not in allowed:
            cure = ": write --output" if name == "folder" else ""
            raise ValueError(f"got {written} for lrp-ref vectors {options.what}, which takes none{cure}")
    if options.what == "lint":
        return lint_text(Path(options.folder) if options.folder else shipped(), watch)
    if options.what == "export":
        if not options.folder:
            raise ValueError("lrp-ref vectors export needs to know where to: lrp-ref vectors export vectors.zip")
        return export_text(options.folder, dict(walked(shipped())))
    if bool(options.output) == options.check:
        raise ValueError("lrp-ref vectors regenerate needs either --check, to compare with the files that are here, or "
                         "--output FOLDER, to write them")
    if options.output:
        return output_text(options.output, watch)
    watch("making every case anew")
    return check_text(made(), dict(walked(shipped() / "v1")))


def shipped() -> Traversable:
    """The folder of the vectors that came with this package: v1, schemas, README.md and licence."""
    return resources.files("lrp_ref.data_fixtures") / "vectors"


def lint_text(root: Traversable, watch: Watch) -> str:
    found, cases = lint(root, watch)
    note = [] if knows_schemas() else ["note: without the package jsonschema the forms of the files were not looked at"]
    last = f"{cases} cases, {len(found)} finding{'s' * (len(found) != 1)}"
    if found:
        raise Failed("\n".join([*found, *note, last]))
    return "\n".join([*note, last])


# ---- Making them anew ----


def made() -> dict[str, bytes]:
    """{path in v1: contents}, everything worked out anew."""
    return {path: text.encode() for path, text in make.files(make.cases()).items()}


def check_text(new: Mapping[str, bytes], here: Mapping[str, bytes]) -> str:
    """An error at the first file that differs from the one that is here."""
    for path in sorted({*new} | {*here}):
        if path not in here or path not in new:
            where = "made and not here" if path in new else "here and not made"
            raise Failed(f"{path}: is {where}: it is the first of the files that differ")
        if here[path] != new[path]:
            raise Failed(f"{path}: line {first_difference(here[path], new[path])} is not what is made anew: it is the "
                         "first of the files that differ")
    return f"{len(new)} files are byte for byte what is made anew"


def first_difference(x: bytes, y: bytes) -> int:
    """The first line, counted from 1, in which two different files differ."""
    lines = x.splitlines(keepends=True), y.splitlines(keepends=True)
    return next((n for n, (a, b) in enumerate(zip(*lines), 1) if a != b), min(map(len, lines)) + 1)


def output_text(path: str, watch: Watch) -> str:
    """A new folder as `export` makes it, with v1 made anew."""
    spare_folder(path)
    kept = {name: data for name, data in walked(shipped()) if not name.startswith("v1/")}
    watch("making every case anew")
    new = kept | {f"v1/{name}": data for name, data in made().items()}
    with writing_folder(path) as temporary:
        write_files(temporary, new)
    return f"written to {path}: {len(new)} files"


def spare_folder(path: str) -> None:
    """An error if something is there, or nothing can be written: before the work, not after it."""
    if Path(path).exists() or writable(path).exists():
        raise ValueError(f"got {path}, which is there already: give the name of a new folder")


# ---- Taking them along ----


def export_text(path: str, files: Mapping[str, bytes]) -> str:
    """All files into a new folder, or a new .zip of one."""
    spare_folder(path)
    if Path(path).suffix == ".zip":
        with writing(path) as temporary, ZipFile(temporary, "w", ZIP_DEFLATED) as archive:
            for name, data in files.items():   # dated 1980, so that two exports are the same bytes
                archive.writestr(ZipInfo(f"{Path(path).stem}/{name}"), data, ZIP_DEFLATED)
    else:
        with writing_folder(path) as temporary:
            write_files(temporary, files)
    return f"written to {path}: {len(files)} files, begin with README.md"


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, data in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
