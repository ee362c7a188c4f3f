"""An implementation in a process of its own: what goes to and fro, and what is said when it goes astray."""

import json
import os
import re
import shlex
import sys
import time
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from recorded import suite as vectors

from lrp_ref import Conv2D, Epsilon, Linear, MaxPool, Network, ReLU, SumPool, WSquare, ZBox, explain
from lrp_ref.arrays import convert_numbers
from lrp_ref.checks.numbers.exact import guarded
from lrp_ref.conformance.adapter import Astray, Hung, Unsupported
from lrp_ref.conformance.judge.outcome import outcome
from lrp_ref.conformance.judge.run import Answers, run
from lrp_ref.conformance.judge.smoke import Broken, smoke
from lrp_ref.conformance.lines import LINE, NAMES, Lines
from lrp_ref.conformance.make.made import one
from lrp_ref.conformance.task_json import depth, read_object, shortened, task_json, unhexed, unhexed_number

ROOT = Path(__file__).parents[2]
HARNESS = f"{shlex.quote(sys.executable)} {shlex.quote(str(ROOT / 'docs' / 'harness.py'))}"
READY = {"name": "it", "version": "3", "unit_roundoff": "0x1p-53", "conventions": {"stabiliser": 0.5}}
NETWORK = Network([("fc", Linear(np.array([[1.5, -2.0, 0.0], [3.0, 0.5, -1.0]]), np.array([0.25, 0.0, -4.0])))])
X, R = np.array([[1.0, -2.0]]), np.array([[2.0, -1.0, 3.0]])
TASK = NETWORK, {"fc": Epsilon(0.1)}, X, R


def program(*lines: str) -> str:
    """The command of a program that answers start as it should, and a run by these lines of Python."""
    body = ["import json, os, sys, time", "say = lambda thing: print(json.dumps(thing), flush=True)", "runs = 0",
            "for line in sys.stdin:", "    message = json.loads(line)",
            "    if message['cmd'] == 'start':", f"        say({READY!r})",
            "    elif message['cmd'] == 'run':", *(f"        {line}" for line in lines or ["pass"]),
            "    else:", "        break"]
    return shlex.join([sys.executable, "-c", "\n".join(body)])


class Patient(Lines):
    """Only answers are waited for so short: a busy machine may take seconds to start an interpreter."""

    def ask(self, message: dict[str, Any]) -> dict[str, Any]:
        timeout = self.timeout
        self.timeout = 60 if message["cmd"] == "start" else timeout
        try:
            return super().ask(message)
        finally:
            self.timeout = timeout


def complaint(command: str, timeout: float = 20) -> str:
    with Patient(command, timeout) as adapter, pytest.raises(ValueError) as caught:
        adapter.relevance(*TASK)
    assert "\n" not in str(caught.value) and len(str(caught.value)) <= 500
    return str(caught.value).replace(called(command), "IT")


def called(command: str) -> str:
    """As messages call it."""
    return shortened(command, NAMES)


# ---- What goes to and fro ----


def test_it_says_who_it_is() -> None:
    with Lines(program()) as adapter:
        assert (adapter.name, adapter.version, adapter.unit_roundoff) == ("it", "3", 2.0**-53)
        assert adapter.conventions == {"stabiliser": 0.5}


def test_a_task_is_hex_floats_and_whole_sizes() -> None:
    network = Network([("c", Conv2D(np.array([[[[0.1, -2.0]]]], np.float32), None, (1, 2), 3)), ("r", ReLU()),
                       ("m", MaxPool(2, ceil=True)), ("s", SumPool((2, 1), scale=1))])
    rules = {"c": ZBox(-1, np.array([0.5])), "r": Epsilon(0.1), "m": Epsilon(2), "s": Epsilon(0.25)}
    task = task_json(network, rules, np.array([[[[3.0, -0.0]]]], np.float32), np.array([[[[1e-300]]]]))
    assert task["x"] == [[[["0x1.8000000000000p+1", "-0x0.0p+0"]]]]
    assert float.fromhex(task["R"][0][0][0][0]) == 1e-300
    conv, relu, pool, total = task["net"]
    assert conv["weight"] == [[[[float(np.float32(0.1)).hex(), "-0x1.0000000000000p+1"]]]] and conv["bias"] is None
    assert (conv["stride"], conv["pad"], conv["dilation"], conv["groups"]) == ([1, 2], [3, 3], [1, 1], 1)
    assert conv["rule"] == {"name": "ZBox", "low": "-0x1.0000000000000p+0", "high": ["0x1.0000000000000p-1"]}
    assert relu == {"name": "r", "op": "ReLU", "rule": {"name": "Epsilon", "epsilon": (0.1).hex()}}
    assert pool["ceil"] is True and pool["rule"]["epsilon"] == "0x1.0000000000000p+1"
    assert total["size"] == [2, 1] and total["scale"] == "0x1.0000000000000p+0"


def test_an_answer_is_the_number_to_the_last_bit() -> None:
    say = "say({'seq': message['seq'], 'result': [[(0.1).hex(), 1/3, 'nan', '-inf', 7]]})"
    with Lines(program(say)) as adapter:
        got = adapter.relevance(*TASK)
    np.testing.assert_array_equal(got, [[0.1, 1 / 3, np.nan, -np.inf, 7]])


@pytest.mark.parametrize("text", ["10", "1.5", "", "0xzz", None, True, {}])
def test_what_might_be_read_as_another_number_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match=r"hex|float"):
        unhexed_number(text)


def test_what_it_has_not_is_unsupported_with_a_reason_and_an_issue() -> None:
    with Lines(program("say({'seq': message['seq'], 'skipped': {'reason': 'no such rule', 'url': 'https://x/1'}})")
               ) as adapter, pytest.raises(Unsupported) as caught:
        adapter.relevance(*TASK)
    assert (caught.value.reason, caught.value.url) == ("no such rule", "https://x/1")


def test_an_issue_may_be_left_out() -> None:
    with Lines(program("say({'seq': message['seq'], 'skipped': {'reason': 'none'}})")) as adapter, \
            pytest.raises(Unsupported) as caught:
        adapter.relevance(*TASK)
    assert caught.value.url == ""


@pytest.mark.parametrize("url", ["None", "''", "'  '"])
def test_an_issue_may_be_null(url: str) -> None:
    with Lines(program(f"say({{'seq': message['seq'], 'skipped': {{'reason': 'none', 'url': {url}}}}})")) as adapter, \
            pytest.raises(Unsupported) as caught:
        adapter.relevance(*TASK)
    assert caught.value.url == ""


def test_what_it_says_of_itself_and_of_errors_is_one_line() -> None:
    ready = {**READY, "name": " it\nself ", "version": "3\t\n4"}
    command = program("say({'seq': message['seq'], 'errored': {'message': 'singular\\n  matrix\\n'}})")
    with Lines(command.replace(repr(READY).replace("'", "'\"'\"'"), repr(ready).replace("'", "'\"'\"'"))) as adapter:
        with pytest.raises(RuntimeError, match=r"^singular matrix$"):
            adapter.relevance(*TASK)
        assert (adapter.name, adapter.version) == ("it self", "3 4")


def test_its_own_error_is_handed_on() -> None:
    with Lines(program("say({'seq': message['seq'], 'errored': {'message': 'KeyError: w'}})")) as adapter, \
            pytest.raises(RuntimeError, match=r"^KeyError: w$"):
        adapter.relevance(*TASK)


# ---- Going astray ----

FLUSH = "needed one JSON object per line: print all else to stderr, and flush"
ASTRAY = {
    "words": (["print('loading ..', flush=True)"], f"wrote loading .. on its stdout, {FLUSH}"),
    "many words": (["print('x' * 500, flush=True)"], f"wrote {'x' * 200} .. on its stdout, {FLUSH}"),
    "a list": (["say([1])"], f"wrote [1] on its stdout, {FLUSH}"),
    "an end": (["sys.exit(3)"], "ended with exit code 3"),
    "an exception": (["raise KeyError('weight')"], "ended with exit code 1; its stderr ends: KeyError: 'weight'"),
    "another seq": (["say({'seq': 7, 'result': [[1]]})"], 'answered {"seq": 7, "result": [[1]]} to run 1, needed'),
    "neither": (["say({'seq': 1})"], 'answered {"seq": 1} to run 1, needed {"seq": 1} with result, skipped'),
    "ragged": (["say({'seq': 1, 'result': [['0x1p0'], []]})"], "gave a result that is no array"),
    "decimals": (["say({'seq': 1, 'result': [['1.5', '2']]})"], "gave a result that is no array: got 1.5, needed"),
    "too large": (["say({'seq': 1, 'result': ['0x1p9999']})"], "gave a result that is no array"),
}


@pytest.mark.parametrize("how", ASTRAY)
def test_a_process_that_goes_astray_is_an_error_that_says_what_was_got(how: str) -> None:
    lines, wanted = ASTRAY[how]
    assert f"IT: the process {wanted}" in complaint(program(*lines))


def test_silence_is_an_error_after_a_time() -> None:
    """A second and not less, in which the process must have started."""
    assert complaint(program("time.sleep(60)"), timeout=1) == "IT: the process said nothing for 1 seconds"


@pytest.mark.parametrize(("line", "wanted", "becomes", "of_it"), [
    ("sys.exit(9)", "IT: the process ended with exit code 9", "failed", ""),
    ("say({'seq': message['seq'], 'errored': {'message': 'singular matrix'}})", "singular matrix", "passed",
     "refused: "),
])
def test_what_became_of_a_process_is_told_without_an_exception_of_pythons(line: str, wanted: str, becomes: str,
                                                                          of_it: str) -> None:
    """What must be refused is refused by an error that is said, not by a crash."""
    command = program(line)
    cases = {case.level: case for case in vectors().cases}
    with Lines(command) as adapter:
        want = Answers().of(adapter)
        failed, refused = (outcome(adapter, cases[level], want) for level in ("required", "negative"))
        with pytest.raises(Broken) as broken:
            smoke(adapter)
    said = called(command)
    assert (failed.status, failed.reason.replace(said, "IT")) == ("failed", wanted)
    assert (refused.status, refused.reason.replace(said, "IT")) == (becomes, f"{of_it}{wanted}")
    assert f"it: {wanted}, for Epsilon" in str(broken.value).replace(said, "IT")


@pytest.mark.parametrize("line", ["os._exit(139)", "print('hello', flush=True)", "say({'seq': 0, 'result': []})"])
def test_who_goes_astray_refuses_nothing(line: str) -> None:
    """And where no bound is finite it leaves nothing undetermined either."""
    z = Fraction(1, 2**60)
    with np.errstate(over="ignore"):   # float32 does not hold 1e308
        beyond = one("beyond", Epsilon(0), Linear(guarded([[z]])), guarded([[1]]), guarded([[10**308]]),
                     level="stress", comment="R / z is beyond float64.", section="Eq. 1")
    refused = next(case for case in vectors().cases if case.level == "negative")
    with Lines(program(line)) as adapter:
        found = {outcome(adapter, case, Answers().of(adapter)).status for case in (refused, beyond)}
    assert found == {"failed"}


def test_a_process_that_closes_its_stdout_and_lives_on_is_an_error() -> None:
    assert complaint(program("os.close(1); time.sleep(20)")) == "IT: the process closed its stdout and lives on"


LARGE = Network([("fc", Linear(np.arange(40000.0).reshape(200, 200) / 3))])   # more than a pipe holds


def test_a_process_that_does_not_read_is_silent_however_much_it_is_told() -> None:
    command = shlex.join([sys.executable, "-c", f"import time; input(); print({json.dumps(READY)!r}, flush=True); "
                                                "time.sleep(20)"])
    with Patient(command, 1) as adapter, pytest.raises(ValueError, match="the process said nothing for 1 seconds"):
        adapter.relevance(LARGE, {"fc": Epsilon(0.1)}, np.ones((1, 200)), np.ones((1, 200)))


def test_a_large_question_arrives_whole() -> None:
    with Lines(program("say({'seq': message['seq'], 'result': message['case']['net'][0]['weight']})")) as adapter:
        got = adapter.relevance(LARGE, {"fc": Epsilon(0.1)}, np.ones((1, 200)), np.ones((1, 200)))
    np.testing.assert_array_equal(got, LARGE["fc"].arrays()["weight"])


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no process groups that end together")
def test_what_a_process_started_ends_with_it() -> None:
    """Its stdout, which both have, is at its end only then."""
    other = "import subprocess; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(20)'])"
    with Patient(program(other, "time.sleep(20)"), 1) as adapter:
        process = adapter.process
        with pytest.raises(ValueError, match="said nothing"):
            adapter.relevance(*TASK)
    assert process is not None and process.lines.get(timeout=10) is None


HANGS = ["x = message['case']['x'][0][0]", "time.sleep(20) if x == (9.0).hex() else None",
         "say({'seq': message['seq'], 'result': [[1]]})"]


def test_a_process_that_is_silent_three_times_in_a_row_is_asked_no_more() -> None:
    """An answer in between begins anew."""
    with Patient(program(*HANGS), 1) as adapter:
        for hangs in (True, False, True, True, True):
            if hangs:
                with pytest.raises(Astray, match=r"the process said nothing for 1 seconds$"):
                    adapter.relevance(NETWORK, TASK[1], 9 + 0 * X, R)
            else:
                adapter.relevance(*TASK)
        with pytest.raises(Hung) as hung:
            adapter.relevance(*TASK)
        assert adapter.process is None
    assert str(hung.value).endswith("said nothing for 1 seconds, 3 times in a row, and is asked no more: mend "
                                    "that, or give it more time: see docs/adapters.md")


def test_a_run_of_a_process_that_hangs_ends_with_the_case_that_it_came_to() -> None:
    """The smoke test's x is 1, and these cases' is not."""
    command = program("time.sleep(20) if message['case']['x'] != [[(1.0).hex()] * 3] * 2 else None",
                      "R = message['case']['R']",
                      "say({'seq': message['seq'], 'result': [[row[i] for i in (1, 2, 0)] for row in R]})")
    suite = vectors()
    with Patient(command, 1) as adapter, pytest.raises(ValueError) as caught:
        run(adapter, suite)
    assert str(caught.value).startswith(f"{suite.cases[3].id} is not asked: ") and "asked no more" in str(caught.value)


def test_a_process_that_went_astray_is_started_anew_for_the_next_run() -> None:
    lines = ["runs += 1", "x = message['case']['x'][0][0]", "sys.exit(1) if x == (9.0).hex() else None",
             "say({'seq': message['seq'], 'result': [[runs]]})"]
    with Lines(program(*lines)) as adapter:
        assert adapter.relevance(*TASK)[0, 0] == 1 and adapter.relevance(*TASK)[0, 0] == 2
        with pytest.raises(ValueError, match="exit code 1"):
            adapter.relevance(NETWORK, TASK[1], 9 + 0 * X, R)
        assert adapter.relevance(*TASK)[0, 0] == 1


def begun(command: str) -> str:
    with pytest.raises(ValueError) as caught:
        Lines(command, 20)
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(called(command), "IT")


def test_a_program_that_is_not_there_is_an_error() -> None:
    assert begun("no-such-program x").startswith("'IT' does not start: ")
    assert "No closing quotation" in begun("python 'x")
    with pytest.raises(ValueError, match="'' does not start"):
        Lines("")


def test_a_process_that_does_not_say_who_it_is_is_an_error() -> None:
    said = json.dumps({"name": "it", "version": "1", "conventions": {}})
    command = shlex.join([sys.executable, "-c", f"input(); print({said!r}, flush=True)"])
    assert begun(command) == (f"IT: the process answered start with {said}, needed name, version, unit_roundoff and "
                              "conventions (KeyError: 'unit_roundoff')")


def test_stop_ends_the_process_and_so_does_the_end_of_its_stdin() -> None:
    for lines in (["pass"], ["time.sleep(60)"]):   # the second hears nothing of it
        adapter = Lines(program(*lines), 20)
        process = adapter.process
        assert process is not None
        if lines != ["pass"]:
            process.send(json.dumps({"cmd": "run"}))
        adapter.close()
        assert process.popen.returncode == (0 if lines == ["pass"] else -9)
        assert adapter.process is None and process.stderr.closed and process.stdin.closed


# ---- Without bounds ----


def resident() -> int:
    """Bytes of memory that this process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


UNBOUNDED = {
    "a line without an end": ["while True: os.write(1, b'x' * 65536)"],
    "lines that nobody asked for": ["while True: os.write(1, b'[]' + b' ' * 60000 + b'\\n')"],
    "complaints": ["while True: os.write(2, b'y' * 65536)"],
}


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
@pytest.mark.parametrize("how", UNBOUNDED)
def test_a_program_that_says_without_bounds_takes_no_memory_and_no_disk(how: str, tmp_path: Path,
                                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    """A line of LINE bytes several times over: as it is read, whole, decoded, parsed."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before, begin = resident(), time.monotonic()
    with Patient(command := program(*UNBOUNDED[how]), 3) as adapter:
        assert adapter.process is not None
        adapter.process.send(json.dumps({"cmd": "run"}))
        time.sleep(2)
        assert resident() - before < 8 * LINE
        with pytest.raises(ValueError) as caught:
            adapter.relevance(*TASK)
    assert resident() - before < 8 * LINE and time.monotonic() - begin < 30
    said = str(caught.value).replace(called(command), "IT")
    assert len(said) < 500 and list(tmp_path.iterdir()) == []
    assert said.startswith({"a line without an end": f"IT: the process wrote {'x' * 200} .. on its stdout, a line of "
                                                     f"more than {LINE} bytes",
                            "lines that nobody asked for": "IT: the process wrote [] .. on its stdout",
                            "complaints": "IT: the process said nothing for 3 seconds; its stderr ends: yyy"}[how])


def test_the_last_line_of_much_stderr_is_told() -> None:
    lines = ["for n in range(5000): print('warning', n, file=sys.stderr)", "print('the end', file=sys.stderr)",
             "sys.exit(4)"]
    assert complaint(program(*lines)) == "IT: the process ended with exit code 4; its stderr ends: the end"


@pytest.mark.parametrize(("text", "wanted"), [
    ("'[' * 100000", "with brackets in one another more than 32 deep"),
    ("'[' * 33 + ']' * 33", "with brackets in one another more than 32 deep"),
    ("json.dumps({'seq': 1, 'result': 0})[:-2] + '[' * 40 + ']' * 40 + '}'", "more than 32 deep"),
    ("'{\"seq\": 1, \"result\": [[1' + '0' * 400 + ']]}'", "with an integer of 401 digits, which float64 does not"),
    ("'{\"seq\": 1, \"result\": [[1' + '0' * 9000 + ']]}'", "with an integer of 9001 digits, which float64 does not"),
    ("'{\"seq\": ' + '9' * 400 + '}'", "with an integer of 400 digits"),
    ("'{\"seq\": 1, \"result\": [[\"0x1p99999999999\"]]}'", "gave a result that is no array: got 0x1p99999999999, ne"),
    ("'\"' + chr(92) + '\"' * 100000", FLUSH), ("'\"' + (chr(92) + '\"') * 100000", FLUSH),
    ("'{\"seq\": 1, \"result\": ' + '[' * 33 + ']' * 33 + '}'", "more than 32 deep"),
    ("'{\"seq\": 1, \"result\": [[1], [1, 2]]}'", "is no array: its lists differ in length or depth"),
    ("'{\"seq\": 1, \"result\": [[1], 2]}'", "is no array: its lists differ in length or depth"),
    ("'\\x1b[31m{}\\x00'", "wrote \\x1b[31m{}\\x00 on its stdout"),
])
def test_what_json_can_say_and_arrays_cannot_hold_is_an_error_of_one_short_line(text: str, wanted: str) -> None:
    said = complaint(program(f"os.write(1, ({text}).encode() + b'\\n')"))
    assert wanted in said and len(said) <= 500 and said.isprintable()


def test_brackets_in_texts_are_not_counted() -> None:
    line = json.dumps({"a": "[" * 50, "b": ['"' + "[" * 50, "\\" + "{" * 50]})
    assert depth(line) == 2 and read_object(line) == json.loads(line)


@pytest.mark.parametrize(("text", "number"), [
    ("nan", np.nan), ("-nan", np.nan), ("NaN", np.nan), ("Inf", np.inf), ("-Inf", -np.inf), ("+inf", np.inf),
    ("Infinity", np.inf), ("0X1.8P+1", 3.0), ("-0x.8p0", -0.5), ("0x10", 16.0)])
def test_what_printf_julia_and_r_write_is_read(text: str, number: float) -> None:
    np.testing.assert_array_equal(unhexed_number(text), number)


def test_texts_of_a_program_are_short_and_nothing_that_a_terminal_obeys() -> None:
    ready = {**READY, "name": "n\x1b[2J" + "x" * 1000, "version": "\ud800"}
    command = program("say({'seq': message['seq'], 'errored': {'message': '\\x07' + 'y' * 1000}})")
    with Lines(command.replace(repr(READY).replace("'", "'\"'\"'"), repr(ready).replace("'", "'\"'\"'"))) as adapter:
        assert adapter.name.startswith("n\\x1b[2Jxxx") and len(adapter.name) < 220 and adapter.version == "\\ud800"
        with pytest.raises(RuntimeError, match=r"^\\x07y+ \.\.$"):
            adapter.relevance(*TASK)


FLEES = {
    "a session": "subprocess.Popen(SLEEP, start_new_session=True)",
    "a session, without its environment": "subprocess.Popen(SLEEP, start_new_session=True, env={})",
    "a parent that has ended": "subprocess.run([sys.executable, '-c', 'import subprocess, sys; subprocess.Popen(sys."
                               "argv[1:], start_new_session=True)', *SLEEP])",
}


def alive(word: str) -> list[Path]:
    """Processes that were started with this word; one that has ended has no words any more."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if word.encode() in (folder / "cmdline").read_bytes() and int(folder.name) != os.getpid():
                found.append(folder)
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked for in /proc")
@pytest.mark.parametrize("how", FLEES)
def test_what_a_program_started_in_a_session_of_its_own_ends_with_it(how: str, tmp_path: Path) -> None:
    word = str(tmp_path)
    lines = ["import subprocess", f"SLEEP = [sys.executable, '-c', 'import time; time.sleep(60)', {word!r}]",
             FLEES[how], "say({'seq': message['seq'], 'result': [[1]]})"]
    with Lines(program(*lines)) as adapter:
        adapter.relevance(*TASK)
        end = time.monotonic() + 20
        while len(alive(word)) < 2:   # itself and the other, which has its words a moment after it was started
            assert time.monotonic() < end
    assert alive(word) == []


def test_a_program_that_is_not_taken_as_an_adapter_is_ended(tmp_path: Path) -> None:
    word = str(tmp_path)
    begun(shlex.join([sys.executable, "-c", f"print('no', flush=True); import time; time.sleep(60); {word!r}"]))
    assert sys.platform != "linux" or alive(word) == []


# ---- The example, and the format ----


def test_the_example_fails_no_case_that_it_has() -> None:
    with Lines(HARNESS) as adapter:
        outcomes = run(adapter, vectors()).outcomes
    assert {one.status for one in outcomes if one.case.level in ("required", "convention")} == {"passed", "unsupported"}
    assert [one.case.id for one in outcomes if one.status == "failed"] == []
    assert {one.case.rule for one in outcomes if one.status == "passed"} == {"Epsilon", "Flat", "WSquare"}


@pytest.mark.parametrize("rule", [Epsilon(0.1), WSquare()], ids=repr)
def test_the_example_computes_what_this_package_does(rule: Epsilon) -> None:
    with Lines(HARNESS) as adapter:
        got = adapter.relevance(NETWORK, {"fc": rule}, X, R)
    # sums of a few products in another order, a quotient and a product
    np.testing.assert_allclose(got, explain(NETWORK, X, {"fc": rule}, R).relevance, rtol=1e-15, atol=0)


def test_the_example_is_short_and_needs_nothing() -> None:
    text = (ROOT / "docs" / "harness.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 60
    assert [line for line in text.splitlines() if "import" in line] == ["import json", "import math", "import sys"]


def schema() -> object:
    text = (ROOT / "data_fixtures" / "vectors" / "protocol.schema.json").read_text(encoding="utf-8")
    return jsonschema.Draft202012Validator(json.loads(text))


def test_all_traffic_is_of_the_published_format() -> None:
    validator, heard = schema(), []
    with Lines(HARNESS, watch=heard.append) as adapter:
        for case in vectors().cases[::3]:
            with suppress(Unsupported, RuntimeError):   # what is refused is traffic too
                adapter.relevance(*case.task())
    assert len(heard) > 80
    for line in heard:
        validator.validate(json.loads(line))


@pytest.mark.parametrize("line", [
    {"cmd": "run", "seq": 0, "case": task_json(*TASK)}, {"cmd": "start", "protocol": 2, "spec": "1.0"},
    {"seq": 1, "result": [["1.5"]]}, {"seq": 1}, {"seq": 1, "result": [[1]], "errored": {"message": "x"}},
    {"seq": 1, "skipped": {"url": ""}}, {**READY, "unit_roundoff": 1e-16}, {"cmd": "halt"},
    {"cmd": "run", "seq": 1, "case": {**task_json(*TASK), "x": [[1.5]]}}], ids=lambda line: json.dumps(line)[:40])
def test_the_published_format_refuses_what_is_not_of_it(line: object) -> None:
    assert not schema().is_valid(line)


def test_the_published_format_is_itself_well_formed_and_strict_on_layers_of_a_cnn() -> None:
    validator = schema()
    validator.check_schema(validator.schema)
    run_ = {"cmd": "run", "seq": 1, "case": task_json(*TASK)}
    assert validator.is_valid(run_)
    run_["case"]["net"][0]["groups"] = 1
    assert not validator.is_valid(run_)


PAGE = (ROOT / "docs" / "adapters.md").read_text(encoding="utf-8")
SHOWN = [json.loads(line) for line in re.findall(r"^```json\n(.*)\n```$", PAGE, re.MULTILINE)]


def test_the_lines_that_the_page_shows_are_of_the_format_and_the_examples_own() -> None:
    validator = schema()
    for shown in SHOWN:
        validator.validate(shown)
    heard: list[str] = []
    [asked] = [shown for shown in SHOWN if shown.get("cmd") == "run"]
    with Lines(HARNESS, watch=heard.append) as adapter:
        adapter.ask(asked)
    start, ready, run_, answer = map(json.loads, heard)
    assert [start, run_] == [SHOWN[0], SHOWN[2]] and unhexed(answer["result"]) == unhexed(SHOWN[3]["result"])
    assert {**ready, "unit_roundoff": unhexed_number(ready["unit_roundoff"])} == {**SHOWN[1], "unit_roundoff": 2.0**-53}
    assert len(SHOWN) == 7


def test_numbers_in_float32_are_its_own_numbers() -> None:
    network = Network([("fc", NETWORK["fc"].astype(np.float32))])
    x, start = (convert_numbers(values, np.float32) for values in (X * 0.1, R))
    task = task_json(network, {"fc": Epsilon(0.5)}, x, start)
    assert float.fromhex(task["x"][0][0]) == float(np.float32(0.1))


@pytest.mark.parametrize(("text", "wanted"), [("nan", np.nan), ("-nan", np.nan), ("NaN", np.nan), ("Inf", np.inf),
                                             ("-Infinity", -np.inf), ("0X1.8P+1", 3.0), ("-0x.8", -0.5), (2, 2.0)])
def test_numbers_are_read_as_printf_and_other_languages_write_them(text, wanted):
    np.testing.assert_array_equal(unhexed_number(text), wanted)


@pytest.mark.parametrize("text", ["nan(0x8)", "0x", "0xg", "1.5", "0x1p99999", 10**400, 10**5000, True, "", "infinit"],
                         ids=range(10))
def test_what_is_no_number_is_refused_in_few_words(text):
    with pytest.raises(ValueError, match=r"^got .*, (needed a hex float|which float64 does not hold)") as caught:
        unhexed_number(text)
    assert len(str(caught.value)) <= 500
