"""An implementation in a process of its own, in any language: JSON objects, one per line, on its stdin and stdout.

    to it                                               from it
    {"cmd": "start", "protocol": 1, "spec": "1.0"}      {"name", "version", "unit_roundoff", "conventions"}
    {"cmd": "run", "seq": 1,                            {"seq": 1} with one of "result": R_0,
     "case": {"net": layers, "x", "R"}}                 "skipped": {"reason", "url"}, "errored": {"message"}
    {"cmd": "stop"}                                     nothing: it ends, as it does at the end of its stdin

The format is data_fixtures/vectors/protocol.schema.json, and docs/harness.py an example.
"""

from __future__ import annotations

import atexit
import json
import os
import shlex
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from queue import Empty, Queue
from subprocess import PIPE, Popen, TimeoutExpired
from tempfile import TemporaryFile
from threading import Thread
from typing import IO, Any, Self

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.conformance.adapter import Astray, Hung, Reported, Unsupported, spaced
from lrp_ref.conformance.task_json import shortened, task_json, unhexed, unhexed_number
from lrp_ref.conformance.vectors.suite import SPEC
from lrp_ref.hints import Watch, unwatched
from lrp_ref.network import Network
from lrp_ref.rules import Rule

SILENCES = 3   # in a row, after which a program is asked no more: all its cases together would take hours
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
        self.process: Process | None = None
        self.seq = self.silences = 0
        atexit.register(self.close)
        answer = self.ask(START)
        try:
            self.name, self.version = spaced(answer["name"]), spaced(answer["version"])
            self.unit_roundoff = unhexed_number(answer["unit_roundoff"])
            self.conventions: Mapping[str, Any] = dict(answer["conventions"])
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise self.astray(f"answered start with {shortened(answer)}, needed name, version, unit_roundoff and "
                              f"conventions ({type(error).__name__}: {error})") from None

    def relevance(self, network: Network, rules: Mapping[str, Rule], x: Array, R: Array) -> Array:
        if self.silences == SILENCES:
            raise Hung(f"{self.command}: the process said nothing for {self.timeout:g} seconds, {SILENCES} times in a "
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
                raise Unsupported(reason, rest.get("url"))
            case {"seq": self.seq, "errored": {"message": message}}:
                raise Errored(spaced(message))
        raise self.astray(f"answered {shortened(answer)} to run {self.seq}, needed {{\"seq\": {self.seq}}} with "
                          "result, skipped {reason, url} or errored {message}")

    def array(self, result: Any) -> Array:
        try:
            return np.array(unhexed(result), dtype=np.float64)
        except (TypeError, ValueError, OverflowError) as error:
            raise self.astray(f"gave a result that is no array: {error}") from None

    def ask(self, message: dict[str, Any]) -> dict[str, Any]:
        """What the process says to a message; an error, and no process, where that is no JSON object in time."""
        if self.process is None:
            self.process = Process(self.command)
        line = json.dumps(message)
        self.watch(line)
        self.process.send(line)
        try:
            said = self.process.lines.get(timeout=self.timeout)
        except Empty:
            self.silences += 1
            raise self.astray(f"said nothing for {self.timeout:g} seconds") from None
        if said is None:
            raise self.astray(self.process.ending())
        self.watch(said)
        try:
            answer = json.loads(said)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise self.astray(f"wrote {shortened(said)} on its stdout, needed one JSON object per line: print all else "
                              "to stderr, and flush")
        return answer

    def astray(self, what: str) -> Astray:
        """An error with the last that it said on stderr; the process is ended."""
        said = self.process.complaint() if self.process else ""
        self.end()
        return Astray(f"{self.command}: the process {what}" + (f"; its stderr ends: {said}" if said else ""))

    def end(self) -> None:
        if self.process is not None:
            self.process.kill()
        self.process = None

    def close(self) -> None:
        """Say stop; a process that does not end by itself is ended."""
        if self.process is not None:
            self.process.send(json.dumps({"cmd": "stop"}))
            self.process.leave()
        self.end()
        atexit.unregister(self.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Process:
    """A started command; what it is told; and its lines as they come, None at their end.

    Only `lines.get` blocks; all else returns within a second.
    """

    def __init__(self, command: str) -> None:
        self.stderr = TemporaryFile()   # noqa: SIM115 - closed by kill
        try:
            words = shlex.split(command)
            self.popen = Popen(words, stdin=PIPE, stdout=PIPE, stderr=self.stderr, encoding="utf-8", errors="replace",
                               start_new_session=True)
        except (OSError, ValueError, IndexError) as error:
            raise Astray(f"{command!r} does not start: {error}: give a program and its arguments") from None
        assert self.popen.stdin and self.popen.stdout
        self.stdin = self.popen.stdin
        self.told: Queue[str | None] = Queue()
        self.lines: Queue[str | None] = Queue()
        self.telling = Thread(target=feed, args=(self.told, self.stdin), daemon=True)
        self.telling.start()
        Thread(target=pour, args=(self.popen.stdout, self.lines), daemon=True).start()

    def send(self, line: str) -> None:
        self.told.put(line)

    def ending(self) -> str:
        """What became of it when its stdout is at its end."""
        try:
            return f"ended with exit code {self.popen.wait(1)}"
        except TimeoutExpired:
            return "closed its stdout and lives on"

    def leave(self) -> None:
        """Its stdin is closed, and a second passes at most."""
        self.told.put(None)
        with suppress(TimeoutExpired):
            self.popen.wait(1)

    def kill(self) -> None:
        """It ends, and what it has started: a shell's or a launcher's program; on Windows it alone."""
        if sys.platform != "win32":
            with suppress(OSError):   # where none is left
                os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.kill()
        self.popen.wait()
        self.told.put(None)
        self.telling.join(1)
        self.stderr.close()

    def complaint(self) -> str:
        """The last line of its stderr."""
        self.stderr.seek(0)
        lines = self.stderr.read().decode("utf-8", "replace").split("\n")
        return shortened(next((line.strip() for line in reversed(lines) if line.strip()), ""))


def feed(lines: Queue[str | None], stdin: IO[str]) -> None:
    """Every line as it comes, until None, or until nobody reads them: a pipe holds little, and writing more waits."""
    with suppress(OSError), stdin:
        while (line := lines.get()) is not None:
            stdin.write(line + "\n")
            stdin.flush()


def pour(lines: IO[str], queue: Queue[str | None]) -> None:
    with lines:
        for line in lines:
            queue.put(line.rstrip("\r\n"))
    queue.put(None)
