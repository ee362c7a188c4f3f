"""One meaning, one name: a word that a search finds in many files means the same in all of them."""

import ast
from collections import defaultdict
from pathlib import Path

import lrp_ref

ROOT = Path(lrp_ref.__file__).parent
LAYER_KINDS = "a layer of that kind: by loops, from torch, from ONNX, to torch"
PROTOCOL = {   # names of functions that more than two files may have, and what they mean in every one of them
    "cases": "yields the cases of its file",
    "text": "what a command prints",
    "facts": "the same as plain values, for --json",
    **dict.fromkeys(("avg_pool", "conv2d", "conv_transpose2d", "linear", "lrn", "max_pool", "batch_norm", "clip",
                     "relu", "leaky_relu", "flatten", "reshape", "transpose", "pad", "layer_norm", "rms_norm",
                     "softmax", "multiply", "mat_mul", "where"), LAYER_KINDS),
}


def functions() -> dict[str, set[str]]:
    """{name: the files that have a function of that name at their top level}"""
    found: dict[str, set[str]] = defaultdict(set)
    for path in ROOT.rglob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef):
                found[node.name].add(str(path.relative_to(ROOT)))
    return found


OWN = ("conformance/", "conventions/")   # where words are those of cases and of libraries
SHARED = {"flat", "written"}   # of one file elsewhere, and of several there that mean other things


def test_what_an_error_lists_is_cut_short_by_one_function() -> None:
    """Tables grow; `hints.listed` stops at what a person reads, a join of names does not."""
    joined = [f"{path.relative_to(ROOT)}:{call.lineno}" for path in sorted(ROOT.rglob("*.py"))
              for error in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
              if isinstance(error, ast.Raise)
              or (isinstance(error, ast.Call) and getattr(error.func, "id", "") in ("refuse", "refused"))
              for call in ast.walk(error)
              if isinstance(call, ast.Call) and ast.unparse(call.func) == "', '.join"]
    assert not joined, f"write hints.listed(names) there: {joined}"


def test_no_name_outside_the_stations_of_a_case_means_three_things() -> None:
    found = {name: files for name, files in functions().items() if len(files) > 2}
    outside = {name: sorted(files) for name, files in found.items()
               if name not in PROTOCOL and not all(file.startswith(OWN) for file in files)}
    assert set(outside) <= SHARED, outside
    assert set(PROTOCOL) <= set(found)
