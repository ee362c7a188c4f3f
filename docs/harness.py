"""An implementation of LRP behind JSON lines, in plain Python: dense layers under LRP-0, epsilon, flat and w-square.

    lrp-ref conform --exec "python docs/harness.py"
"""

import json
import sys


def numbers(nested):
    return [numbers(part) for part in nested] if isinstance(nested, list) else float.fromhex(nested)


def texts(nested):
    return [texts(part) for part in nested] if isinstance(nested, list) else nested.hex()


def terms(layer, x):
    """z_ij, and what is added to their sum, for every output j."""
    weight, rule = numbers(layer["weight"]), layer["rule"]["name"]
    columns = [list(column) for column in zip(*weight)]
    if rule == "Epsilon":
        bias = numbers(layer["bias"]) if layer["bias"] else [0.0] * len(columns)
        return [([x_i * w for x_i, w in zip(x, column)], b) for column, b in zip(columns, bias)]
    return [([1.0 if rule == "Flat" else w * w for w in column], 0.0) for column in columns]


def relevance(layer, x, R):
    """R_i = sum_j z_ij / (z_j + epsilon sign z_j) R_j, where the denominator is not 0."""
    epsilon = float.fromhex(layer["rule"].get("epsilon", "0x0p+0"))
    out = [0.0] * len(x)
    for (z, b), R_j in zip(terms(layer, x), R):
        total = sum(z) + b
        total += epsilon if total >= 0 else -epsilon
        for i, z_i in enumerate(z):
            out[i] += z_i / total * R_j if total else 0.0
    return out


def answer(case):
    if len(case["net"]) > 1 or case["net"][0]["op"] != "Linear" or not isinstance(case["x"][0][0], str):
        return {"skipped": {"reason": "one dense layer on (N, I) is all there is", "url": ""}}
    layer = case["net"][0]
    if layer["rule"]["name"] not in ("Epsilon", "Flat", "WSquare"):
        return {"skipped": {"reason": f"no rule {layer['rule']['name']}", "url": ""}}
    return {"result": texts([relevance(layer, x, R) for x, R in zip(numbers(case["x"]), numbers(case["R"]))])}


for line in sys.stdin:
    message = json.loads(line)
    if message["cmd"] == "stop":
        break
    reply = {"name": "plain Python", "version": "1", "unit_roundoff": (2.0**-53).hex(), "conventions": {}}
    if message["cmd"] == "run":
        reply = {"seq": message["seq"], **answer(message["case"])}
    print(json.dumps(reply), flush=True)
