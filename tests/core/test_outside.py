"""What comes in from outside is read by name, type and range, and refused in words that can be shown."""

import json
from typing import Any

import numpy as np
import pytest

from lrp_ref.hints import quotable, shown
from lrp_ref.outside import (
    Fields,
    among,
    called,
    counted,
    each,
    integer,
    json_value,
    list_of,
    nested,
    or_none,
    real,
    text,
    truth,
)

DEEP: list[Any] = []
for _ in range(5000):
    DEEP = [DEEP]


class Rude:
    def __repr__(self) -> str:
        raise KeyError("no")


VALUES: list[Any] = [
    None, True, 0, -1, 3, 2**31, 10**400, 10**5000, -(10**5000), 0.5, float("nan"), float("inf"), "", "a",
    "\x1b[31m\x00\n", "\ud800", "é" * 10**6, b"\x00" * 10**6, [], [1], ["a"], [[1], [2]], [[1], 2], DEEP,
    [10**5000], list(range(10**6)),
    {}, {"a": 1}, {"\x07": "\x07"}, {1: 2}, (1, 2), np.float64(0.5), np.int8(3), np.bool_(True),
    np.zeros((2, 3)), np.array(3), object(), Rude(), int, 1j, range(3)]
READERS = {"text": text, "called": called, "truth": truth, "integer": integer(1, 9), "real": real,
           "list_of": list_of(integer()), "each": each(text), "nested": nested, "or_none": or_none(truth)}


@pytest.mark.parametrize("reader", READERS)
def test_whatever_a_field_holds_is_read_or_refused_in_a_short_line_that_can_be_shown(reader: str) -> None:
    read = 0
    for value in VALUES:
        try:
            READERS[reader]("what", "\x1b" * 1000, value)
            read += 1
        except ValueError as error:
            assert str(error).isprintable() and len(str(error)) <= 500 and "needed" in str(error)
    assert 0 < read < len(VALUES)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_every_value_can_be_shown(value: object) -> None:
    for said in (shown(value), quotable(shown(value))):
        assert said.isprintable() and 0 < len(said) <= 80


READ: list[tuple[Any, object, object]] = [
    (truth, np.bool_(False), False), (integer(), np.uint8(7), 7), (integer(-3, 3), -3, -3), (real, 7, 7.0),
    (real, np.float32(0.25), 0.25), (list_of(text), ("a", "b"), ["a", "b"]), (or_none(real), None, None),
    (text, "", ""),
    (nested, [["a", "b", "c"], ["d", "e", "f"]], ((2, 3), ["a", "b", "c", "d", "e", "f"])), (nested, [], ((0,), [])),
    (each(integer()), {"a": 1}, {"a": 1}), (called, "Größe 1/2", "Größe 1/2"),
]


@pytest.mark.parametrize(("reader", "value", "wanted"), READ)
def test_what_is_of_the_type_is_read(reader: Any, value: object, wanted: object) -> None:
    got = reader("what", "name", value)
    assert got == wanted and type(got) is type(wanted)


@pytest.mark.parametrize(("reader", "value"), [
    (truth, 1), (truth, "no"), (truth, None), (integer(), True), (integer(), 1.0), (integer(), "1"), (integer(2, 3), 4),
    (integer(2, 3), 1), (real, True), (real, "1"), (real, float("nan")), (real, float("inf")), (real, 10**400),
    (list_of(text), "ab"), (list_of(text), {"a": 1}), (list_of(text), [1]), (list_of(text, most=1), ["a", "b"]),
    (called, ""), (called, "a\n"), (called, "x" * 101), (nested, "a"), (nested, [["a"], "b"]),
    (nested, [["a"], ["b", "c"]]), (each(text), []), (each(text), {"a": 1}),
])
def test_what_is_of_another_type_is_refused_and_never_taken_for_it(reader: Any, value: object) -> None:
    with pytest.raises(ValueError, match=r"^what.* got .*, needed |^what: name is .*, needed fields"):
        reader("what", "name", value)


def test_a_field_that_nobody_takes_is_said_and_so_is_one_that_is_missing() -> None:
    given = Fields({"size": 3, "sise": 4}, "the box")
    assert given.take("size", integer()) == 3 and given.take("colour", text, "grey") == "grey"
    with pytest.raises(ValueError, match=r"^the box: 'weight' is missing$"):
        given.take("weight", real)
    with pytest.raises(ValueError, match=r"^the box has a field 'sise' that .*: did you mean 'size'\? it knows"):
        given.done()


JSON = {
    b"[" * 10**6: "brackets in brackets, needed at most 32 deep", b'{"a":' * 10**5: "brackets in brackets",
    b"[" * 33 + b"]" * 33: "brackets in brackets, needed at most 32 deep", b"1" * 401: "a number of 401 digits",
    b"-" + b"1" * 10**6: "a number of 1000001 digits", b"\xff": "no text in UTF-8",
    b"": "no JSON: Expecting value in line 1",
    b'{"a": 1, "a": 2}': "the field 'a' twice", b'{"\\u0007": 1, "\\u0007": 1}': "the field '\\x07' twice",
    b"[1, 2": "no JSON: Expecting ',' delimiter in line 1, column 6", b"\xef\xbb\xbf1": "no JSON",
}


@pytest.mark.parametrize("data", JSON, ids=JSON.get)
def test_what_is_no_json_of_ours_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"^the file (is|has) ") as caught:
        json_value(data, "the file")
    assert JSON[data] in str(caught.value) and str(caught.value).isprintable()


def test_json_within_the_limits_is_what_python_reads() -> None:
    nests: Any = 1
    for _ in range(32):
        nests = [nests]
    for value in (nests, {"a": [1, 2.5, None, True, "x", 10**399], "b": {}}, [], "text", float("inf")):
        assert json_value(json.dumps(value), "the file") == value


@pytest.mark.parametrize(("word", "wanted"), [("0", 0), ("12", 12), ("007", 7), ("13", None), ("-1", None),
                                              ("+1", None), ("1.0", None), ("", None), ("²", None), ("٣", None),
                                              ("9" * 5000, None)])
def test_a_count_is_written_in_digits(word: str, wanted: int | None) -> None:
    assert counted(word, 12) == wanted


def test_of_many_names_a_few_are_said() -> None:
    assert among(["a", "b"]) == "a, b"
    assert among([f"n{n}" for n in range(10**5)]) == "n0, n1, n2, n3, n4, n5, n6, n7 and 99992 more"
    assert len(among(["\x1b" * 10**6] * 99)) <= 300
