"""Grade a folder of students' files, one per student: python grade.py FOLDER

Each file is a mine.py under the student's name. For every exercise: how many cases pass of how many that it has, and
the first sentence of what is said of those that fail. A file runs in a process of its own, in its folder.
"""

import csv
import json
import subprocess
import sys
from pathlib import Path

EXERCISES = {
    1: "--rule Flat --layer Linear",
    2: "--rule Epsilon --layer Linear",
    3: "--rule AlphaBeta --rule ZPlus --rule Gamma --layer Linear",
    4: "--rule AlphaBeta --rule Winner --layer Conv2D --layer MaxPool",
    5: "--rule Flat --layer Conv2D --layer MaxPool --layer AvgPool",
    6: "--rule WSquare --rule ZBox --layer Linear --layer Conv2D",
    7: "--layer FisherVector",
    8: "--layer Add --layer MatMul --layer Softmax",
}
RIGHT = ("passed", "loose", "undetermined")   # undetermined: nobody can say that it is wrong


def graded(file, exercise, seconds=300):
    """(cases that are right, cases, what is said of the others) of one student's exercise."""
    words = [sys.executable, "-m", "lrp_ref", "conform", f"{file.stem}:Mine", *EXERCISES[exercise].split(), "--json"]
    try:
        done = subprocess.run(words, cwd=file.parent, capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        return 0, 0, f"not done after {seconds} s"
    if done.returncode == 2:   # nothing is filled in, or it cannot be run: the last line says which
        return 0, 0, done.stderr.strip().rpartition("\n")[2].removeprefix("lrp-ref: error: ")
    found = json.loads(done.stdout)
    said = [told["sentence"] for told in found["diagnosis"]] or [one["cause"] for one in found["failures"]]
    said += [f"unsupported: {one['reason']}" for one in found["outcomes"] if one["status"] == "unsupported"]
    return sum(found["counts"][name] for name in RIGHT), sum(found["counts"].values()), said[0] if said else ""


if __name__ == "__main__":
    rows = csv.writer(sys.stdout, lineterminator="\n")
    rows.writerow(["student", "exercise", "right", "of", "said"])
    for file in sorted(Path(sys.argv[1]).glob("*.py")):
        for exercise in EXERCISES:
            rows.writerow([file.stem, exercise, *graded(file.resolve(), exercise)])
