"""The vectors are read whole and unchanged, or not at all."""

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from lrp_ref.conformance.judge.expected import expected
from lrp_ref.conformance.vectors.suite import Suite, load

WHOLE = load()


def copied(folder: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """Vectors of two cases in a folder, with a change to their manifest."""
    file = {"cases": json.loads((SOURCE / "Flat" / "linear.json").read_text(encoding="utf-8"))["cases"][:2]}
    (folder / "Flat").mkdir()
    (folder / "Flat" / "linear.json").write_text(json.dumps(file), encoding="utf-8")
    digest = sha256((folder / "Flat" / "linear.json").read_bytes()).hexdigest()
    manifest = {"schema": "lrp-vector-v1", "spec": "1.0", "count": 2, "files": {"Flat/linear.json": {
        "sha256": digest, "count": 2}}}
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
    with pytest.raises(ValueError, match=r"the vectors are lrp-vector-v1 2\.0, this program reads lrp-vector-v1 1\.0"):
        load(copied(tmp_path, lambda manifest: manifest.update(spec="2.0")))


def test_a_case_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match="got the case 'flat-0', which the vectors do not have"):
        WHOLE["flat-0"]


# The worst of today's cases have 4.9e-11 (a Fisher network) and 2.5e-5 of the largest number. Where the sign of a sum
# that is 0 decides who gets relevance it is as large as the relevance, and any answer would do.
@pytest.mark.parametrize(("u", "name", "room"), [(2.0**-53, "f64", 1e-10), (2.0**-24, "f32", 1e-4)])
def test_rounding_leaves_no_room_for_wrong_answers(u: float, name: str, room: float) -> None:
    cases = [case for case in WHOLE.cases if case.level in ("required", "convention")
             and (name == "f64" or name in case.exact_in)]
    assert len(cases) > 200
    for case in cases:
        assert case.relevance is not None
        (want, *_) = expected(case, u, {})
        assert want.radius.max() <= room * abs(case.relevance).max(), case.id
