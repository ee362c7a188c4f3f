"""Fail when a claim of selfcheck has another digest on another kernel of OpenBLAS: what counts as truth is not BLAS's.

    python tests/check_platforms.py

selfcheck runs under three names of OPENBLAS_CORETYPE. A name that OpenBLAS does not know, or a build without a choice
of kernels, would pass unnoticed, so each run also prints the kernel that threadpoolctl reports and the digest of one
float64 product: these must all differ, or the check is void and fails.
"""

import hashlib
import json
import os
import subprocess
import sys
from typing import Any

import numpy as np

CORES = ("Nehalem", "Sandybridge", "Haswell")


def one() -> dict[str, Any]:
    """In a process of its own: the kernel in use, the digest of one product, and what selfcheck says."""
    from threadpoolctl import threadpool_info

    from lrp_ref.checks.claims import selfcheck

    rng = np.random.default_rng(0)
    product = rng.normal(size=(173, 311)) @ rng.normal(size=(311, 97))
    kernels = sorted({str(info.get("architecture")) for info in threadpool_info() if info["user_api"] == "blas"})
    return {"kernel": " ".join(kernels), "product": hashlib.sha256(product.tobytes()).hexdigest()[:12],
            **selfcheck.facts(selfcheck.selfcheck())}


def run(core: str) -> dict[str, Any]:
    result = subprocess.run([sys.executable, __file__, "--one"], capture_output=True, text=True,
                            env={**os.environ, "OPENBLAS_CORETYPE": core})
    if result.returncode:
        raise SystemExit(f"OPENBLAS_CORETYPE={core}: {result.stderr.strip()}")
    return json.loads(result.stdout)


def verdict(runs: dict[str, dict[str, Any]]) -> list[str]:
    """What is wrong with the runs: nothing, or why."""
    wrong = [f"{core}: {claim['name']} FAILED: {claim['failures']}" for core, found in runs.items()
             for claim in found["claims"] if claim["verdict"] == "FAILED"]
    for what in ("kernel", "product"):
        seen = [found[what] for found in runs.values()]
        if len(set(seen)) < len(seen):
            wrong.append(f"void: the {what}s do not all differ ({', '.join(seen)}), so nothing was compared")
    claims = {core: {claim["name"]: (claim["cases"], claim["digest"]) for claim in found["claims"]}
              for core, found in runs.items()}
    first, *others = claims
    for core in others:
        names = sorted(name for name in claims[first].keys() | claims[core].keys()
                       if claims[first].get(name) != claims[core].get(name))
        wrong += [f"{name}: {claims[first].get(name)} on {first}, {claims[core].get(name)} on {core}" for name in names]
    return wrong


def main(arguments: list[str]) -> int:
    if arguments == ["--one"]:
        print(json.dumps(one()))
        return 0
    runs = {}
    for core in CORES:
        runs[core] = run(core)
        print(f"{core}: kernel {runs[core]['kernel']}, product {runs[core]['product']}, {len(runs[core]['claims'])} "
              f"claims, {runs[core]['failed']} FAILED", flush=True)
    wrong = verdict(runs)
    print("\n".join(wrong) if wrong else "every claim has one digest on all of them")
    return bool(wrong)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
