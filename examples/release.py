"""The vectors for other projects in one archive, with runners in five languages: python examples/release.py FOLDER

The same bytes every time, so that a checksum says whether an archive is this one.
"""

from __future__ import annotations

import sys
from hashlib import sha256
from pathlib import Path

from lrp_ref.command.vectors import export_text, shipped
from lrp_ref.conformance.make.lint_folder import walked
from lrp_ref.conformance.vectors.suite import SPEC

RUNNERS = Path(__file__).parent / "runners"
NAME = f"lrp-vectors-{SPEC}.zip"


def contents() -> dict[str, bytes]:
    """{path in the archive: what it holds}, in the order of their paths."""
    files = dict(walked(shipped())) | {f"runners/{path.name}": path.read_bytes() for path in RUNNERS.glob("[Rr]*.*")}
    return dict(sorted(files.items()))


def release(folder: Path) -> Path:
    """The archive, written anew into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / NAME
    path.unlink(missing_ok=True)
    export_text(str(path), contents())
    return path


if __name__ == "__main__":
    written = release(Path(sys.argv[1] if len(sys.argv) > 1 else "dist"))
    print(f"{sha256(written.read_bytes()).hexdigest()}  {written}")
