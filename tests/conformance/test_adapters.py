"""Adapters by name, and lrp_toolbox's modules behind one; those of torch's libraries are in test_adapters_peers.py."""

import ast
import dataclasses
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from recorded import suite as vectors

from lrp_ref import (
    AlphaBeta,
    AvgPool,
    Conv2D,
    Epsilon,
    Flat,
    Flatten,
    Gamma,
    Linear,
    MaxPool,
    Network,
    Pass,
    ReLU,
    SumPool,
    Tanh,
    Winner,
    WSquare,
    ZPlus,
    assign,
    explain,
)
from lrp_ref.conformance.adapter import Unsupported
from lrp_ref.conformance.adapters import find
from lrp_ref.conformance.dialects import DIALECTS
from lrp_ref.conformance.judge import expectations
from lrp_ref.conformance.judge.smoke import smoke
from lrp_ref.conformance.lines import Lines
from lrp_ref.conformance.vectors.case import RULES
from lrp_ref.layers import LAYERS, SpreadLinear

STANDIN = Path(__file__).parents[1] / "standin" / "toolbox"
ADAPTER = """
class Mine:
    name, version, unit_roundoff, conventions = "mine", "1", 2.0**-53, {}
    def relevance(self, network, rules, x, R):
        return x

class Needy(Mine):
    def __init__(self, path): pass

class Stubborn(Mine):
    def __init__(self): raise KeyError("weights")

class Unmade(Mine):
    @property
    def version(self):
        from importlib.metadata import version
        return version("no-such-package")

class Half:
    name, relevance = "half", None

made = Mine()
"""
MODULES = {"mine": ADAPTER, "needs": "import no_such_thing\n", "raises": "\n\nraise ValueError('as\\nimported')\n",
           "syntax": "x = 1\ny = = 2\n", "leaves": "import sys\nsys.exit(3)\n", "lacks": "from math import tau2\n",
           "lazy": "def __dir__(): return ['Adapter']\ndef __getattr__(name):\n    raise AttributeError(name)\n"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The current folder, with modules of one's own; nothing of it is known afterwards."""
    for name, text in MODULES.items():
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield
    for name in MODULES:
        sys.modules.pop(name, None)


# ---- By name ----


@pytest.mark.parametrize("text", ["mine:Mine", "mine:made"])
def test_a_class_or_an_instance_of_the_current_folder_is_found(folder: None, text: str) -> None:
    assert find(text).name == "mine"


def test_this_package_and_the_dialects_are_found() -> None:
    assert find("lrp_ref").name == "lrp_ref" and find("dialect:captum").version == DIALECTS["captum"].version


def test_a_program_that_reads_and_writes_lines_is_found_by_its_command() -> None:
    harness = Path(__file__).parents[2] / "docs" / "harness.py"
    adapter = find(f"exec:{sys.executable} {harness}")
    assert isinstance(adapter, Lines)
    with adapter:
        smoke(adapter)


@pytest.mark.parametrize(("text", "wanted"), [
    ("zenit", "got the adapter 'zenit', which is not known: did you mean 'zennit'? needed zennit, captum, lxt, "
              "toolbox:PATH, lrp_ref, dialect:NAME, recorded:FILE, exec:COMMAND, or module:Name of your own"),
    ("mine:", "got the adapter 'mine:', which is not known: "),
    ("toolbox", "toolbox:PATH"),
    ("yours:Mine", "got the adapter yours:Mine, but No module named 'yours': needed a module of"),
    ("lazy:Adaptor", "got the adapter lazy:Adaptor, but lazy has no Adaptor: did you mean 'Adapter'? it has Adapter"),
    ("mine:Main", "got the adapter mine:Main, but mine has no Main: did you mean 'Mine'? it has Mine, Needy, "),
    ("needs:Mine", "got the adapter needs:Mine, but No module named 'no_such_thing': mend or install that"),
    ("./mine.py:Mine", "got the adapter ./mine.py:Mine, whose first half is a path, needed a module's name as import "
                       "takes it: did you mean mine:Mine?"),
    ("mine.py:Mine", "did you mean mine:Mine?"),
    ("sub/mine:Mine", "did you mean sub.mine:Mine?"),
    (".mine:Mine", "did you mean mine:Mine?"),
    ("../mine.py:Mine", "did you mean mine:Mine, in its folder?"),
    ("/there/mine.py:Mine", "did you mean mine:Mine, in its folder?"),
    ("raises:Mine", "got the adapter raises:Mine, but raises cannot be imported: ValueError: as imported (HERE"
                    "raises.py, line 3): mend it"),
    ("leaves:Mine", "but leaves cannot be imported: SystemExit: 3 (HEREleaves.py, line 2): mend it"),
    ("lacks:Mine", "but lacks cannot be imported: ImportError: cannot import name 'tau2' from 'math'"),
    ("syntax:Mine", "but syntax cannot be imported: SyntaxError: invalid syntax (HEREsyntax.py, line 2): mend "
                    "it"),
    ("exec:", "got the adapter 'exec:', which is not known: "),
    ("exec:no_such_program -x", "'no_such_program -x' does not start: "),
    ("mine:Stubborn", "got the adapter mine:Stubborn, which as it was made raised KeyError: 'weights' (HEREmine.py, "
                      "line 11): mend it"),
    ("mine:Needy", "a class that is not made without arguments (Needy.__init__() missing 1 required"),
    ("mine:Half", "got the adapter mine:Half, which has no version, unit_roundoff, conventions, needed an object with "
                  "name, version, unit_roundoff, conventions, relevance"),
    ("toolbox:nowhere", "got toolbox:nowhere, which has no modules/__init__.py: give lrp_toolbox's python folder"),
    ("dialect:zenit", "got the dialect 'zenit', which is not known: did you mean 'zennit'?"),
])
def test_what_is_not_found_is_said_in_one_line_with_what_to_do(folder: None, text: str, wanted: str) -> None:
    with pytest.raises(ValueError) as caught:
        find(text)
    assert wanted.replace("HERE", f"{Path.cwd()}/") in str(caught.value) and "\n" not in str(caught.value)


def test_a_library_that_is_not_installed_is_named_with_the_command_that_installs_it(
        monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [name for name in sys.modules if name.startswith("lrp_ref.conformance.adapters.")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ValueError, match=r"^got the adapter captum, but .*torch.*: pip install torch captum$"):
        find("captum")


@pytest.mark.parametrize("error", ["ImportError('libtorch_cpu.so:\\n cannot open')", "OSError('libtorch_cpu.so')"])
def test_a_library_that_cannot_be_imported_is_named_with_what_failed(
        error: str, tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text(f"raise {error}\n", encoding="utf-8")
    paths = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run([sys.executable, "-m", "lrp_ref", "conform", "zennit"], capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": paths}, check=False)
    said = done.stderr
    assert done.returncode == 2
    assert said.startswith("lrp-ref: error: got the adapter zennit, which cannot be imported: ") and "torch.py" in said
    assert "libtorch_cpu.so" in said and said.count("\n") == 1


@pytest.mark.parametrize("body", ["raise OSError('weights')", "import no_such_thing"])
def test_a_toolbox_that_cannot_be_imported_is_named_with_what_failed(body: str, tmp_path: Path) -> None:
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "__init__.py").write_text(f"{body}\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"^got the adapter toolbox:.*, which cannot be imported: .*: mend it$"):
        find(f"toolbox:{tmp_path}")


def test_an_adapter_whose_version_raises_is_named_with_what_failed(folder: None) -> None:
    """As importlib.metadata does of what is not installed."""
    with pytest.raises(ValueError, match=r"^got the adapter mine:Unmade, whose version raised PackageNotFoundError: "):
        find("mine:Unmade")


def test_the_page_lists_exactly_what_must_be_refused() -> None:
    page = (Path(__file__).parents[2] / "docs" / "adapters.md").read_text(encoding="utf-8")
    listed = re.findall(r"`(refused-[a-z0-9-]+)`", page)
    assert sorted(listed) == sorted(case.id.rpartition("-")[0] for case in vectors().cases if case.level == "negative")


# ---- lrp_toolbox ----

RNG = np.random.default_rng(0)


def halves(*shape: int) -> np.ndarray:
    return RNG.integers(-6, 7, shape) / 2


CONVOLUTION = Conv2D(halves(5, 3, 2, 3), halves(5), (1, 2))
NETWORK = Network([("conv", CONVOLUTION), ("relu", ReLU()), ("max", MaxPool(2, (1, 2))),
                   ("sum", SumPool((2, 1), scale=1 / np.sqrt(2))), ("flat", Flatten()),
                   ("fc", Linear(halves(20, 7), halves(7))), ("tanh", Tanh()), ("fc2", Linear(halves(7, 4)))])
X, R = halves(2, 3, 7, 9), halves(2, 4)


@pytest.mark.parametrize("rule", [Epsilon(0.25), Epsilon(0), AlphaBeta(2, 1), ZPlus(), Flat(), WSquare()], ids=repr)
def test_lrp_toolboxs_modules_get_our_weights_images_and_rules(rule: object) -> None:
    """Stabilisers of 1e-16 and 1e-12 move hardly anything here: no sum is below 1/4."""
    rules = assign(NETWORK, {Conv2D: rule, Linear: rule, SumPool: rule if rule == Flat() else Epsilon(0)})
    adapter = find(f"toolbox:{STANDIN}")
    got = adapter.relevance(NETWORK, rules, X, R)
    wanted = explain(NETWORK, X, rules, R).relevance
    assert got.shape == X.shape and np.abs(got - wanted).max() < 1e-11 * np.abs(wanted).max()


def test_lrp_toolboxs_adapter_passes_the_smoke_test() -> None:
    smoke(find(f"toolbox:{STANDIN}"))


@pytest.mark.parametrize(("layer", "rule", "shape"), [
    (Conv2D(halves(2, 3, 2, 2), None, 1, (0, 1)), Flat(), (1, 3, 4, 5)),
    (Conv2D(halves(2, 3, 2, 2), None, 1, 0, (2, 1)), Flat(), (1, 3, 4, 5)),
    (Conv2D(halves(2, 1, 2, 2), None, groups=2), Flat(), (1, 2, 4, 5)),
    (MaxPool(2, 1, 1), Winner(), (1, 3, 4, 5)), (MaxPool(2, 2, ceil=True), Winner(), (1, 3, 4, 5)),
    (SumPool(2, scale=1), Epsilon(0), (1, 3, 4, 5)), (AvgPool(2), Epsilon(0), (1, 3, 4, 5)),
    (Linear(halves(5, 2)), Epsilon(0), (1, 3, 5)), (Linear(halves(5, 2)), Gamma(0.25), (1, 5)),
    (SpreadLinear(halves(5, 2), halves(2)), Epsilon(0), (1, 5)),
    (SumPool(2, scale=0.5), Winner(), (1, 3, 4, 6)), (Linear(halves(5, 5)), Pass(), (1, 5)),
], ids=["padding", "dilation", "groups", "padded maximum", "ceil", "sum", "average", "rows", "gamma", "spread bias",
        "winner of a sum",
        "pass of a dense layer"])
def test_what_lrp_toolbox_lacks_is_unsupported_by_name(layer, rule, shape) -> None:
    network, x = Network([("it", layer)]), halves(*shape)
    with pytest.raises(Unsupported, match=f"lrp_toolbox has no .*{type(layer).__name__}"):
        find(f"toolbox:{STANDIN}").relevance(network, {"it": rule}, x, network(x))


def test_lrp_toolboxs_modules_find_what_numpy_loads_on_demand() -> None:
    """Its Linear draws weights by np.random, which NumPy 2 loads when it is first asked for: in this process it is."""
    code = ("import numpy as np\nloaded = set(vars(np))\nfrom lrp_ref.conformance.adapters import find\n"
            "from lrp_ref.conformance.judge.smoke import smoke\n"
            "assert 'random' in loaded or 'random' not in vars(np)\n"   # or else this test could not fail
            f"smoke(find({f'toolbox:{STANDIN}'!r}))")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_each_folder_of_lrp_toolbox_has_modules_of_its_own(tmp_path: Path) -> None:
    shutil.copytree(STANDIN, tmp_path, dirs_exist_ok=True)
    parts = tmp_path / "modules" / "parts.py"
    parts.write_text(parts.read_text(encoding="utf-8").replace("np.maximum(0, X)", "np.minimum(0, X)"),
                     encoding="utf-8")
    network, x = Network([("relu", ReLU())]), np.array([[-1.0, 2.0]])
    first, second = find(f"toolbox:{STANDIN}"), find(f"toolbox:{tmp_path}")
    assert [adapter.modules.Rect().forward(x).tolist() for adapter in (first, second)] == [[[0, 2]], [[-1, 0]]]
    assert first.relevance(network, {"relu": Pass()}, x, x).tolist() == x.tolist()


def test_numpy_itself_keeps_no_float() -> None:
    find(f"toolbox:{STANDIN}")
    assert not hasattr(np, "float")


@pytest.mark.parametrize("name", ["zennit", "captum", "lxt"])
def test_an_adapter_to_a_library_is_short(name: str) -> None:
    """Besides what it imports, of which a layer is a line."""
    path = Path(__file__).parents[2] / "lrp_ref" / "conformance" / "adapters" / f"{name}.py"
    text = path.read_text(encoding="utf-8")
    imports = {n for node in ast.parse(text).body if isinstance(node, (ast.Import, ast.ImportFrom))
               for n in range(node.lineno, (node.end_lineno or 0) + 1)}
    assert sum(bool(line.strip()) and n not in imports for n, line in enumerate(text.splitlines(), 1)) <= 60


# ---- The page ----

PAGE = (Path(__file__).parents[2] / "docs" / "adapters.md").read_text(encoding="utf-8")
TABLE = dict(re.findall(r"^\| `(\w+)` \| (.*?)(?: \|.*)? \|$", PAGE, re.MULTILINE))


@pytest.mark.parametrize("name", ["Linear", "Conv2D", "MaxPool", "AvgPool", "SumPool", "AdaptiveAvgPool", "BatchNorm",
                                  "LRN", "Epsilon", "AlphaBeta", "Gamma", "ZBox"])
def test_the_page_names_every_field_of_a_layer_or_rule_and_no_other(name: str) -> None:
    kind = LAYERS[name] if name in LAYERS else RULES[name]
    fields = [field.name for field in dataclasses.fields(kind)]
    assert [word for word in re.findall(r"`(\w+)`", TABLE[name]) if word != "LRP"] == fields


def test_the_page_names_every_rule_and_the_layers_of_every_case_that_is_no_fisher_vectors() -> None:
    assert all(f"`{rule}`" in PAGE for rule in RULES)
    assert {kind for kind in LAYERS if f"`{kind}`" in PAGE} >= {
        "Linear", "Conv2D", "MaxPool", "AvgPool", "SumPool", "AdaptiveAvgPool", "BatchNorm", "LRN", "ReLU", "Tanh",
        "Flatten", "SignedSqrt", "L2Norm"}


# ---- What is expected of zennit, captum and LXT ----

EXPECTATIONS = sorted((Path(__file__).parents[2] / "data_fixtures" / "expectations").glob("*.txt"))


@pytest.mark.parametrize("path", EXPECTATIONS, ids=lambda path: path.stem)
def test_every_line_that_is_expected_of_a_library_is_of_a_case_and_under_its_reason(path: Path) -> None:
    assert {path.stem for path in EXPECTATIONS} == {"captum", "lxt", "zennit"}
    lines = expectations.read(path)
    assert expectations.differences([], lines, vectors()) == []
    assert {line.status for line in lines.values()} == {"failed", "unsupported", "undetermined"}
    title, *groups = path.read_text(encoding="utf-8").strip().split("\n\n")
    assert title.startswith(f"# {path.stem} {DIALECTS[path.stem].version}: ")
    assert all(re.match(r"# .*\.\n[^#]+$", group) for group in groups)
