"""The command line as users meet it: one line for everything that is wrong, pipes, terminals, help."""

import errno
import io
import json
import os
import subprocess
import sys
import threading
from importlib.metadata import distribution
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import recorded
from at_hand import LAYERS, MODEL, NETWORK, RGB, files, parsed

import lrp_ref
from lrp_ref import (
    Flatten,
    Linear,
    Model,
    Network,
    Preprocessing,
    save_model,
)
from lrp_ref.command import explain as command
from lrp_ref.command.cli import main

# ---- Everything that is wrong ----


@pytest.fixture
def broken(folder):
    """Files that are not what they seem, by name."""
    model = (folder / "model.npz").read_bytes()
    (folder / "truncated.npz").write_bytes(model[:len(model) // 2])
    np.savez(folder / "foreign.npz", a=np.arange(3))
    np.savez(folder / "pickled.npz", manifest=np.array([{}], dtype=object))
    (folder / "short.txt").write_text("Linear 3 2\n1 2 3 4 5 6\n")
    (folder / "mlp.txt").write_text("Linear 4 2\n1 2 3 4 5 6 7 8\n0 0\n")
    (folder / "fake.png").write_text("hello")
    (folder / "huge.npz").mkdir()
    large = [("flat", Flatten()),
             ("fc1", Linear(np.full((330, 3), 1e300))), ("fc2", Linear(np.full((3, 3), 1e300)))]
    save_model(Model(Network(large), MODEL.classes, RGB), folder / "large.npz")
    with np.load(folder / "model.npz") as kept:
        manifest = json.loads(kept["manifest"].tobytes()) | {"classes": ["left", "right"]}
        np.savez(folder / "names.npz", **{**kept, "manifest": np.frombuffer(json.dumps(manifest).encode(), np.uint8)})
    save_model(Model(Network(LAYERS[:3]), list("abcd"), RGB), folder / "open.npz")
    save_model(Model(NETWORK, MODEL.classes, Preprocessing(None, "rgb")), folder / "nosize.npz")
    return folder


X = "explain photo.png --model model.npz "
WRONG = [
    # the command line itself
    ("", "COMMAND", "lrp-ref --help"),
    ("explian photo.png", "'explian'", "'explain', 'figure', 'explore', 'sanity', 'demo', 'models', 'layers'"),
    ("explain", "IMAGE", "lrp-ref explain --help"),
    (X + "--ouput heat.png", "got --ouput heat.png", "did you mean --output?"),
    (X + "other.png", "got other.png after the options", "name all photographs one after another"),
    ("explain photo.png one --model model.npz --output heat.png", "got 2 photographs with --output",
     "--output-dir FOLDER"),
    ("explain one two --model model.npz --output-dir out", "two photographs named same", "explain them apart"),
    (X + "--output-dir nowhere/out", "--output-dir nowhere/out", "needed a folder"),
    (X + "--output-dir photo.png", "--output-dir photo.png", "needed a folder"),
    (X + "--output-dir one --save e.npz", "got --save with --output-dir", "leave one of them out"),
    ("explain voc --model model.npz", "got the folder voc", "give photographs"),
    (X + "--rule epsilon", "'epsilon' with 0 numbers", "write epsilon:EPSILON"),
    (X + "--smooth 0", "size=0", "at least 1"),
    (X + "--smooth wide", "'wide'", "whole number"),
    (X + "--output", "--output", "expected one argument"),
    (X + "--output=--", "got --output=--", "write --output=./--"),
    (X + "--percentile most", "'most'", "--percentile"),
    (X + "--colours red", "'red'", "'paper', 'safe'"),
    ("evaluate --count few", "'few'", "--count"),
    ("evaluate --count 0", "--count 0", "at least 1"),
    ("evaluate --seed -1", "--seed -1", "at least 0"),
    ("evaluate --count 100000000000000000000", "--count 100000000000000000000", "at most 5000"),
    ("evaluate voc --count 100000000000000000000", "--count 100000000000000000000", "at most 1000000"),
    ("evaluate --seed 99999999999999999999999", "--seed 99999999999999999999999", "at most 18446744073709551614"),
    # the photograph
    ("explain missing.png", "missing.png", "does not exist"),
    ("explain fake.png", "fake.png is no image", "PNG, JPEG or TIFF"),
    ("figure photo.png missing.png", "missing.png", "does not exist"),
    ("figure" + 101 * " missing.png", "101 photographs", "1 to 50"),
    # the model
    ("explain photo.png --model ccn", "'ccn'", "cnn, fv, vit, imagenet, or the path of a model file"),
    ("explain photo.png --model missing.npz", "missing.npz", "give the path"),
    ("explain photo.png --model huge.npz", "huge.npz", "give the path"),
    ("explain photo.png --model photo.png", "photo.png", "needed .npz"),
    ("explain photo.png --model truncated.npz", "truncated.npz", "truncated"),
    ("explain photo.png --model foreign.npz", "foreign.npz", "no manifest"),
    ("explain photo.png --model pickled.npz", "pickled.npz", "never loaded"),
    ("explain photo.png --model short.txt", "short.txt ends after line 2", "2 numbers for the biases"),
    ("explain photo.png --model large.npz", "fc2", "NaN or infinity"),
    ("explain photo.png --model names.npz", "2 class names", "for 3 scores"),
    ("figure photo.png --cnn open.npz", "(4, 4, 4)", "Flatten()"),
    ("explain photo.png --model nosize.npz", "the size of its input", "--size HxW"),
    ("layers nosize.npz", "the size of its input", "--size HxW"),
    ("explain photo.png --model mlp.txt --size 2x2", "--size 2x2", "Flatten()"),
    (X + "--size 3x3", "--size 3x3, which does not fit the model: layer pool1", "larger"),
    (X + "--size 9", "--size 9", "227x227"),
    (X + "--size 0x9", "--size 0x9", "height x width"),
    (X + "--size 99999x99999", "--size 99999x99999", "at most 16777216 of them"),
    ("evaluate --model model.npz", "left, right, both", "its own classes"),
    ("evaluate --model cnn --model model.npz", "model.npz knows left, right, both", "its own classes"),
    ("evaluate --model cnn --model ./model.npz --model cnn", "--model cnn twice", "every model once"),
    ("evaluate missing", "missing/ImageSets/Main/test.txt", "layout of VOC 2007"),
    ("evaluate --set val", "--set val", "needed SCENES"),
    ("evaluate --difficult count", "--difficult count", "needed SCENES"),
    ("evaluate --set tset", "'tset'", "'trainval'"),
    ("evaluate voc --set val --model model.npz", "sofa", "its own classes"),
    ("evaluate voc --set train --model model.npz", "train.txt", "layout of VOC 2007"),
    # what is explained, and how
    (X + "--class write", "'write'", "did you mean 'right'?"),
    (X + "--class 3", "'3'", "0 to 2: left, right, both"),
    (X + "--rule epsylon:1", "'epsylon:1'", "did you mean 'epsilon'?"),
    (X + "--first zbocks", "'zbocks'", "did you mean 'zbox'?"),
    (X + "--cutoff pol1", "'pol1'", "did you mean 'pool1'?"),
    ("figure photo.png --cnn model.npz --cutoff pol1", "'pol1'", "did you mean 'pool1'?"),
    ("figure missing.png --cnn model.npz --rule epsylon", "'epsylon'", "did you mean 'epsilon'?"),
    (X + "--percentile 101", "percentile 101", "at most 100"),
    # what is written
    (X + "--output nowhere/heat.png", "nowhere", "make it or choose another path"),
    (X + "--output one", "one", "it is a folder"),
    (X + "--output model.npz/heat.png", "not a folder", "choose another path"),
    (X + "--output heat.wrong", "'.wrong'", ".png or .jpg"),
    (X + "--output photo.png", "--output photo.png", "would be lost"),
    (X + "--output one/../photo.png", "photo.png", "would be lost"),
    (X + "--save heat.png", "--save heat.png", ".npz"),
    (X + "--save model.npz", "--save model.npz", "would be lost"),
    ("evaluate missing --plot plot.wrong", "'.wrong'", ".png or .jpg"),
    ("evaluate missing --plot nowhere/plot.png", "nowhere", "make it"),
    ("evaluate voc --plot voc/JPEGImages/1.jpg", "--plot voc/JPEGImages/1.jpg", "would be lost"),
    ("evaluate missing --save arrays.txt", "--save arrays.txt", ".npz"),
    ("evaluate missing --model model.npz --save model.npz", "--save model.npz", "would be lost"),
    ("figure one/same.png photo.png --output photo.png", "--output photo.png", "would be lost"),
    ("figure photo.png --cnn model.npz --output nowhere/f.png", "nowhere", "make it"),
    ("demo --output nowhere/f.png", "nowhere", "make it"),
]


@pytest.mark.parametrize(("command", "got", "cure"), WRONG, ids=[line[0][:50] or "nothing" for line in WRONG])
def test_every_error_is_one_line_with_the_cure_and_leaves_every_file(run, broken, voc, quick, command, got, cure):
    before = files(broken)
    code, out, err = run(*command.split())
    assert (code, out) == (2, "")
    assert err.startswith("lrp-ref: error: ") and err.count("\n") == 1 and err.endswith("\n")
    assert got in err and cure in err
    assert files(broken) == before


ODD = ["a" * 60000, "a/" * 30000, "\x1b[2J\u202e\x85\u2028a\nb\rc", "\udcff", "\x00"]
ASKED = ["explain {}", "explain photo.png --model {}", "explain photo.png --model model.npz --class {}", "layers {}",
         "explain photo.png --model model.npz --rule {}", "explain photo.png --model model.npz --size {}", "{}",
         "explain photo.png --model model.npz --output {}.png", "explain photo.png --model model.npz --save {}",
         "explain photo.png --model model.npz --first {}", "explain photo.png --model model.npz --cutoff {}",
         "explain photo.png --model model.npz --percentile {}", "evaluate {}", "evaluate --count {}",
         "conform {}", "conform {}:x", "conform --exec {}", "conform toolbox:{}", "compare dialect:{} lrp_ref",
         "conform lrp_ref --expect {}", "conform lrp_ref --case {}", "conform lrp_ref --report {}",
         "figure photo.png {}", "evaluate --set {}", "models --{}",
         "vectors lint {}", "vectors {}", "vectors regenerate --output {}/x", "vectors export {}/x"]


@pytest.mark.parametrize("asked", ASKED)
def test_a_message_is_a_line_of_at_most_500_letters_whatever_it_tells_of(run, folder, asked, monkeypatch):
    """And nothing in it moves the cursor or turns the direction of writing."""
    monkeypatch.setattr("lrp_ref.command.conform.load", recorded.suite)   # read once
    for odd in ODD:
        code, out, err = run(*(word.format(odd) for word in asked.split()))
        assert code == 0 or ((code, out) == (2, "") and err.startswith("lrp-ref: error: "))
        assert len(err) <= 500 + len("lrp-ref: \n") and err[:-1].isprintable() and "Errno" not in err


def test_of_a_long_message_the_end_is_kept_which_says_what_to_do(run):
    err = run("explain", "photo.png", "--model", "model.npz", "--output", "a" * 9999 + "/x.png")[2]
    assert err.startswith("lrp-ref: error: cannot write aaaa") and err.endswith(": choose another path\n")


def test_what_the_system_says_is_said_without_its_number(run, monkeypatch):
    def fail(*_):
        raise PermissionError(errno.EACCES, "Permission denied", "somewhere")

    monkeypatch.setattr(command, "read_photograph", fail)
    err = run("explain", "photo.png", "--model", "model.npz")[2]
    assert err == "lrp-ref: error: cannot use somewhere: Permission denied: choose another path\n"


def test_a_result_has_nothing_that_a_terminal_obeys(folder, done):
    save_model(Model(NETWORK, ["\x1b[2J", "\u202eright", "both\x07"], RGB), folder / "evil.npz")
    (folder / "ph\x1boto.png").write_bytes((folder / "photo.png").read_bytes())
    out = done("explain", "ph\x1boto.png", "--model", "evil.npz")
    assert all(c.isprintable() or c == "\n" for c in out)
    assert out.startswith(r"ph\x1boto.png: ") and r"\x1b[2J" in out and r"\u202eright" in out


def test_an_existing_output_survives_a_disk_that_is_full(run, folder, monkeypatch):
    from PIL import Image

    def half(image, path, **options):
        Path(path).write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (folder / "heat.png").write_bytes(b"yesterday's")
    before = files(folder)
    monkeypatch.setattr(Image.Image, "save", half)
    code, out, err = run("explain", "photo.png", "--model", "model.npz", "--output", "heat.png")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "cannot write heat.png: No space left on device" in err
    assert files(folder) == before


def test_an_existing_output_is_replaced_by_a_run_that_succeeds(done, folder):
    (folder / "heat.png").write_bytes(b"yesterday's")
    done("explain", "photo.png", "--model", "model.npz", "--output", "heat.png")
    assert iio.imread("heat.png").shape == (21, 30, 3)


@pytest.mark.parametrize(("error", "code", "line"), [
    (KeyboardInterrupt(), 130, "lrp-ref: interrupted\n"),
    (MemoryError("got 9"), 2, "lrp-ref: error: not enough memory (got 9): use a smaller --size, or smaller "
     "or fewer photographs\n"),
    (OSError("a\nb"), 2, "lrp-ref: error: a b\n"),
])
def test_what_ends_the_work_is_said_on_one_line(run, folder, monkeypatch, error, code, line):
    def fail(*_):
        raise error

    before = files(folder)
    monkeypatch.setattr(command, "read_photograph", fail)
    assert run("explain", "photo.png", "--model", "model.npz", "--output", "heat.png") == (code, "", line)
    assert files(folder) == before


def test_a_mistake_in_the_program_is_not_hidden(monkeypatch):
    monkeypatch.setattr(command, "read_photograph", lambda *_: {}["mistake"])
    with pytest.raises(KeyError):
        main(["explain", "photo.png", "--model", "model.npz"])


# ---- Pipes, terminals, help ----


class Full(io.StringIO):
    """A stream that buffers, and then cannot get rid of what it holds."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def flush(self):
        raise OSError(self.error, os.strerror(self.error))


PRINTING = pytest.mark.parametrize("arguments", [["layers", "model.npz"], ["--help"]], ids=["layers", "help"])


@PRINTING
def test_a_reader_who_has_gone_is_no_error(capsys, monkeypatch, arguments):
    monkeypatch.setattr(sys, "stdout", Full(errno.EPIPE))
    try:
        code = main(arguments)
    except SystemExit as ended:
        code = ended.code
    assert (code, capsys.readouterr().err) == (0, "")


@PRINTING
def test_a_result_that_cannot_be_printed_is_an_error_of_one_line(capsys, monkeypatch, arguments):
    monkeypatch.setattr(sys, "stdout", Full(errno.ENOSPC))
    assert main(arguments) == 2
    assert capsys.readouterr().err == ("lrp-ref: error: cannot print the result: No space left on device: "
                                       "is the disk full?\n")


def test_without_stderr_an_error_is_not_printed_elsewhere(capsys, monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    assert main(["explain", "missing.png"]) == 2 and capsys.readouterr().out == ""


def test_without_stdout_and_stderr_the_files_are_written_all_the_same(monkeypatch, folder):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert main(["explain", "photo.png", "--model", "model.npz", "--output", "heat.png"]) == 0
    assert main(["explain", "missing.png"]) == 2
    monkeypatch.undo()
    assert iio.imread(folder / "heat.png").shape == (21, 30, 3)


def test_a_name_that_stdout_cannot_encode_is_printed_with_backslashes(monkeypatch, folder):
    (folder / "kätzchen\udcff.png").write_bytes((folder / "photo.png").read_bytes())
    written = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", written)
    assert main(["explain", "kätzchen\udcff.png", "--model", "model.npz"]) == 0
    assert written.buffer.getvalue().startswith(b"k\\xe4tzchen\\udcff.png: 21 x 30 pixels")


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_is_one_line_on_a_terminal_and_wiped_before_anything_else(monkeypatch, run):
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    assert run("explain", "photo.png", "--model", "model.npz", "--output", "heat.png")[0] == 0
    up, down = list(NETWORK.names), list(NETWORK.names[::-1])
    shown = ["reading photo.png", *up, *down, "writing heat.png"]
    assert screen.getvalue() == "".join(f"\r\x1b[K{text}" for text in [*shown, ""])
    monkeypatch.setattr(sys, "stderr", screen := Terminal())
    assert run("explain", "photo.png", "--class", "katze")[0] == 2
    assert screen.getvalue().startswith("\r\x1b[Klrp-ref: error: got the class 'katze'")


def test_progress_of_a_figure_names_every_photograph(monkeypatch, run):
    monkeypatch.setattr(sys, "stderr", screen := Terminal())
    assert run("figure", "one/same.png", "two/same.png", "--cnn", "model.npz")[0] == 0
    shown = screen.getvalue().split("\r\x1b[K")
    assert shown[1:4] == ["reading one/same.png", "reading two/same.png", "1 of 2, one/same.png: conv1"]
    assert shown[-3:] == ["2 of 2, two/same.png: conv1", "writing figure.png", ""]


LRP_REF = [sys.executable, "-m", "lrp_ref"]


def test_the_program_is_the_module():
    programs = [entry.value for entry in distribution("lrp-ref").entry_points if entry.group == "console_scripts"]
    assert programs == ["lrp_ref.command.cli:main"]
    result = subprocess.run([*LRP_REF, "layers", "cnn", "--size", "9"], capture_output=True, check=False)
    assert (result.returncode, result.stdout) == (2, b"")
    assert result.stderr.startswith(b"lrp-ref: error: got --size 9")


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs pseudo-terminals")
def test_a_real_terminal_sees_progress_while_the_pipe_gets_json():
    ours, theirs = os.openpty()
    seen = []

    def watch():
        try:
            while part := os.read(ours, 4096):
                seen.append(part)
        except OSError:   # Linux says EIO where the other end is closed
            pass

    reader = threading.Thread(target=watch)
    reader.start()
    result = subprocess.run([*LRP_REF, "explain", "photo.png", "--model", "model.npz", "--json"],
                            stdout=subprocess.PIPE, stderr=theirs, check=True)
    os.close(theirs)
    reader.join()
    os.close(ours)
    assert parsed(result.stdout)["scores"][1]["name"] == "right"
    screen = b"".join(seen)
    assert screen.startswith(b"\r\x1b[Kreading photo.png\r\x1b[Kconv1") and screen.endswith(b"\r\x1b[K")


def test_a_closed_pipe_ends_in_silence_with_the_files_written(folder):
    reader, writer = os.pipe()
    os.close(reader)
    result = subprocess.run([*LRP_REF, "explain", "photo.png", "--model", "cnn", "--output", "heat.png"],
                            stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (result.returncode, result.stderr) == (0, b"")
    assert iio.imread(folder / "heat.png").shape == (21, 30, 3)


def test_help_is_quick_to_come_since_nothing_heavy_is_imported():
    code = ("import sys\nfrom lrp_ref.command.cli import main\ntry:\n    main(['--help'])\nexcept SystemExit:\n"
            "    print([name for name in ('scipy', 'imageio', 'PIL', 'torch') if name in sys.modules])")
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "[]" and result.stderr == ""
    assert "know six textures" in " ".join(result.stdout.split())


@pytest.mark.parametrize("command", ["explain", "figure", "demo", "models", "layers", "evaluate"])
def test_the_help_of_every_command_says_that_the_bundled_models_know_six_textures(capsys, command):
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    words = " ".join(capsys.readouterr().out.split())
    assert ended.value.code == 0 and words.startswith(f"usage: lrp-ref {command}")
    assert "know six textures (brick, grass, gravel, cat, text, stars)" in words
    assert "bring your own model" in words


def test_the_version_is_printed(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0 and capsys.readouterr().out == f"lrp-ref {lrp_ref.__version__}\n"


@pytest.mark.parametrize("command", ["explain", "figure"])
def test_an_extension_that_no_image_has_is_refused_first(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "no such photograph.png", "--output", "heatmap.xyz"]) == 2
    assert "no image format is called '.xyz'" in capsys.readouterr().err
