"""The file of results: what is written is read again to the bit, once, and nothing of another run is mixed in."""

import math
import multiprocessing
import os
import shutil
import signal
import sqlite3
from contextlib import suppress
from dataclasses import replace
from itertools import permutations
from types import SimpleNamespace

import numpy as np
import pytest

from lrp_ref.paper import results as kept
from lrp_ref.paper.record import Found, Record
from lrp_ref.paper.results import Results, read_results

RUN = {"measures": '["inside", "gini"]', "model cnn": "12ab", "seed": "3", "lrp_ref": "0.1.0"}
THIRD = Found("cnn", 1, 1 / 3, 0.1, {"no cut-off": (0.1 + 0.2, math.nan), "below x": (0.0, 5e-324)},
              {"order": (1 / 3, -2.5)})
RECORDS = [Record(0, "a", (True, False), (True, True), True, {"zeta": (1 / 7, -3.0), "cnn": (2.0, 1 / 3)}, (THIRD,)),
           Record(1, "b", (False, False), (False, True), False, {}, (), "b.jpg is no image"),
           Record(7, "c", (False, True), (True, True), True, {"zeta": (0.0, 1.0), "cnn": (math.pi, -1.0)}, ())]


def in_words(records):
    """NaN is equal to itself in words; so is 0 to itself, and not to -0."""
    return [repr(one) for one in records]


def plain(one):
    """Models and maps by the alphabet: their order is not kept."""
    found = tuple(replace(of, measures=dict(sorted(of.measures.items()))) for of in one.found)
    return replace(one, scores=dict(sorted(one.scores.items())), found=found)


@pytest.mark.parametrize("order", [*permutations(range(3))], ids=str)
def test_what_is_read_is_what_was_written_to_the_bit_in_the_order_of_photographs(tmp_path, order):
    path = str(tmp_path / "r.sqlite")
    with Results(path, RUN) as results:
        for n in order:
            results.add(RECORDS[n])
            results.add(RECORDS[n])   # again, as after an interruption
        assert results.done() == {0, 1, 7}
    run, found = read_results(path)
    assert run == RUN and in_words(map(plain, found)) == in_words(map(plain, RECORDS))
    assert os.listdir(tmp_path) == ["r.sqlite"]


@pytest.mark.parametrize(("other", "said"), [
    ({"seed": "4"}, "seed 3, now 4"), ({"model cnn": "99"}, "model cnn 12ab, now 99"),
    ({"lrp_ref": "0.2.0", "seed": "5"}, "seed 3, now 5, lrp_ref 0.1.0, now 0.2.0"),
    ({"rules of fv": "paper"}, "rules of fv nothing, now paper")])
def test_results_of_another_run_are_refused_by_the_names_of_what_differs(tmp_path, other, said):
    path = tmp_path / "r.sqlite"
    with Results(str(path), RUN) as results:
        results.add(RECORDS[0])
    before = path.read_bytes()
    with pytest.raises(ValueError) as error:
        Results(str(path), {**RUN, **other})
    assert f"holds results of another run ({said}): give another --results FILE" in str(error.value)
    assert path.read_bytes() == before


def test_a_file_that_is_none_of_these_is_refused_and_left_as_it_is(tmp_path):
    (tmp_path / "a.txt").write_text("words " * 99)
    with pytest.raises(ValueError, match=r"a\.txt: file is not a database"):
        Results(str(tmp_path / "a.txt"), RUN)
    other = sqlite3.connect(tmp_path / "other.db")
    other.execute("create table run (name, value)")
    other.commit()
    other.close()
    for use in (lambda path: Results(path, RUN), read_results):
        with pytest.raises(ValueError, match=r"other\.db, which holds no results of lrp-ref"):
            use(str(tmp_path / "other.db"))
    with pytest.raises(ValueError, match=r"which is no file"):
        read_results(str(tmp_path / "none"))
    with pytest.raises(ValueError, match="does not exist: make it"):
        Results(str(tmp_path / "no" / "r.sqlite"), RUN)
    assert (tmp_path / "a.txt").read_text() == "words " * 99 and len(os.listdir(tmp_path)) == 2


@pytest.mark.parametrize("change", [
    "update scores set score = 2.5 where place = 0", "delete from found", "update measures set value = value + 1e-9",
    "update curves set value = 'x'", "update photographs set labels = '01'", "update photographs set error = x'ff'"])
def test_a_damaged_photograph_is_named_and_done_again(tmp_path, change):
    path = str(tmp_path / "r.sqlite")
    with Results(path, RUN) as results:
        for one in RECORDS:
            results.add(one)
        results.file.execute(f"{change}{' and' if 'where' in change else ' where'} position = 0")
        assert results.done() == {1, 7}
        with pytest.raises(ValueError, match="is damaged: photograph 0 is not what was written; evaluate, with "):
            read_results(path)
        results.add(RECORDS[0])
        assert results.done() == {0, 1, 7}
    assert in_words(map(plain, read_results(path)[1])) == in_words(map(plain, RECORDS))


def test_a_damaged_run_is_refused(tmp_path):
    path = str(tmp_path / "r.sqlite")
    with Results(path, RUN) as results:
        results.file.execute("update run set value = '4' where name = 'seed'")
    for opened in (lambda: Results(path, RUN), lambda: read_results(path)):
        with pytest.raises(ValueError, match=r"r\.sqlite is damaged: what it says of its run is not what was written"):
            opened()


def test_a_full_disk_is_one_line_and_what_was_done_stays(tmp_path):
    path = str(tmp_path / "r.sqlite")
    with Results(path, RUN) as results:
        results.add(RECORDS[0])
        pages = results.file.execute("pragma page_count").fetchone()[0]
        results.file.execute(f"pragma max_page_count = {pages}")
        large = Record(2, "d", (True, True), (True, True), True, {f"model {n}": (1.0, 2.0) for n in range(999)}, ())
        with pytest.raises(ValueError, match=r"r\.sqlite: database or disk is full: choose another path, or make room"):
            results.add(large)
        assert results.done() == {0}
    assert in_words(map(plain, read_results(path)[1])) == in_words([plain(RECORDS[0])])


def test_a_photograph_is_all_there_or_not_at_all(tmp_path):
    path = str(tmp_path / "r.sqlite")
    with Results(path, RUN) as results:
        results.add(RECORDS[0])
        short = Found("cnn", 0, 1.0, 0.5, {"no cut-off": (1.0,)})   # one number for two measures
        with pytest.raises(ValueError, match="argument"):
            results.add(Record(2, "d", (True, False), (True, True), True, {"cnn": (1.0, 2.0)}, (THIRD, short)))
        assert results.file.execute("select count(*) from scores where position = 2").fetchone() == (0,)
        assert results.done() == {0}


def test_it_is_read_while_it_is_written(tmp_path):
    path = str(tmp_path / "r.sqlite")
    with Results(path, RUN) as results:
        results.add(RECORDS[0])
        with results.transaction():
            results.file.execute("delete from photographs")
            assert len(read_results(path)[1]) == 1
        results.add(RECORDS[2])
        assert [one.position for one in read_results(path)[1]] == [2 + 5]


def test_a_file_that_is_done_is_an_ordinary_one_that_any_program_reads_where_it_may_not_write(tmp_path):
    path = tmp_path / "a.sqlite"
    with Results(str(path), RUN):
        pass
    assert [one.name for one in tmp_path.iterdir()] == ["a.sqlite"]
    assert path.read_bytes()[18:20] == b"\x01\x01"   # SQLite's file format: 2 is WAL, which wants files beside it


def test_a_copy_of_the_file_alone_is_whole_and_what_is_beside_it_holds_the_rest(tmp_path, monkeypatch):
    path, alone, both = (str(tmp_path / name / "r.sqlite") for name in ("run", "alone", "both"))
    for one in (path, alone, both):
        os.mkdir(os.path.dirname(one))
    with Results(path, RUN) as results:
        monkeypatch.setattr(kept, "SAFE", -1.0)   # the next one is in the file at once
        results.add(RECORDS[0])
        monkeypatch.setattr(kept, "SAFE", 60.0)
        results.add(RECORDS[2])
        for copy, ends in ((alone, [""]), (both, ["", "-wal"])):   # as it is while it is written, or after kill -9
            for end in ends:
                shutil.copy(path + end, copy + end)
        assert [one.position for one in read_results(path)[1]] == [0, 7]
    assert os.listdir(tmp_path / "run") == ["r.sqlite"]
    assert in_words(map(plain, read_results(alone)[1])) == in_words([plain(RECORDS[0])])
    assert os.listdir(tmp_path / "alone") == ["r.sqlite"]
    assert [one.position for one in read_results(both)[1]] == [0, 7]
    with Results(both, RUN) as results:
        assert results.done() == {0, 7}
    assert os.listdir(tmp_path / "both") == ["r.sqlite"]


def test_what_lies_beside_a_file_where_nothing_can_be_written_is_named(tmp_path):
    path, copy = str(tmp_path / "r.sqlite"), str(tmp_path / "c.sqlite")
    with Results(path, RUN) as results:
        results.add(RECORDS[0])
        for end in ("", "-wal"):
            shutil.copy(path + end, copy + end)
    os.symlink(tmp_path / "none" / "x", f"{copy}-shm")   # where SQLite would have to write
    with pytest.raises(ValueError, match=r"c\.sqlite with what lies beside it, .*c\.sqlite-wal, where nothing can be "
                                         r"written: copy both to another folder"):
        read_results(copy)


def test_a_reader_that_stays_is_not_waited_for_forever_and_loses_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(kept, "SETTLE", 0.1)
    path = str(tmp_path / "r.sqlite")
    with Results(path, RUN) as results:
        results.add(RECORDS[0])
        reader = sqlite3.connect(path)
        reader.execute("begin")
        assert reader.execute("select count(*) from photographs").fetchone() == (1,)
        results.add(RECORDS[2])
    assert [one.position for one in read_results(path)[1]] == [0, 7]
    assert reader.execute("select count(*) from photographs").fetchone() == (1,)   # one state for all that is read
    reader.close()
    with Results(path, RUN) as results:
        assert results.done() == {0, 7}
    assert os.listdir(tmp_path) == ["r.sqlite"]


def many_photographs(path, begun):
    with Results(path, {"measures": '["m"]', "seed": "1"}) as results:
        before = results.done()
        for n in range(240):
            if n not in before:
                found = tuple(Found("m", k, n / 3, k / 7, {f"map {j}": (n / 7 + j,) for j in range(9)})
                              for k in range(4))
                begun.send(n)
                results.add(Record(n, str(n), (True,), (True,), True, {"m": (n / 3,)}, found))


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="needs fork")
def test_a_run_that_is_killed_again_and_again_ends_as_one_that_is_not(tmp_path):
    """kill -9 at a dozen moments, the seed's, then once undisturbed."""
    fork, rng, path = multiprocessing.get_context("fork"), np.random.default_rng(17), tmp_path / "killed.sqlite"
    killed = 0
    for _ in range(12):
        heard, begun = fork.Pipe(duplex=False)
        process = fork.Process(target=many_photographs, args=(str(path), begun))
        process.start()
        begun.close()
        with suppress(EOFError):   # there is nothing left to do
            for _ in range(int(rng.integers(1, 6))):
                heard.recv()
        process.join(float(rng.uniform(0, 0.003)))
        process.kill()
        process.join()
        killed += process.exitcode == -signal.SIGKILL
    assert killed >= 8
    for one in (path, tmp_path / "whole.sqlite"):
        many_photographs(str(one), SimpleNamespace(send=lambda n: None))
    (_, found), (_, whole) = read_results(str(path)), read_results(str(tmp_path / "whole.sqlite"))
    assert in_words(found) == in_words(whole) and [one.position for one in found] == list(range(240))
    assert sorted(os.listdir(tmp_path)) == ["killed.sqlite", "whole.sqlite"]
