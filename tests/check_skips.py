"""Fail when a test was skipped that tests/skips.txt does not name: what is absent on a bare machine passes unseen.

    python tests/check_skips.py [--none] junit.xml

A line of skips.txt is `path[::name]  reason`; with --none no test may be skipped at all.
"""

import sys
from pathlib import Path
from xml.etree import ElementTree


def allowed() -> list[str]:
    lines = (Path(__file__).parent / "skips.txt").read_text(encoding="utf-8").splitlines()
    return [line.split()[0] for line in lines if line.strip() and not line.startswith("#")]


def main(arguments: list[str]) -> int:
    names = [] if "--none" in arguments else allowed()
    root = ElementTree.parse(arguments[-1]).getroot()
    cases = list(root.iter("testcase"))
    if not cases:
        print("no test ran at all")
        return 1
    unlisted = []
    for case in cases:
        skipped = case.find("skipped")
        if skipped is None or skipped.get("type") == "pytest.xfail":
            continue
        path = (case.get("classname") or case.get("name", "")).replace(".", "/") + ".py"
        node = f"{path}::{case.get('name', '').partition('[')[0]}"
        if not any(name in (path, node) for name in names):
            unlisted.append(f"{node}: {skipped.get('message')}")
    for line in unlisted:
        print(f"skipped, but not in tests/skips.txt: {line}")
    print(f"{len(cases)} tests, {len(unlisted)} skipped without leave")
    return bool(unlisted)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
