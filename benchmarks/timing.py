"""What the benchmarks share: two cores, rounds in which every candidate is timed once, fresh interpreters, one file.

Import it before NumPy, which reads the number of threads when it is imported. With OMP_NUM_THREADS=1 processor time
is counted instead of the clock's, which neighbours on the machine disturb less.
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

import numpy as np  # noqa: E402

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


def python(code, *arguments):
    """What a fresh interpreter prints."""
    return subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True, text=True).stdout


def machine():
    return {"processor": platform.processor() or platform.machine(), "python": platform.python_version(),
            "numpy": np.__version__, "threads": CORES}


def write(path, **rows):
    """Add the rows to a JSON file; what it has under other names stays."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    path.write_text(json.dumps({**before, "machine": machine(), **rows}, indent=2) + "\n", encoding="utf-8")
    print(f"written to {path}")
