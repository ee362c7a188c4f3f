"""What the benchmarks share: two cores, rounds in which every candidate is timed once, fresh interpreters, one file.

Import it before NumPy, which reads the number of threads and the kernel to use when it is imported. With
OMP_NUM_THREADS=1 processor time is counted instead of the clock's, which neighbours on the machine disturb less.
"""

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

CORES = os.environ.get("OMP_NUM_THREADS", "2")
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, CORES)
PINS = "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "NVPL_BLAS_"   # these choose the kernel of NumPy's products, and of no
UNPINNED = [variable for variable in os.environ if variable.startswith(PINS)]   # other candidate's
for variable in UNPINNED:
    del os.environ[variable]

import numpy as np  # noqa: E402
from threadpoolctl import threadpool_info  # noqa: E402

SIDE, PRODUCTS = 2048, 3   # of the matrices whose product is the machine's best, and how many are timed together
now = time.process_time if CORES == "1" else time.perf_counter


def clock(call):
    """Seconds, and what the call returned."""
    begin = now()
    result = call()
    return now() - begin, result


def alternate(candidates, rounds):
    """{name: seconds of every round} and {name: last result}. A candidate returns seconds and a result, as `clock`.

    A round times every candidate once, so that all meet the same machine; one round before them warms up.
    """
    seconds, results = {name: [] for name in candidates}, {}
    for n in range(rounds + 1):
        for name, candidate in candidates.items():
            spent, results[name] = candidate()
            seconds[name] += [spent] if n else []
    return seconds, results


def medians(seconds):
    return {name: statistics.median(values) for name, values in seconds.items()}


def ratio(seconds, name, other):
    """The median over the rounds of one candidate's seconds divided by another's of the same round."""
    return statistics.median(s / t for s, t in zip(seconds[name], seconds[other]))


def peak(flop, number):
    """Seconds in which so many floating-point operations could be done: at the rate of a large product, timed now."""
    a = np.full((SIDE, SIDE), 0.5, number)
    out = a @ a
    seconds, _ = clock(lambda: [np.matmul(a, a, out=out) for _ in range(PRODUCTS)])
    return seconds * flop / (2 * SIDE**3 * PRODUCTS), None


def line(cells, widths):
    """A row of a table in Markdown, its columns as wide as they are in the other rows."""
    print("| " + " | ".join(f"{cell!s:<{width}}" for cell, width in zip(cells, widths, strict=True)) + " |", flush=True)


def head(cells, widths):
    line(cells, widths)
    print("|" + "|".join("-" * (width + 2) for width in widths) + "|", flush=True)


def kernels():
    """What works out NumPy's products."""
    return [f"{library['internal_api']} {library['version']}, kernel {library['architecture']}, "
            f"{library['num_threads']} threads" for library in threadpool_info() if library["user_api"] == "blas"]


def python(code, *arguments):
    """What a fresh interpreter prints."""
    return subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True, text=True).stdout


def machine():
    return {"processor": platform.processor() or platform.machine(), "python": platform.python_version(),
            "numpy": np.__version__, "threads": CORES, "products": kernels(), "unpinned": UNPINNED}


def introduce():
    """Print the machine, and how fast it is at one large product of either type."""
    print(f"NumPy {np.__version__} with {' and '.join(kernels())}"
          + (f"; without the environment's {', '.join(UNPINNED)}" if UNPINNED else ""))
    for number in (np.float64, np.float32):
        rate = 1e9 / min(peak(1e9, number)[0] for _ in range(3)) / 1e9
        print(f"a {SIDE} x {SIDE} product in {number.__name__}: {rate:.0f} GFLOP a second", flush=True)


def write(path, **rows):
    """Add the rows to a JSON file; what it has under other names stays."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    path.write_text(json.dumps({**before, "machine": machine(), **rows}, indent=2) + "\n", encoding="utf-8")
    print(f"written to {path}")
