"""Command lines, programs of --exec and what they say, and reports of names that hold anything."""

from __future__ import annotations

import contextlib
import io
import json
import os
from collections.abc import Callable, Mapping
from copy import deepcopy
from functools import cache
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from harness import CHARACTERS, Attempt, Door

from lrp_ref.command.cli import main
from lrp_ref.conformance.adapter import Unsupported
from lrp_ref.conformance.adapters.ours import ours
from lrp_ref.conformance.judge.run import run
from lrp_ref.conformance.judge.smoke import smoke
from lrp_ref.conformance.lines import Lines
from lrp_ref.conformance.make.lint import lint
from lrp_ref.conformance.page import page
from lrp_ref.conformance.report import text as report_text
from lrp_ref.conformance.report.as_json import as_json
from lrp_ref.conformance.report.case import case_text
from lrp_ref.conformance.report.facts import Report, comparison, report
from lrp_ref.conformance.vectors.suite import Suite, load
from lrp_ref.layers import Linear
from lrp_ref.network import Network
from lrp_ref.rules import Epsilon

Rng = np.random.Generator
VECTORS = Path(__file__).parents[3] / "data_fixtures" / "vectors"
# Words of Python's and NumPy's that no message of ours has.
FOREIGN = ("Traceback", "Errno", "codec can't", "islice", "embedded null", "object has no attribute", "invalid literal",
           "could not convert", "unhashable", "not subscriptable", "cannot unpack", "positional argument", "NoneType",
           "Exceeds the limit", "maxsize", "recursion")


def one_of(rng: Rng, things: Any) -> Any:
    return things[int(rng.integers(len(things)))]


# ---- Command lines ----

ODD = ["", " ", "-", "--", "---", "-1", "-1.5", "0", "1", "2", "100", "101", "nan", "-nan", "inf", "1e999", "1e-999",
       "9" * 20, "9" * 400, "9" * 5000, "0x10", "1_000", "٣", "1x1", "5x5", "0x0", "-1x3", "1000000x1000000", "3x",
       "²x²", "a" * 300, "a" * 5000, "a/" * 2000, "\udcff", "\x1b[2J", "\n", "a\nb", "\x00", "a\x00b", "~", ".", "..",
       "/", "/dev/null", "/dev/zero", "/dev/full", "/dev/stdin", "/proc/self/mem", "/nowhere/x.png", "pipe", "pipe.png",
       "locked", "locked/x.png", "folder", "folder.png", "folder.npz", "folder.html", "photo.png", "photo.png/x.png",
       "model.npz", "model.npz/x.npz", "empty.png", "empty.npz", "text.png", "loop.png", "none.png", "none.npz",
       "none.html", "none.txt", "none", "none/none.png", ".png", ".npz", ".html", "x.PNG", "x.gif", "x.xyz", "x.zip",
       "é.png", "cat", "left", "kat", "paper", "epsilon", "epsilon:", "epsilon:-1", "epsilon:nan", "epsilon:1e999",
       "epsilon:1,2", "epsilon:a", "alphabeta:2,1", "alphabeta:2,2", "alphabeta:nan,nan", "gamma:-1", "zbox",
       "zbox:1", "zbox:1,0", "zbox:nan,1", "zbox:inf,-inf", "flat", "flat:1", "wsquare", "pass", "winner", ":", ":1",
       "::", "%s", "{}", "{0}", "cnn", "fv", "conv1", "relu1", "fc", "lrp_ref", "lrp_ref:float32", "lrp_ref:float16",
       "dialect:", "dialect:zennit", "dialect:zenit", "exec:", "exec:none", "exec:'", "exec:true",
       "exec:cat photo.png", "exec:\x00", "exec:\udcff", "json:Name", "json:loads", "html:", ":Name", ".:.", "a.b:c",
       "folder:x", "zennit", "captum", "toolbox:", "toolbox:.", "toolbox:none", "toolbox:pipe", "toolbox:\x00",
       "recorded:", "recorded:none", "recorded:photo.png", "recorded:pipe", "recorded:folder", "recorded:/dev/zero",
       "os:getcwd", "sys:stdin", "\udcff:x", "\x00:x", "required", "Epsilon", "Linear", "plain-000000", "train",
       "ignore", "lint", "export", "regenerate"]
PLACES = {   # {command: (what it takes besides options, its options); None for those without a value}
    "explain": (["photo.png"], {
        "--model": "model.npz", "--size": "5x6", "--class": "left", "--rule": "epsilon:1", "--first": "flat",
        "--percentile": "99", "--colours": "safe", "--cutoff": "conv1", "--output": "out.png", "--save": "out.npz",
        "--bound": None, "--json": None}),
    "figure": (["photo.png"], {
        "--cnn": "model.npz", "--fv": "fv", "--size": "5x6", "--class": "left", "--rule": "flat", "--first": "zbox",
        "--percentile": "0", "--colours": "paper", "--cutoff": "conv1", "--output": "out.png"}),
    "models": ([], {"--json": None}),
    "layers": (["model.npz"], {"--size": "5x6", "--json": None}),
    "evaluate": (["voc"], {
        "--model": "model.npz", "--size": "5x6", "--count": "1", "--seed": "1", "--set": "test", "--difficult": "count",
        "--plot": "out.png", "--save": "out.npz", "--json": None}),
    "conform": (["lrp_ref"], {
        "--case": "flat-relu", "--rule": "Flat", "--layer": "ReLU", "--level": "stress",
        "--expect": "none.txt", "--write-expect": "new.txt", "--report": "out.html", "--json": None,
        "--record": "new.json", "--badge": "out.svg", "--issue": "1"}),
    "compare": (["none", "none"], {"--expect": "folder", "--report": "out.html", "--json": None}),
    "vectors": (["export"], {"--check": None, "--output": "new"}),
}
ALWAYS = {"explain": {"--model": "model.npz"}, "evaluate": {"--model": "model.npz"},
          "figure": {"--cnn": "model.npz"}, "conform": {"--rule": "Flat", "--layer": "ReLU"}}


def command_line(rng: Rng) -> Attempt:
    """A command whose options have their usual values, but for one odd value, or several and what it does not know."""
    name = one_of(rng, [*PLACES])
    first, options = PLACES[name]
    words = [[word] for word in first] + [[option] if value is None else [option, value]
                                          for option, value in options.items() if rng.random() < 0.3]
    for option, value in ALWAYS.get(name, {}).items():   # without which it takes long
        words += [] if any(word[0] == option for word in words) else [[option, value]]
    valued = [word for word in words if word[0] in options and options[word[0]] is not None] or words or [["--none"]]
    if rng.random() < 0.6:
        word, odd = one_of(rng, valued), one_of(rng, ODD)
        word[:] = [f"{word[0]}={odd}"] if rng.random() < 0.5 and len(word) == 2 else [*word[:-1], odd]
    else:
        for _ in range(int(rng.integers(1, 4))):
            n, odd = int(rng.integers(len(words) + 1)), one_of(rng, ODD)
            if n == len(words):
                option = one_of(rng, [*options, "--none", "-x"])
                words.append(one_of(rng, [[option, odd], [f"{option}={odd}"], [odd], [option]]))
            else:
                words[n][-1] = odd
    given = [name, *(part for word in words for part in word)]
    if name == "vectors" and ("lint" in given or "regenerate" in given) and len(given) < 4:
        given = ["vectors", "export"]   # the others, of the vectors that are shipped, take a minute
    return Attempt(shown(given), lambda: at_hand(lambda: said(given)))


def shown(words: list[str]) -> str:
    return ascii(" ".join(word if len(word) < 60 else f"{word[:20]}({len(word)})" for word in words))


def at_hand(call: Callable[[], object]) -> object:
    """The call in a new folder with photographs, models and what is none of both."""
    before = os.getcwd()
    with TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            for path, data in small_files().items():
                Path(path).parent.mkdir(parents=True, exist_ok=True)
                Path(path).write_bytes(data)
            for path in ("pipe", "pipe.png"):
                os.mkfifo(path)
            Path("loop.png").symlink_to("loop.png")
            Path("locked").mkdir(mode=0)
            return call()
        finally:
            os.chdir(before)


@cache
def small_files() -> Mapping[str, bytes]:
    import imageio.v3 as iio

    from lrp_ref import Conv2D, Flatten, MaxPool, Model, Preprocessing, ReLU, save_model
    rng = np.random.default_rng(0)
    network = Network([("conv1", Conv2D(rng.normal(size=(2, 3, 2, 2)))), ("relu1", ReLU()), ("pool1", MaxPool(2)),
                       ("flat", Flatten()), ("fc", Linear(rng.normal(size=(8, 2)), rng.normal(size=2)))])
    photograph = iio.imwrite("<bytes>", rng.integers(0, 256, (9, 7, 3), dtype=np.uint8), extension=".png")
    jpeg = iio.imwrite("<bytes>", rng.integers(0, 256, (9, 7, 3), dtype=np.uint8), extension=".jpg")
    with TemporaryDirectory() as folder:
        save_model(Model(network, ["left", "right"], Preprocessing((5, 6), "rgb")), Path(folder) / "model.npz")
        model = (Path(folder) / "model.npz").read_bytes()
    box = b"<xmin>1</xmin><ymin>1</ymin><xmax>3</xmax><ymax>3</ymax>"
    page = (b"<annotation><size><width>7</width><height>9</height></size><object><name>left</name>"
            b"<difficult>0</difficult><bndbox>" + box + b"</bndbox></object></annotation>")
    return {"photo.png": photograph, "model.npz": model, "empty.png": b"", "empty.npz": b"", "text.png": b"hello",
            "folder/x": b"", "folder.png/x": b"", "folder.npz/x": b"", "folder.html/x": b"",
            "voc/JPEGImages/1.jpg": jpeg, "voc/Annotations/1.xml": page, "voc/ImageSets/Main/test.txt": b"1\n",
            "voc/ImageSets/Main/left_test.txt": b"1 1\n", "voc/ImageSets/Main/right_test.txt": b"1 -1\n"}


def said(arguments: list[str]) -> None:
    """A command's exit code and lines are as they should be; an AssertionError where they are not."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code: object = main(arguments)
        except SystemExit as ended:   # after --help
            code = ended.code or 0
    text, notes = out.getvalue(), err.getvalue()
    assert code in (0, 1, 2), f"exit code {code}"
    shows(text)
    shows(notes)
    lines = notes.splitlines()
    assert all(line.startswith("lrp-ref: ") and len(line) <= CHARACTERS + len("lrp-ref: ") for line in lines), notes
    if code == 2:
        others = "photographs are not explained: " in notes   # of several, those that can be read are
        assert len(lines) == 1 and (not text or others), f"{text[:200]} | {notes}"
        assert not any(word in notes for word in FOREIGN), notes
    left = [name for name in os.listdir() if name.startswith(".lrp-ref-")]
    assert not left, f"left over: {left}"


def shows(text: str) -> None:
    """Nothing that a terminal obeys, and no half characters."""
    wrong = {c for c in text if not (c.isprintable() or c in "\n\u00a0\u3000")}
    assert not wrong, f"prints {wrong}"


# ---- What a program says ----

READY = {"name": "it", "version": "1", "unit_roundoff": "0x1p-53", "conventions": {}}
STRANGE: list[Any] = [
    None, True, False, 0, 1, -1, 2, 1.5, 1e308, float("nan"), float("inf"), 10**400, -(10**400), 2**63, "", "x",
    "0x1p0", "0x1p99999", "0x1p-99999", "nan", "-nan", "inf", "1", "1/2", "\ud800", "\x00", "\x1b[31m", "<b>",
    "a" * 1000, [], [[]], [[], []], [1, [2]], [[1], [1, 2]], {}, {"a": 1}, [None], [True], [{}], ["0x1p0"] * 3,
    [["0x1p0", "0x1p1"]], [[1.0, 2.0]], [["nan", "inf"]], [[[1.0, 2.0]]], {"reason": "no"}, {"reason": 1},
    {"reason": "no", "url": "https://x"}, {"reason": "no", "url": []}, {"message": "no"}, {"message": None},
    {"stabiliser": 0.5}, {"stabiliser": 10**400}, {"stabiliser": "x"}, {"none": 1}, {"sign_of_zero": [1]},
    {"sign_of_zero": {}}, 2.0**-24]
NETWORK = Network([("fc", Linear(np.array([[1.5, -2.0, 0.0], [3.0, 0.5, -1.0]]), np.array([0.25, 0.0, -4.0])))])
TASK = NETWORK, {"fc": Epsilon(0.1)}, np.array([[1.0, -2.0]]), np.array([[2.0, -1.0, 3.0]])


class Said:
    """In place of a process: what it replies to what it was asked last."""

    def __init__(self, reply: Callable[[Any], bytes | None]) -> None:
        self.reply, self.lines = reply, self
        self.asked: Any = None

    def send(self, line: str) -> None:
        self.asked = json.loads(line)

    def get(self, timeout: float) -> bytes | None:
        return self.reply(self.asked)

    def kill(self) -> None: ...

    def leave(self, word: str) -> None: ...

    def complaint(self) -> str:
        return "at the end"

    def ending(self) -> str:
        return "ended with exit code 0"


class Heard(Lines):
    """The adapter that hears these replies."""

    def __init__(self, reply: Callable[[Any], bytes | None]) -> None:
        self.reply = reply
        super().__init__("it")

    def ask(self, message: dict[str, Any]) -> dict[str, Any]:
        if self.process is None:
            self.process = Said(self.reply)   # type: ignore[assignment]
        return super().ask(message)


def mutated(rng: Rng, line: bytes) -> bytes:
    """A line with bytes changed, cut, doubled, or among brackets."""
    for _ in range(int(rng.integers(0, 3))):
        at, end = sorted(map(int, rng.integers(0, len(line) + 1, 2)))
        other = one_of(rng, [b"", b"\\", b'"', b"[", b"]", b"{", b"}", b",", b":", b"\xff", b"\0", b"9" * 500,
                             b"e999", b"NaN", b"-Infinity", line[at:end] * 3, b"[" * 100000, b"{\"a\":" * 3000,
                             "ü".encode("utf-16")])
        line = line[:at] + other + line[end if rng.random() < 0.5 else at:]
    return line


def lines_of_a_program(rng: Rng) -> Attempt:
    """Who it is and an answer, each with a part replaced by something strange or a line with bytes changed."""
    ready: dict[str, Any] = dict(READY)
    answer: dict[str, Any] = {"seq": 1, "result": [["0x1p0", "-0x1.8p-3"]]}
    if rng.random() < 0.3:
        ready[one_of(rng, [*ready, "x"])] = one_of(rng, STRANGE)
    if rng.random() < 0.7:
        answer[one_of(rng, ["seq", "result", "skipped", "errored"])] = one_of(rng, STRANGE)
    if rng.random() < 0.4:
        answer.pop("result", None)
    lines = [json.dumps(one).encode() for one in (ready, *[answer] * 8)]
    if rng.random() < 0.4:
        at = int(rng.integers(len(lines)))
        lines[at] = mutated(rng, lines[at])
    lines = [line + b"\n" for line in lines]

    def call() -> None:
        waiting = [*lines]
        with Heard(lambda asked: waiting.pop(0) if waiting else None) as adapter, contextlib.suppress(Unsupported):
            if rng.random() < 0.5:
                smoke(adapter)
            else:
                try:
                    adapter.relevance(*TASK)
                except RuntimeError as error:   # its own
                    assert str(error).isprintable() and len(str(error)) < CHARACTERS
    return Attempt(ascii(b" ".join(lines[:2])[:300].decode("latin-1")), call)


def whole_run(rng: Rng) -> Attempt:
    """A program that passes the smoke test, and answers the vectors' cases with whatever it likes: to the report."""
    odds = float(rng.random())

    def reply(asked: Any) -> bytes | None:
        if asked["cmd"] != "run":
            return json.dumps(READY).encode()
        seq, x, R = asked["seq"], asked["case"]["x"], asked["case"]["R"]
        if x == [[(1.0).hex()] * 3] * 2:   # the smoke test's
            answer: dict[str, Any] = {"seq": seq, "result": [[row[i] for i in (1, 2, 0)] for row in R]}
        elif rng.random() < odds:
            answer = {"seq": seq, "result": other_numbers(rng, x)}
        else:
            answer = {"seq": seq, one_of(rng, ["result", "skipped", "errored", "x"]): one_of(rng, STRANGE)}
        line = json.dumps(answer).encode()
        return None if rng.random() < 0.02 else mutated(rng, line) if rng.random() < 0.05 else line

    def call() -> None:
        with Heard(reply) as adapter:
            told(quickly(run(adapter, few(), command="--exec it")))
    return Attempt(f"{odds:.2f} of its answers are shaped like x", call)


def other_numbers(rng: Rng, x: Any) -> Any:
    """Lists shaped like these, with numbers at the edges of float64 among others."""
    if isinstance(x, list):
        return [other_numbers(rng, part) for part in x]
    return one_of(rng, [x, "0x0p0", "-0x0p0", "nan", "inf", "-inf", "0x1p1023", "0x1p-1074", 1, "0x1.8p0"])


# ---- Programs ----

PROGRAMS = {
    "is none": "none",
    "is a folder": "/",
    "is no word": "'",
    "ends at once": "true",
    "says nothing": "sleep 60",
    "says no JSON": "sh -c 'echo 1; sleep 60'",
    "never ends a line": "sh -c 'yes | tr -d \"\\n\"'",
    "complains without end": "sh -c 'yes complaint >&2'",
    "says much": "yes []",
    "nests": "sh -c 'head -c 1000000 /dev/zero | tr \"\\0\" \"[\"; echo; sleep 60'",
    "says what is no text": "head -c 9999 /dev/urandom",
    "kills its own group": "sh -c 'kill -9 0'",
    "closes everything": "sh -c 'exec <&- >&- 2>&-; sleep 60'",
    "leaves a child": "sh -c 'setsid sleep 60 & sleep 60'",
    "stops itself": "sh -c 'kill -STOP $$'",
    "hears no signal": "sh -c 'trap \"\" INT TERM HUP; sleep 60; sleep 60'",
}


def program(rng: Rng) -> Attempt:
    """A program that misbehaves before it has said who it is."""
    how = one_of(rng, [*PROGRAMS])
    return Attempt(how, lambda: Lines(PROGRAMS[how], timeout=0.3).close())


# ---- Folders of vectors ----

AMONG: list[Any] = [*STRANGE, 10**6, 10**9, 2**63, -1, "1e999", "1e99999", "9" * 5000, "1/0", "0x1p1023", "0x1p-1074",
                    "1/" + "9" * 400, [10**9, 10**9], [1, 1], [0, 0], ["1"] * 9, [["1"]], "Conv2D", "Flat", "Winner",
                    "required", "negative", "stress"]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every part of a JSON value."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, part in parts for place in places(part, (*path, key)))]


@cache
def entries() -> list[tuple[str, str]]:
    """(file, JSON) of every case of the vectors."""
    return [(path.relative_to(VECTORS).as_posix(), json.dumps(entry)) for path in sorted(VECTORS.glob("v1/*/*.json"))
            for entry in json.loads(path.read_text(encoding="utf-8"))["cases"]]


def folder_of_vectors(rng: Rng) -> Attempt:
    """One case of the vectors with parts that are something else, or bytes changed, in a folder of its own."""
    path, text = one_of(rng, entries())
    entry = json.loads(text)
    for _ in range(int(rng.integers(1, 4))):
        *way, last = one_of(rng, places(entry)[1:])
        part = entry
        for key in way:
            part = part[key]
        if isinstance(part, dict) and rng.random() < 0.2:
            del part[last]
        else:
            part[last] = deepcopy(one_of(rng, AMONG))
    data = json.dumps({"spec": "1.0", "cases": [entry]}).encode()
    data = mutated(rng, data) if rng.random() < 0.2 else data
    manifest = {"schema": "lrp-vector-v1", "spec": "1.1", "count": 1, "versions": {},
                "files": {path.removeprefix("v1/"): {"sha256": sha256(data).hexdigest(), "count": 1}}}
    files = {path: data, "v1/manifest.json": json.dumps(manifest).encode(), "v1/records.json": b"[]",
             "v1/flags.json": b"{}"}

    def call() -> None:
        with TemporaryDirectory() as folder:
            for name, contents in files.items():
                (Path(folder) / name).parent.mkdir(parents=True, exist_ok=True)
                (Path(folder) / name).write_bytes(contents)
            found, _ = lint(Path(folder))
        assert found and all(one.isprintable() and len(one) <= CHARACTERS for one in found), max(found, key=len)
    return Attempt(ascii(data.decode("latin-1"))[:600], call)


# ---- Reports ----

TEXTS = ["\ud800", "\udcff", "\x00", "\x1b[2J", "\u202e", "\u2028", "\x85", "<script>alert(1)</script>", "</style>",
         "\"'<&>", "{}", "%s", "]]>", "<!--", "\r\n", "", " ", "a" * 3000, "javascript:alert(1)",
         "https://x\"onload=1", "ﷺ", "\u200d"]


@cache
def few() -> Suite:
    from dataclasses import replace
    whole = load()
    cases = [case for case in whole.cases if case.rule in ("Flat", "Epsilon")][::60]
    return replace(whole, cases=cases, count=len(cases))


class Odd:
    """An adapter whose name, version, reasons and urls are made of these texts."""

    unit_roundoff = 2.0**-53
    conventions: Mapping[str, Any] = {}

    def __init__(self, rng: Rng) -> None:
        self.rng, self.calls = rng, 0
        self.name, self.version = self.text(), self.text()

    def text(self) -> str:
        return "".join(one_of(self.rng, TEXTS) for _ in range(int(self.rng.integers(1, 4))))

    def relevance(self, network: Any, rules: Any, x: Any, R: Any) -> Any:
        self.calls += 1
        if self.calls > 8 and self.rng.random() < 0.4:
            if self.rng.random() < 0.5:
                raise Unsupported(self.text(), self.text())
            raise RuntimeError(self.text())
        right = ours("lrp_ref")
        assert right is not None
        return right.relevance(network, rules, x, R) * (1 if self.calls < 9 else one_of(self.rng, [1, 1, 2, np.nan]))


def reported(rng: Rng) -> Attempt:
    """The page, the JSON and the text of a report, alone and compared: in UTF-8, with no tag of anyone's."""
    adapter = Odd(rng)

    def call() -> None:
        done = run(adapter, few(), command=adapter.text())
        told(Report(done, [], [], []) if rng.random() < 0.5 else quickly(done))
    return Attempt(ascii(f"{adapter.name} {adapter.version}")[:300], call)


def told(found: Report) -> None:
    """Page, JSON and text are as they should be; an error where they are not."""
    for one in (found, comparison([found, found])):
        html = page(one)
        shows(html.encode().decode())
        assert html.count("<script") == 1 and html.count("<style") == 1 and "<!--" not in html
        json.loads(json.dumps(as_json(one), allow_nan=False).encode().decode())
    report_text.text(found).encode("utf-8", "backslashreplace")
    for one in found.run.outcomes:
        case_text(one)


def quickly(done: Any) -> Report:
    """With causes, and without counterexamples, each of which takes a second."""
    from lrp_ref.conformance.diagnose import failures
    before, failures.SHRUNK = failures.SHRUNK, 0
    try:
        return report(done)
    finally:
        failures.SHRUNK = before


DOORS = (Door("command lines", command_line), Door("folders of vectors", folder_of_vectors),
         Door("lines of a program", lines_of_a_program),
         Door("runs of a program", whole_run),
         Door("programs of --exec", program), Door("reports", reported))
