"""An implementation in a process of its own, in any language: JSON objects, one per line, on its stdin and stdout.

    to it                                               from it
    {"cmd": "start", "protocol": 1, "spec": "1.1"}      {"name", "version", "unit_roundoff", "conventions"}, and, if
                                                        it claims only some of the manifest's, "capabilities"
    {"cmd": "run", "seq": 1,                            {"seq": 1} with one of "result": R_0,
     "case": {"net": layers, "x", "R"}}                 "skipped": {"reason", "url"}, "errored": {"message"}
    {"cmd": "stop"}                                     nothing: it ends, as it does at the end of its stdin

The format is data_fixtures/vectors/protocol.schema.json, and docs/harness.py an example.
"""

from __future__ import annotations

import atexit
import json
import os
import secrets
import shlex
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from queue import Empty, Queue
from subprocess import PIPE, Popen, TimeoutExpired
from threading import Thread
from time import sleep
from typing import IO, Any, NamedTuple, Self

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.conformance.adapter import Astray, Hung, Reported, Unsupported
from lrp_ref.conformance.task_json import read_object, shortened, task_json, unhexed, unhexed_number
from lrp_ref.conformance.vectors.suite import SPEC
from lrp_ref.files import why
from lrp_ref.hints import Watch, brief, unwatched
from lrp_ref.network import Network
from lrp_ref.rules import Rule

SILENCES = 3   # in a row, after which a program is asked no more: all its cases together would take hours
LINE = 1 << 24   # bytes of a line that comes, half a million numbers: the vectors ask for some hundreds at once
AHEAD = 2   # lines that may wait to be asked for; a program that says more waits itself
COMPLAINT = 1 << 14   # bytes of stderr that are kept, the last ones: a line of them is told
ROUNDS, PAUSE = 20, 0.02   # in which what a program has started is looked for: ending takes a while, and one may start
NAMES = 80   # letters of a program's name, and of the command that it is called by
MARK = "LRP_REF_PROGRAM"   # in the environment of a program and all that it starts
START = {"cmd": "start", "protocol": 1, "spec": SPEC}


class Errored(Reported, RuntimeError):
    """What a process says of a case that it could not compute."""


class Lines:
    """The adapter that asks a process. It is started anew after it died or went astray, unless it was silent
    several times in a row; `close`, `with`, or the end of this program ends it.

    command  as in a shell, but without one: "julia harness.jl --float32"
    timeout  seconds for every answer, with the time that it takes to read the question
    watch    hears every line that is sent or comes
    """

    def __init__(self, command: str, timeout: float = 60.0, watch: Watch = unwatched) -> None:
        self.command, self.timeout, self.watch = command, timeout, watch
        self.called = shortened(command, NAMES)   # in messages, of which it must not be the whole
        self.process: Process | None = None
        self.seq = self.silences = 0
        atexit.register(self.close)
        try:
            self.begin()
        except BaseException:   # of whom nobody has the adapter
            self.close()
            raise

    def begin(self) -> None:
        """It says who it is."""
        answer = self.ask(START)
        try:
            self.name, self.version = (shortened(str(answer[what]), NAMES) for what in ("name", "version"))
            self.unit_roundoff = unhexed_number(answer["unit_roundoff"])
            self.conventions: Mapping[str, Any] = dict(answer["conventions"])
            claimed = answer.get("capabilities")
            self.capabilities = None if claimed is None else tuple(shortened(str(one), NAMES) for one in claimed)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise self.astray(f"answered start with {shortened(answer)}, needed name, version, unit_roundoff and "
                              f"conventions ({type(error).__name__}: {error})") from None

    def relevance(self, network: Network, rules: Mapping[str, Rule], x: Array, R: Array) -> Array:
        if self.silences == SILENCES:
            raise Hung(f"{self.called}: the process said nothing for {self.timeout:g} seconds, {SILENCES} times in a "
                       "row, and is asked no more: mend that, or give it more time: see docs/adapters.md")
        if self.process is None:
            self.ask(START)
        self.seq += 1
        answer = self.ask({"cmd": "run", "seq": self.seq, "case": task_json(network, rules, x, R)})
        self.silences = 0
        match answer:
            case {"seq": self.seq, "result": result}:
                return self.array(result)
            case {"seq": self.seq, "skipped": {"reason": str(reason), **rest}}:
                raise Unsupported(shortened(reason), rest.get("url") and shortened(str(rest["url"])))
            case {"seq": self.seq, "errored": {"message": message}}:
                raise Errored(shortened(str(message)))
        raise self.astray(f"answered {shortened(answer)} to run {self.seq}, needed {{\"seq\": {self.seq}}} with "
                          "result, skipped {reason, url} or errored {message}")

    def array(self, result: Any) -> Array:
        try:
            numbers = unhexed(result)
        except ValueError as error:
            raise self.astray(f"gave a result that is no array: {error}") from None
        try:
            return np.array(numbers, dtype=np.float64)
        except ValueError:
            raise self.astray("gave a result that is no array: its lists differ in length or depth") from None

    def ask(self, message: dict[str, Any]) -> dict[str, Any]:
        """What the process says to a message; an error, and no process, where that is no JSON object in time."""
        if self.process is None:
            self.process = Process(self.command)
        asked = json.dumps(message)
        self.watch(asked)
        self.process.send(asked)
        try:
            line = self.process.lines.get(timeout=self.timeout)
        except Empty:
            self.silences += 1
            raise self.astray(f"said nothing for {self.timeout:g} seconds") from None
        if line is None:
            raise self.astray(self.process.ending())
        said = line.decode("utf-8", "replace").rstrip("\r\n")
        if len(line) > LINE:
            raise self.astray(f"wrote {shortened(said)} on its stdout, a line of more than {LINE} bytes, needed at "
                              "most so many: end every answer with a new line")
        self.watch(said)
        try:
            return read_object(said)
        except ValueError as error:
            raise self.astray(f"wrote {shortened(said)} on its stdout, {error}") from None

    def astray(self, what: str) -> Astray:
        """An error with the last that it said on stderr; the process is ended."""
        process = self.process
        self.end()
        said = process.complaint() if process else ""
        return Astray(brief(f"{self.called}: the process {what}" + (f"; its stderr ends: {said}" if said else "")))

    def end(self) -> None:
        if self.process is not None:
            self.process.kill()
        self.process = None

    def close(self) -> None:
        """Say stop; a process that does not end by itself is ended."""
        if self.process is not None:
            self.process.leave(json.dumps({"cmd": "stop"}))
        self.end()
        atexit.unregister(self.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Process:
    """A started command; what it is told; and its lines as they come, None at their end.

    Only `lines.get` blocks; all else returns within some seconds.
    """

    def __init__(self, command: str) -> None:
        self.mark = f"{MARK}={secrets.token_hex(8)}"
        try:
            words = shlex.split(command)
            if not words:
                raise ValueError("it names no program")
            self.popen = Popen(words, stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True,
                               env={**os.environ, MARK: self.mark.partition("=")[2]})
        except (OSError, ValueError) as error:
            reason = why(error) if isinstance(error, OSError) else str(error)
            raise Astray(f"{shortened(command)!r} does not start: {reason}: give a program and its arguments") from None
        assert self.popen.stdin and self.popen.stdout and self.popen.stderr
        self.stdin, self.stderr = self.popen.stdin, self.popen.stderr
        self.told: Queue[str | None] = Queue()
        self.lines: Queue[bytes | None] = Queue(AHEAD)
        self.kept = bytearray()
        self.known: set[Alive] = set()
        self.telling = Thread(target=feed, args=(self.told, self.stdin), daemon=True)
        self.complaining = Thread(target=keep, args=(self.stderr, self.kept), daemon=True)
        for thread in (self.telling, self.complaining,
                       Thread(target=pour, args=(self.popen.stdout, self.lines), daemon=True)):
            thread.start()

    def send(self, line: str) -> None:
        self.told.put(line)

    def ending(self) -> str:
        """What became of it when its stdout is at its end."""
        try:
            return f"ended with exit code {self.popen.wait(1)}"
        except TimeoutExpired:
            return "closed its stdout and lives on"

    def leave(self, word: str) -> None:
        """It is told the word, its stdin is closed, and a second passes at most."""
        self.known = self.family()   # before: what it has started may have no parent after
        self.send(word)
        self.told.put(None)
        with suppress(TimeoutExpired):
            self.popen.wait(1)

    def family(self) -> set[Alive]:
        """It and what it has started, as far as that is alive."""
        return started(self.known, self.mark, self.popen.pid if self.popen.poll() is None else None)

    def kill(self) -> None:
        """It ends, and what it has started: a shell's or a launcher's program; on Linux also what has left its group;
        on Windows it alone."""
        found = self.family()
        for _ in range(ROUNDS):
            if not found:
                break
            end(found)
            sleep(PAUSE)
            found = started(found, self.mark)
        if sys.platform != "win32":
            with suppress(OSError):   # where none is left
                os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.kill()
        self.popen.wait()
        self.told.put(None)
        with suppress(Empty):   # what waits would keep its thread waiting
            while self.lines.get(timeout=1) is not None:
                pass
        self.lines.put(None)
        for thread in (self.telling, self.complaining):
            thread.join(1)

    def complaint(self) -> str:
        """The last line of its stderr."""
        lines = bytes(self.kept).decode("utf-8", "replace").split("\n")
        return shortened(next((line.strip() for line in reversed(lines) if line.strip()), ""))


class Alive(NamedTuple):
    """A process: its number, which another may have later, and when it began."""

    pid: int
    began: bytes


def started(known: set[Alive], mark: str, root: int | None = None) -> set[Alive]:
    """The live processes among those known, the root, what descends from them, and what has the mark in its
    environment: on Linux, which has a folder of them. A session of its own, or a parent that has ended, hides none."""
    parents: dict[Alive, int] = {}
    marked = set()
    for folder in Path("/proc").glob("[0-9]*") if sys.platform == "linux" else ():
        with suppress(OSError):   # it has ended, or is another user's
            state, parent, *more = (folder / "stat").read_bytes().rpartition(b")")[2].split()
            if state not in b"ZX":   # which has ended, and is not yet waited for
                one = Alive(int(folder.name), more[17])
                parents[one] = int(parent)
                if mark.encode() in (folder / "environ").read_bytes().split(b"\0"):
                    marked.add(one)
    found = {one for one in parents if one in known or one in marked or one.pid == root}
    while children := {one for one, parent in parents.items() if one not in found and parent in {o.pid for o in found}}:
        found |= children
    return found


def end(found: set[Alive]) -> None:
    """All are stopped before the first is ended, so that none starts another in between."""
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for one in found:
            with suppress(OSError):
                os.kill(one.pid, number)


def feed(lines: Queue[str | None], stdin: IO[bytes]) -> None:
    """Every line as it comes, until None, or until nobody reads them: a pipe holds little, and writing more waits."""
    with suppress(OSError), stdin:
        while (line := lines.get()) is not None:
            stdin.write(line.encode() + b"\n")
            stdin.flush()


def pour(stdout: IO[bytes], lines: Queue[bytes | None]) -> None:
    """Every line, of at most one byte more than LINE; the last is the first that is longer."""
    with stdout:
        while line := stdout.readline(LINE + 1):
            lines.put(line)
            if len(line) > LINE:
                break
    lines.put(None)


def keep(stderr: Any, kept: bytearray) -> None:
    """The end of all that it says: who says much has it read, and not kept."""
    with stderr:
        while part := stderr.read1(1 << 16):
            kept += part
            del kept[:-COMPLAINT]
