"""The vectors are read whole and unchanged, or not at all."""

import json
import math
import os
from collections.abc import Callable
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from recorded import ANSWERS
from recorded import suite as vectors

from lrp_ref.conformance.adapters.ours import Ours
from lrp_ref.conformance.vectors import suite as suite_of
from lrp_ref.conformance.vectors.case import array, from_hex, parsed
from lrp_ref.conformance.vectors.suite import Suite, load, versions_of
from lrp_ref.relevance import through_network

WHOLE = vectors()


def copied(folder: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """Vectors of two cases in a folder, with a change to their manifest."""
    cases = json.loads((SOURCE / "Flat" / "linear.json").read_text(encoding="utf-8"))["cases"]
    file = {"spec": "1.0", "cases": cases[:2]}
    (folder / "Flat").mkdir()
    (folder / "Flat" / "linear.json").write_text(json.dumps(file), encoding="utf-8")
    digest = sha256((folder / "Flat" / "linear.json").read_bytes()).hexdigest()
    files = {"Flat/linear.json": {"sha256": digest, "count": 2}}
    version = {"count": 2, "digest": sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()[:12]}
    manifest = {"schema": "lrp-vector-v1", "spec": "1.1", "count": 2, "files": files,
                "versions": {"1.0": version, "1.1": version}}
    change(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    (folder / "records.json").write_text("[]", encoding="utf-8")
    (folder / "flags.json").write_text("{}", encoding="utf-8")
    return folder


SOURCE = Path(__file__).parents[2] / "data_fixtures" / "vectors" / "v1"


def test_a_folder_is_read_as_its_manifest_promises(tmp_path: Path) -> None:
    suite: Suite = load(copied(tmp_path, lambda manifest: None))
    assert [case.rule for case in suite.cases] == ["Flat", "Flat"] and suite.count == 2
    assert all(WHOLE[case.id].id == case.id for case in suite.cases)


def test_a_changed_file_is_not_read(tmp_path: Path) -> None:
    copied(tmp_path, lambda manifest: None)
    path = tmp_path / "Flat" / "linear.json"
    path.write_text(path.read_text(encoding="utf-8") + " ", encoding="utf-8")
    with pytest.raises(ValueError, match=r"Flat/linear\.json is not the file that manifest\.json promises: regenerate"):
        load(tmp_path)


def test_fewer_cases_than_promised_are_not_read(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"got 2 cases, and manifest\.json promises 3"):
        load(copied(tmp_path, lambda manifest: manifest.update(count=3)))


def test_vectors_of_another_format_are_not_read(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"the vectors are lrp-vector-v1 2\.0, this program reads lrp-vector-v1 1\.1"):
        load(copied(tmp_path, lambda manifest: manifest.update(spec="2.0")))


def test_a_version_that_is_not_what_the_manifest_says_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^manifest\.json says of the specification 1\.0 .*, and its files have 2 "):
        load(copied(tmp_path, lambda manifest: manifest["versions"].update({"1.0": {"count": 3, "digest": ""}})))


def test_a_file_of_a_specification_to_come_is_not_read(tmp_path: Path) -> None:
    copied(tmp_path, lambda manifest: None)
    path, manifest = tmp_path / "Flat" / "linear.json", json.loads((tmp_path / "manifest.json").read_text())
    path.write_text(path.read_text(encoding="utf-8").replace('"spec": "1.0"', '"spec": "1.2"'), encoding="utf-8")
    manifest["files"]["Flat/linear.json"]["sha256"] = sha256(path.read_bytes()).hexdigest()
    (tmp_path / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(ValueError, match=r"^Flat/linear\.json is of the specification '1\.2', needed one of "):
        load(tmp_path)


# ---- Released specifications ----


def test_what_was_released_has_its_cases_for_ever() -> None:
    """500 cases of the digest by which recorded answers know them; a later specification has these and its own."""
    first, second = WHOLE.at("1.0"), WHOLE.at("1.1")
    assert (first.spec, first.count, first.digest, len(first.cases)) == ("1.0", 500, "1ac8d7578f6b", 500)
    assert (second.spec, second.count, second.digest) == (WHOLE.spec, WHOLE.count, WHOLE.digest)
    assert {case.since for case in first.cases} == {"1.0"} and {case.since for case in WHOLE.cases} == {"1.0", "1.1"}
    assert {case.id for case in first.cases} < {case.id for case in second.cases}
    with pytest.raises(ValueError, match=r"^got the specification '2\.0', needed one of 1\.0, 1\.1$"):
        WHOLE.at("2.0")


def test_a_version_is_the_digest_of_the_files_that_came_by_then() -> None:
    files: dict[str, dict[str, Any]] = {
        "a/b.json": {"sha256": "1", "count": 2}, "a/c.json": {"sha256": "2", "count": 3}}
    found = versions_of(files, {"a/b.json": "1.0", "a/c.json": "1.1"})
    assert {spec: version.count for spec, version in found.items()} == {"1.0": 2, "1.1": 5}
    assert found["1.0"] == versions_of({"a/b.json": files["a/b.json"]}, {"a/b.json": "1.0"})["1.1"]
    assert len({version.digest for version in found.values()}) == 2
    files["a/c.json"]["sha256"] = "3"
    again = versions_of(files, {"a/b.json": "1.0", "a/c.json": "1.1"})
    assert again["1.0"] == found["1.0"] and again["1.1"].digest != found["1.1"].digest


@pytest.mark.parametrize("path", ["../../secret.json", "/dev/zero", "a/../b.json", "a.json", "a/b/c.json", "a/b",
                                  "\0/a.json"])
def test_no_file_outside_of_the_folder_is_read(tmp_path: Path, path: str) -> None:
    with pytest.raises(ValueError, match=r"^manifest\.json promises .*, needed rule/topic\.json$") as caught:
        load(copied(tmp_path, lambda manifest: manifest["files"].update({path: {"sha256": "", "count": 0}})))
    assert str(caught.value).isprintable()


def test_a_pipe_is_not_opened_and_a_file_is_read_up_to_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copied(tmp_path, lambda manifest: manifest["files"].update({"Flat/pipe.json": {"sha256": "", "count": 0}}))
    os.mkfifo(tmp_path / "Flat" / "pipe.json")
    with pytest.raises(ValueError, match=r"^the vectors have no file Flat/pipe\.json: copy them again$"):
        load(tmp_path)
    monkeypatch.setattr(suite_of, "LARGEST", 50)
    with pytest.raises(ValueError, match=r"^manifest\.json has more than 50 bytes, which no file of the vectors has"):
        load(tmp_path)


FILES: dict[str, tuple[str, bytes, str]] = {
    "brackets": ("records.json", b"[" * 10**6, "records.json has brackets in brackets, needed at most 32 deep"),
    "no UTF-8": ("flags.json", b"\xff", "flags.json is no text in UTF-8, needed JSON"),
    "an endless integer": ("records.json", b"1" * 10**6, "records.json has a number of 1000000 digits, needed at most"),
    "a record without a title": ("records.json", b'[{"id": "a"}]', "records.json[0]: 'title' is missing"),
    "a record with more": ("records.json", b'[{"id": "a", "title": "", "question": "", "answers": {}, "more": 1}]',
                           "records.json[0] has a field 'more' that this program does not know"),
    "a note that is a text": ("flags.json", b'{"A": "t"}', "flags.json: A is 't', needed fields"),
    "a note twice": ("flags.json", b'{"A": 1, "A": 2}', "flags.json has the field 'A' twice, needed it once"),
    "a manifest in a list": ("manifest.json", b"[]", "manifest.json is [], needed fields"),
    "a manifest without files": ("manifest.json", b'{"schema": "lrp-vector-v1", "spec": "1.1"}', "'files' is missing"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_holds_something_else_is_refused_in_words_of_ours(tmp_path: Path, name: str) -> None:
    path, data, wanted = FILES[name]
    copied(tmp_path, lambda manifest: None)
    (tmp_path / path).write_bytes(data)
    with pytest.raises(ValueError) as caught:
        load(tmp_path)
    assert wanted in str(caught.value) and len(str(caught.value)) <= 500


@pytest.mark.parametrize("text", ["1/0", "0x1p+9999", "1e1000", "9" * 401, "one", "1_0", " 1", "1 ", "0x", "", "\x1b",
                                  5, None, [], 1.5])
def test_what_is_no_number_is_refused_by_what_it_is(text: object) -> None:
    with pytest.raises(ValueError, match=r"^got the number .*, needed (a text such as|one that there is)") as caught:
        parsed(text)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(("text", "number"), [
    ("3", 3), ("-17/90", Fraction(-17, 90)), ("0x1.8p+3", 12), ("1.5", Fraction(3, 2)), ("-0x1.8p-1", -0.75),
    ("2e3", 2000), ("-inf", -math.inf)])
def test_a_number_is_read_exactly(text: str, number: object) -> None:
    assert parsed(text) == number


def test_an_expectation_is_hex_and_keeps_the_sign_of_zero() -> None:
    numbers = from_hex("expect", "f64", [["-0x0.0p+0", "0X1.8P+1"], ["inf", "nan"]])
    assert repr(numbers.tolist()) == "[[-0.0, 3.0], [inf, nan]]"
    with pytest.raises(ValueError, match=r"^got the number '3', needed a hex float"):
        from_hex("expect", "f64", ["3"])


@pytest.mark.parametrize("value", [[["1", "2"], ["3"]], [["1"], "2"], ["1", ["2"]], "1", 5, None, {},
                                   [[[[[[[[[["1"]]]]]]]]]]])
def test_an_array_has_rows_of_one_length(value: object) -> None:
    with pytest.raises(ValueError, match=r"^(the case got x=.*, needed nested lists|got the number)"):
        array("the case", "x", value)


def test_a_case_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match="got the case 'flat-0', which the vectors do not have"):
        WHOLE["flat-0"]


# The worst of today's cases have 4.9e-11 (a Fisher network) and 2.5e-5 of the largest number. Where the sign of a sum
# that is 0 decides who gets relevance it is as large as the relevance, and any answer would do.
@pytest.mark.xdist_group("answers")
@pytest.mark.parametrize(("u", "name", "room"), [(2.0**-53, "f64", 1e-10), (2.0**-24, "f32", 1e-4)])
def test_rounding_leaves_no_room_for_wrong_answers(u: float, name: str, room: float) -> None:
    cases = [case for case in WHOLE.cases if case.level in ("required", "convention")
             and (name == "f64" or name in case.exact_in)]
    assert len(cases) > 200
    for case in cases:
        assert case.relevance is not None
        (want, *_) = ANSWERS.of(Ours(unit_roundoff=u))(case)
        assert want.radius.max() <= room * abs(case.relevance).max(), case.id


def test_one_tolerance_decides_every_required_case_in_float64() -> None:
    """The numbers of docs/vectors.md: right answers are off by less than 1e-11 of the largest, departures by 9e-7."""
    departures = []
    for case in WHOLE.cases:
        if case.level == "required":
            assert case.relevance is not None
            network, rules, x, R = case.task()
            largest = abs(case.relevance).max()
            got = through_network(network, rules, x, R)["input"]
            assert abs(got - case.relevance).max() <= 1e-11 * largest, case.id
            departures += [abs(one.relevance - case.relevance).max() / largest for one in case.either if largest]
    assert len(departures) > 100 and min(departures) > 9e-7
