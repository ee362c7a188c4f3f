"""The vectors of LRP against one implementation, in plain Python: python runner.py FOLDER  (the one with v1 in it)"""
import json
import math
import pathlib
import sys

TOLERANCE = 1e-9   # of a case's largest number: a first look; `lrp-ref conform` judges by derived bounds


class Unsupported(Exception):
    """Your implementation has no such rule or layer."""


def relevance(net, x, R):
    """PUT YOUR OWN HERE: R_0, shaped like x. Here: one Linear layer under Epsilon, Flat or WSquare."""
    layer, rule = net[0], net[0]["rule"]["name"]
    if len(net) > 1 or layer["op"] != "Linear" or rule not in ("Epsilon", "Flat", "WSquare") or depth(x) > 2:
        raise Unsupported
    weight, epsilon = numbers(layer["weight"]), number(layer["rule"].get("epsilon", "0"))
    columns = list(zip(*weight))
    bias = numbers(layer["bias"]) if layer["bias"] else [0.0] * len(columns)
    if len(x) != len(R) or any(len(r) != len(weight) for r in x) or any(len(r) != len(columns) for r in R):
        raise ValueError("x or R does not fit the weights")
    if not all(map(math.isfinite, [epsilon, *flat(x), *flat(R)])) or epsilon < 0:
        raise ValueError("needed finite numbers, and an epsilon of at least 0")
    return [one_sample(x_n, R_n, columns, bias, rule, epsilon) for x_n, R_n in zip(x, R)]


def one_sample(x, R, columns, bias, rule, epsilon):
    out = [0.0] * len(x)
    for w, b, R_j in zip(columns, bias, R):
        z = [{"Epsilon": x_i * w_i, "Flat": 1.0, "WSquare": w_i * w_i}[rule] for x_i, w_i in zip(x, w)]
        total = sum(z) + (b if rule == "Epsilon" else 0.0)
        total += epsilon if total >= 0 else -epsilon
        out = [r + (z_i / total * R_j if total else 0.0) for r, z_i in zip(out, z)]
    return out


def number(text):   # "3", "-17/90", "0x1.8p+3", "inf", "nan"
    top, _, bottom = text.partition("/")
    return float.fromhex(text) if "x" in text else float(top) / float(bottom or 1)


def numbers(nested):
    return [numbers(part) for part in nested] if isinstance(nested, list) else number(nested)


def depth(nested):
    return 1 + depth(nested[0]) if isinstance(nested, list) else 0


def flat(nested):
    return [n for part in nested for n in flat(part)] if isinstance(nested, list) else [nested]


def status(case):
    try:
        got = relevance(case["net"], numbers(case["x"]), numbers(case["R"]))
    except Unsupported:
        return "unsupported"
    except Exception:
        return "passed" if case["level"] == "negative" else "failed"
    if case["level"] in ("negative", "stress"):   # numbers at the edges of the format need their own bounds
        return "failed" if case["level"] == "negative" else "not judged"
    got, want = flat(got), flat(numbers(case["expect"]["f64"]))
    near = TOLERANCE * max(map(abs, want))
    return "passed" if len(got) == len(want) and all(abs(g - w) <= near for g, w in zip(got, want)) else "failed"


folder = pathlib.Path(sys.argv[1]) / "v1"
manifest = json.loads((folder / "manifest.json").read_text())
cases = [case for path in manifest["files"] for case in json.loads((folder / path).read_text())["cases"]]
found = {case["id"]: status(case) for case in cases}
assert len(found) == manifest["count"], "fewer cases than the manifest promises"
for name in [name for name, what in found.items() if what == "failed"]:
    print("failed", name)
words = ["passed", "failed", "unsupported", "not judged"]
print(", ".join(f"{list(found.values()).count(word)} {word}" for word in words) + f", of {len(found)}")
sys.exit("failed" in found.values())
