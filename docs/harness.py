"""An implementation of LRP behind JSON lines, in plain Python: one dense layer under LRP-0, epsilon, flat, w-square.

    lrp-ref conform --exec "python docs/harness.py"
"""

import json
import math
import sys


def numbers(nested):
    return [numbers(part) for part in nested] if isinstance(nested, list) else float.fromhex(nested)


def texts(nested):
    return [texts(part) for part in nested] if isinstance(nested, list) else nested.hex()


def relevance(x, R, columns, bias, rule, epsilon):
    """R_i = sum_j z_ij / (z_j + epsilon sign z_j) R_j, where the denominator is not 0."""
    if len(x) != len(columns[0]) or len(R) != len(columns):
        raise ValueError(f"got {len(x)} inputs and {len(R)} outputs, needed {len(columns[0])} and {len(columns)}")
    if epsilon < 0 or not all(map(math.isfinite, [epsilon, *x, *R])):
        raise ValueError("needed finite numbers, and an epsilon of at least 0")
    out = [0.0] * len(x)
    for column, b, R_j in zip(columns, bias, R):
        z = {"Epsilon": [x_i * w for x_i, w in zip(x, column)], "Flat": [1.0] * len(x),
             "WSquare": [w * w for w in column]}[rule]
        total = sum(z) + (b if rule == "Epsilon" else 0.0)
        total += epsilon if total >= 0 else -epsilon
        out = [r + (z_i / total * R_j if total else 0.0) for r, z_i in zip(out, z)]
    return out


def answer(case):
    layer, rule = case["net"][0], case["net"][0]["rule"]
    if len(case["net"]) > 1 or layer["op"] != "Linear" or rule["name"] not in ("Epsilon", "Flat", "WSquare"):
        return {"skipped": {"reason": f"no {rule['name']} on {layer['op']}, or more than one layer"}}
    x, R, columns = numbers(case["x"]), numbers(case["R"]), list(zip(*numbers(layer["weight"])))
    if isinstance(x[0], list) and isinstance(x[0][0], list):
        return {"skipped": {"reason": "no rows of vectors (N, L, I)"}}
    bias, epsilon = numbers(layer["bias"] or ["0x0p+0"] * len(columns)), float.fromhex(rule.get("epsilon", "0x0p+0"))
    both = zip(x, R, strict=True)   # sample by sample
    return {"result": texts([relevance(x_n, R_n, columns, bias, rule["name"], epsilon) for x_n, R_n in both])}


for line in sys.stdin:
    message = json.loads(line)
    if message["cmd"] == "stop":
        break
    reply = {"name": "plain Python", "version": "1", "unit_roundoff": "0x1p-53", "conventions": {}}
    if message["cmd"] == "run":
        try:
            reply = {"seq": message["seq"], **answer(message["case"])}
        except Exception as error:
            reply = {"seq": message["seq"], "errored": {"message": repr(error)}}
    print(json.dumps(reply), flush=True)
