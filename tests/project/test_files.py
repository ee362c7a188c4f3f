import errno
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lrp_ref.files import writable, writing


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_block_that_succeeds_leaves_the_file_and_nothing_else(tmp_path):
    with writing(tmp_path / "map.png") as temporary:
        temporary.write_text("new")
        assert names(tmp_path) == [temporary.name]
    assert names(tmp_path) == ["map.png"]
    assert (tmp_path / "map.png").read_text() == "new"


@pytest.mark.parametrize("name", ["map.png", "model.npz", "two.dots.html", "UPPER.JPG", "none"])
def test_the_temporary_name_lies_in_the_same_folder_and_has_the_same_extension(tmp_path, name):
    path = tmp_path / name
    with writing(path) as temporary:
        assert temporary.suffix == path.suffix
        assert temporary.parent == tmp_path
        assert temporary != path
        temporary.touch()


def test_a_plain_string_is_a_path_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with writing("map.txt") as temporary:
        temporary.write_text("here")
    assert (tmp_path / "map.txt").read_text() == "here"


@pytest.mark.parametrize("error", [RuntimeError("half way"), KeyboardInterrupt()], ids=["error", "interrupt"])
def test_a_block_that_fails_leaves_the_old_file_and_its_own_error(tmp_path, error):
    (tmp_path / "map.png").write_text("old")
    with pytest.raises(type(error)) as caught, writing(tmp_path / "map.png") as temporary:
        temporary.write_text("half")
        raise error
    assert caught.value is error
    assert names(tmp_path) == ["map.png"]
    assert (tmp_path / "map.png").read_text() == "old"


def test_a_full_disk_names_the_path_and_leaves_nothing(tmp_path):
    message = r"cannot write .*map\.png: No space left on device: choose another"
    with pytest.raises(ValueError, match=message), writing(tmp_path / "map.png") as temporary:
        temporary.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert names(tmp_path) == []


def test_a_block_that_writes_nothing_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="cannot write"), writing(tmp_path / "map.png"):
        pass
    assert names(tmp_path) == []


def test_a_missing_folder_is_named(tmp_path):
    path = tmp_path / "nowhere" / "map.png"
    message = f"cannot write {path}: folder {tmp_path / 'nowhere'} does not exist: make it or choose another path"
    with pytest.raises(ValueError) as caught, writing(path):
        pytest.fail("the block must not run")
    assert str(caught.value) == message


def test_a_file_where_the_folder_should_be_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"folder .*file is not a folder: make it"):
        writable(tmp_path / "file" / "map.png")


def test_a_read_only_folder_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: not (path == tmp_path and mode == os.W_OK))
    with pytest.raises(ValueError, match=r"cannot write .*map\.png: folder .* is read-only: choose another path"):
        writable(tmp_path / "map.png")


@pytest.mark.parametrize(("name", "why"), [("a" * 300, "File name too long"), ("a/" * 3000, "File name too long"),
                                           ("a\0b", "it has the character 0 in it")])
def test_a_path_that_no_file_can_have_is_refused_in_words(tmp_path, name, why):
    for path in (f"{tmp_path}/{name}.png", f"{tmp_path}/{name}/x.png"):
        with pytest.raises(ValueError, match=f"^cannot write .*: {why}: choose another path$"):
            writable(path)


def test_a_folder_is_not_written_over(tmp_path):
    with pytest.raises(ValueError, match="it is a folder: choose another path"):
        writable(tmp_path)


def test_a_device_is_not_replaced_by_a_file():
    with pytest.raises(ValueError, match="it is no regular file: choose another path"):
        writable("/dev/null")


def test_a_link_keeps_pointing_to_the_file_it_names(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "map.txt").write_text("old")
    (tmp_path / "link.png").symlink_to(tmp_path / "there" / "map.txt")
    with writing(tmp_path / "link.png") as temporary:
        assert temporary.parent == tmp_path / "there"
        temporary.write_text("new")
    assert (tmp_path / "link.png").is_symlink()
    assert (tmp_path / "there" / "map.txt").read_text() == "new"


def test_an_old_file_keeps_its_permissions(tmp_path):
    path = tmp_path / "map.txt"
    path.touch()
    path.chmod(0o604)
    with writing(path) as temporary:
        temporary.write_text("new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o604


def test_a_new_file_is_as_readable_as_any_other(tmp_path):
    (tmp_path / "plain.txt").touch()
    with writing(tmp_path / "map.txt") as temporary:
        temporary.touch()
    assert (tmp_path / "map.txt").stat().st_mode == (tmp_path / "plain.txt").stat().st_mode


WRITER = """
import sys
from lrp_ref.files import writing
for n in range(10**6):
    with writing(sys.argv[1]) as temporary:
        with open(temporary, "w") as file:
            for line in range(2000):
                file.write(f"{n}\\n")
    print(n, flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no kill -9")
def test_kill_9_leaves_the_old_file_or_the_new_one_and_never_half_of_one(tmp_path):
    """At any time of its work; and what is left over says whose it is."""
    path = tmp_path / "numbers.txt"
    for kill in range(8):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE,
                                   env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])})
        process.stdout.readline()   # one is written
        time.sleep(0.0037 * kill)
        process.kill()
        process.communicate()
        lines = path.read_text().splitlines()
        assert len(lines) == 2000 and len({*lines}) == 1
    assert all(name == path.name or name.startswith(".lrp-ref-") for name in names(tmp_path))
