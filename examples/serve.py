"""Any Python callable as a program that lrp-ref can hold to the vectors: one file, Python 3.8 or later, no lrp_ref.

    # mine.py, beside this file
    from serve import Unsupported

    def relevance(net, x, R):
        ...                     # R_0, shaped like x

    $ lrp-ref conform --exec "python serve.py mine:relevance --name mine --version 1.0"

`net` is a list of layers, the lowest first, each a dict with its fields, its kind as "op" and its rule:
{"name": "fc", "op": "Linear", "weight": [[1.0], [-1.5]], "bias": None, "rule": {"name": "Epsilon", "epsilon": 0.25}}.
Numbers are floats and arrays nested lists; `--arrays numpy:array` or `torch:tensor` makes every array one of these.
The answer may be nested lists, or anything with `tolist`; what the implementation lacks is `raise Unsupported(why)`;
what is printed goes to stderr.
"""

import argparse
import importlib
import json
import os
import sys

SIZES = {"size", "stride", "pad", "dilation", "groups", "parts", "sizes", "step", "bounds", "output_pad", "factor",
         "shape", "axes", "axis", "start", "stop", "before", "after", "left", "right",
         "reads"}   # ints and names: not arrays


class Unsupported(Exception):
    """Raised for what the implementation does not have: why, and the issue that asks for it, if any."""

    def __init__(self, reason="no such rule or layer", url=""):
        super().__init__(reason)
        self.url = url


def numbers(nested):
    """Hex floats as floats."""
    if isinstance(nested, list):
        return [numbers(part) for part in nested]
    return float.fromhex(nested) if isinstance(nested, str) else nested


def texts(nested):
    """Floats as hex floats; of arrays and tensors their lists."""
    if hasattr(nested, "tolist"):
        nested = nested.tolist()
    if isinstance(nested, (list, tuple)):
        return [texts(part) for part in nested]
    return float(nested).hex()


def given(value, array):
    """A number, or an array."""
    value = numbers(value)
    return array(value) if isinstance(value, list) else value


def plain(layer, array):
    """A layer's fields, or a rule's, with its numbers as floats and its arrays as arrays."""
    found = {}
    for name, value in layer.items():
        if name in ("name", "op") or name in SIZES:
            found[name] = value
        else:
            found[name] = plain(value, array) if name == "rule" else given(value, array)
    return found


def answer(relevance, case, array):
    try:
        net = [plain(layer, array) for layer in case["net"]]
        return {"result": texts(relevance(net, given(case["x"], array), given(case["R"], array)))}
    except Exception as error:
        if type(error).__name__ == "Unsupported":   # by its name: this file is the program and a module too
            return {"skipped": {"reason": str(error), "url": getattr(error, "url", "")}}
        return {"errored": {"message": f"{type(error).__name__}: {error}"}}


def serve(relevance, name="mine", version="1", unit_roundoff=2.0**-53, conventions=None, array=list,
          capabilities=None):
    """Read questions on stdin and answer them on stdout until there are no more."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")   # what the implementation prints, in C too, goes to stderr
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    about = {"name": name, "version": version, "unit_roundoff": float(unit_roundoff).hex(),
             "conventions": conventions or {}}
    if capabilities:
        about["capabilities"] = list(capabilities)
    for line in sys.stdin:
        message = json.loads(line)
        if message["cmd"] == "stop":
            break
        reply = about
        if message["cmd"] == "run":
            reply = dict(answer(relevance, message["case"], array), seq=message["seq"])
        out.write(json.dumps(reply) + "\n")
        out.flush()


def named(text):
    """What `module:name` is, of a module in the current folder or installed."""
    module, _, name = text.partition(":")
    return getattr(importlib.import_module(module), name)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("callable", help="module:function(net, x, R)")
    parser.add_argument("--name", default="mine")
    parser.add_argument("--version", default="1")
    parser.add_argument("--float32", action="store_true", help="it computes in float32")
    parser.add_argument("--declare", action="append", default=[], metavar="QUESTION=NUMBER",
                        help="a convention, such as stabiliser=1e-6")
    parser.add_argument("--claim", action="append", metavar="CAPABILITY",
                        help="a capability of the manifest, such as dense; cases that need another are not asked")
    parser.add_argument("--arrays", default="builtins:list", metavar="MODULE:NAME", help="numpy:array, torch:tensor")
    options = parser.parse_args()
    sys.path.insert(0, os.getcwd())
    declared = {question: float(value) for question, _, value in (text.partition("=") for text in options.declare)}
    serve(named(options.callable), options.name, options.version, 2.0**-24 if options.float32 else 2.0**-53, declared,
          named(options.arrays), options.claim)


if __name__ == "__main__":
    main()
