"""The core is free of tolerances and of hidden state, and what is public is documented. (Imports: test_rooms.py.)

Tests have tolerances, all of them written.
"""

import ast
import dataclasses
import subprocess
import sys
from collections.abc import Iterator
from configparser import ConfigParser
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import lrp_ref
from lrp_ref.layers import LAYERS, Layer
from lrp_ref.rules import Rule

ROOT = Path(lrp_ref.__file__).parent
MODULES = {".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__"): path
           for path in sorted(ROOT.rglob("*.py"))}


@cache
def tree(name: str) -> ast.Module:
    return ast.parse(MODULES[name].read_text())


CORE = [name.removeprefix("lrp_ref.") for name in MODULES if name.split(".")[1:2] in (
    ["arrays"], ["linear_map"], ["rules"], ["seen"], ["ledger"], ["step"], ["layers"], ["network"], ["merging"],
    ["assignment"], ["starts"], ["concepts"], ["relevance"], ["weights"],
    ["hints"])]

def imports(name: str, inside: bool = True) -> Iterator[tuple[str, set[str]]]:
    """(module, names taken from it) for every import of a module, those inside functions included or not."""
    for node in ast.walk(tree(name)) if inside else tree(name).body:
        if isinstance(node, ast.Import):
            yield from ((alias.name, set()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} imports relatively"
            yield node.module or "", {alias.name for alias in node.names}


def own(name: str, inside: bool = True) -> set[str]:
    """The modules of the package that a module imports, in full."""
    found = set()
    for module, names in imports(name, inside):
        if module.split(".")[0] == "lrp_ref":
            found |= {f"{module}.{one}" for one in names if f"{module}.{one}" in MODULES} or {module}
    return found


def test_rules_know_no_layer_and_touch_no_weight() -> None:
    assert not any("layers" in module for module in own("lrp_ref.rules"))
    attributes = {node.attr for node in ast.walk(tree("lrp_ref.rules")) if isinstance(node, ast.Attribute)}
    assert "weight" not in attributes and {"bias", "learned", "gate"} <= attributes
    names = {node.id for node in ast.walk(tree("lrp_ref.rules")) if isinstance(node, ast.Name)}
    assert not names & set(LAYERS)


def test_the_backward_pass_knows_layers_and_rules_only_as_such() -> None:
    for part in ("step", "relevance"):
        taken = dict(imports(f"lrp_ref.{part}"))
        assert taken.get("lrp_ref.layers", {"Layer"}) == {"Layer"} and taken["lrp_ref.rules"] <= {"Rule", "unclaimed"}


def test_the_core_needs_numpy_and_the_standard_library_only() -> None:
    for part in CORE:
        for module, _ in imports(f"lrp_ref.{part}"):
            own = part == "layers.gated" and module == "scipy.special"   # Phi, inside the function that wants it
            assert own or module.split(".")[0] in {"lrp_ref", "numpy"} | sys.stdlib_module_names, (part, module)


def test_every_package_is_installed() -> None:
    """An editable install has those too that setup.cfg leaves out; a wheel does not."""
    config = ConfigParser()
    config.read(Path(__file__).parents[2] / "setup.cfg", encoding="utf-8")
    listed = set(config["options"]["packages"].split()) - {"lrp_ref.data_fixtures"}
    assert listed == {name for name, path in MODULES.items() if path.name == "__init__.py"}


def test_importing_the_package_leaves_scipy_imageio_and_pillow_alone() -> None:
    heavy = ("scipy", "imageio", "PIL", "torch", "sklearn")
    code = f"import sys, lrp_ref; print([m for m in {heavy} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]" and result.stderr == ""


def test_the_core_has_no_tolerance() -> None:
    for part in CORE:
        whole = tree(f"lrp_ref.{part}")
        names = {getattr(node, "attr", getattr(node, "id", "")) for node in ast.walk(whole)}
        assert not names & {"isclose", "allclose", "assert_allclose", "round", "around"}, part
        small = {node.value for node in ast.walk(whole)
                 if isinstance(node, ast.Constant) and isinstance(node.value, float) and 0 < abs(node.value) < 0.1}
        # numbers of a tenth and more are no tolerances; of the smaller ones,
        # the epsilons of the norms and of the presets, VLFeat's least contrast and GELU's cubic are parameters of the
        # method
        known = {"layers.normalize": {1e-5}, "assignment": {1e-6}, "layers.fisher.sift": {0.005},
                 "layers.gated": {0.044715}, "layers.layer_norm": {1e-5, 1e-6}}
        assert small <= known.get(part, set()), part


# what a comparison allows beside what it is told, if it is not told: 1e-12, 1e-8, 1e-5, 1e-7, 1e-9
NEEDS = {"approx": {"abs"}, "allclose": {"rtol", "atol"}, "isclose": {"rtol", "atol"},
         "assert_allclose": {"rtol", "atol"}, "assert_almost_equal": {"never"}, "assert_array_almost_equal": {"never"}}


def test_no_comparison_in_the_tests_has_a_tolerance_that_is_not_written() -> None:
    found, hidden = set(), []
    for path in sorted(Path(__file__).parents[1].rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = getattr(node.func, "attr", getattr(node.func, "id", "")) if isinstance(node, ast.Call) else ""
            if name in NEEDS:
                found.add(name)
                if not NEEDS[name] <= {keyword.arg for keyword in node.keywords}:
                    hidden.append(f"{path.name}:{node.lineno}")
    assert hidden == [] and found >= {"approx", "allclose", "assert_allclose"}


# The functions of the core that write into what they did not make, or remember what they have computed: none but
STATE = {
    ("layers.base", "parameter"),     # what constructors call: the layer is nobody else's yet
    ("layers.conv", "stacked"),       # f(w) of a map's weights, stacked once for all its pieces; same result without
    ("linear_map", "recalling"),      # the copy that it returns
}
REMEMBER = {"cache", "lru_cache", "cached_property", "singledispatch"}


def writes(part: str) -> Iterator[str]:
    """The functions of a module that write into an object or a container they were given, or that remember."""
    for function in (node for node in ast.walk(tree(f"lrp_ref.{part}")) if isinstance(node, ast.FunctionDef)):
        decorators = {getattr(node, "attr", getattr(node, "id", ""))
                      for one in function.decorator_list for node in ast.walk(one)}
        made = function.name in ("__init__", "__post_init__")     # here an object writes itself
        for node in ast.walk(function):
            sets = isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in (
                "setattr", "__setattr__")
            targets = [*getattr(node, "targets", []), *([node.target] if isinstance(node, ast.AugAssign) else [])]
            rooted = any(ast.unparse(target).startswith(("self.", "vars(")) for target in targets)
            if decorators & REMEMBER or rooted or (sets and not made) or isinstance(node, (ast.Global, ast.Nonlocal)):
                yield function.name


def test_the_core_keeps_no_state_between_calls() -> None:
    assert {(part, name) for part in CORE for name in writes(part)} == STATE
    for part in CORE:
        for node in tree(f"lrp_ref.{part}").body:
            if isinstance(node, ast.Assign):    # types, numbers and texts; the tables of defaults are annotated
                public = getattr(node.targets[0], "id", "") == "__all__"
                assert public or not isinstance(node.value, (ast.List, ast.ListComp, ast.DictComp, ast.Set)), part


RULES = [rule for rule in vars(lrp_ref.rules).values() if isinstance(rule, type) and issubclass(rule, Rule)]


@pytest.mark.parametrize("kind", [*LAYERS.values(), *(rule for rule in RULES if rule is not Rule)],
                         ids=lambda kind: kind.__name__)
def test_layers_and_rules_are_frozen_values(kind: type) -> None:
    assert kind.__dataclass_params__.frozen     # type: ignore[attr-defined]
    assert kind.__dataclass_params__.eq != issubclass(kind, Layer)     # type: ignore[attr-defined]


def test_the_table_of_layers_is_one_literal_that_names_each_by_its_type() -> None:
    [table] = [node.value for node in tree("lrp_ref.layers").body
               if isinstance(node, ast.AnnAssign) and getattr(node.target, "id", "") == "LAYERS"]
    assert isinstance(table, ast.Dict) and all(isinstance(key, ast.Constant) for key in table.keys)
    assert all(name == kind.__name__ and issubclass(kind, Layer) for name, kind in LAYERS.items())


# ---- The public surface ----

PROMISED = {
    "AlphaBeta", "AvgPool", "BatchNorm", "Conv2D", "DenseSift", "Epsilon", "FisherVector", "Flat", "Flatten",
    "Gamma", "L2Norm", "LRN", "Linear", "MaxPool", "Network", "Pass", "ReLU", "SignedSqrt", "SumPool", "Tanh",
    "WSquare", "Winner", "ZBox", "ZPlus", "assign", "caffenet", "cutoff", "epsilon_alpha2_beta1",
    "epsilon_alpha2_beta1_flat", "epsilon_gamma_box", "epsilon_plus", "epsilon_plus_flat", "explain", "heatmap",
    "load_model", "merge_batchnorm", "paper_cnn", "paper_fv", "receptive_field", "save_model",
}


def test_the_public_names_exist_are_sorted_and_hold_what_is_promised() -> None:
    names = lrp_ref.__all__
    assert len(set(names)) == len(names) and set(names) >= PROMISED
    assert all(hasattr(lrp_ref, name) for name in names)
    # abbreviations, then types, then functions, each by the alphabet
    assert names == sorted(names, key=lambda name: (not name.isupper(), not name[:1].isupper(), name))


@pytest.mark.parametrize("name", [name for name in lrp_ref.__all__ if not name.startswith("__")])
def test_every_public_name_is_documented_from_the_first_line(name: str) -> None:
    thing = getattr(lrp_ref, name)
    first = (thing.__doc__ or "").split("\n")[0].strip()
    assert first and not first.startswith(f"{name}(")      # what a dataclass without a docstring says of itself


def test_every_module_of_the_core_says_what_it_is() -> None:
    for part in CORE:
        assert ast.get_docstring(tree(f"lrp_ref.{part}")), part


def test_the_version_is_a_version() -> None:
    assert all(number.isdigit() for number in lrp_ref.__version__.split(".")[:2])


def test_arguments_are_the_published_ones() -> None:
    def arguments(name: str) -> list[str]:
        thing = getattr(lrp_ref, name)
        if dataclasses.is_dataclass(thing):
            return [field.name for field in dataclasses.fields(thing) if field.init]
        return [*thing.__code__.co_varnames[:thing.__code__.co_argcount]]
    assert arguments("Linear") == ["weight", "bias"]
    assert arguments("Conv2D") == ["weight", "bias", "stride", "pad", "dilation", "groups"]
    assert arguments("MaxPool") == ["size", "stride", "pad", "ceil"]
    assert arguments("AvgPool") == ["size", "stride", "pad", "ceil", "count_pad"]
    assert arguments("SumPool") == ["size", "stride", "scale"]
    assert arguments("BatchNorm") == ["mean", "variance", "scale", "shift", "epsilon"]
    assert arguments("LRN") == ["size", "alpha", "beta", "k", "taylor"]
    assert arguments("L2Norm") == ["parts"] and arguments("FisherVector")[:3] == ["weights", "means", "variances"]
    assert arguments("DenseSift")[:2] == ["sizes", "step"] and arguments("paper_fv")[0] == "network"
    assert [arguments(name) for name in ("Epsilon", "AlphaBeta", "Gamma", "ZBox")] == [
        ["epsilon"], ["alpha", "beta"], ["gamma"], ["low", "high"]]
    assert not any(map(arguments, ("ReLU", "Tanh", "Flatten", "SignedSqrt", "ZPlus", "WSquare", "Flat", "Winner",
                                   "Pass")))
    assert arguments("explain")[:4] == ["network", "x", "rules", "target"]
    assert arguments("cutoff") == ["rules", "below", "rule"]
    assert arguments("assign")[0] == "network" and {"first", "by_name"} <= set(arguments("assign"))


def test_the_published_example_runs() -> None:
    from lrp_ref import (
        AlphaBeta,
        Conv2D,
        Epsilon,
        Flatten,
        Linear,
        MaxPool,
        Network,
        ReLU,
        ZBox,
        assign,
        cutoff,
        explain,
        heatmap,
    )
    rng = np.random.default_rng(0)
    network = Network([("conv1", Conv2D(rng.normal(size=(4, 3, 3, 3)), rng.normal(size=4), stride=(1, 1), pad=(1, 1),
                                        dilation=(1, 1), groups=1)),
                       ("relu1", ReLU()), ("pool1", MaxPool((2, 2), stride=(2, 2), pad=(0, 0))), ("flat", Flatten()),
                       ("fc", Linear(rng.normal(size=(64, 5)), rng.normal(size=5)))])
    rules = assign(network, {Conv2D: AlphaBeta(2, 1), Linear: Epsilon(0.01)}, first=ZBox(-3, [1, 2, 3]),
                   by_name={"fc": Epsilon(0)})
    x = rng.uniform(-3, 1, size=(2, 3, 8, 8))
    e = explain(network, x, cutoff(rules, below="relu1"), target=3)
    assert e.scores.shape == (2, 5) and e.activations["conv1"].shape == e.relevances["conv1"].shape == (2, 4, 8, 8)
    assert e.relevance.shape == x.shape and "conv1" in str(e.ledger) and heatmap(e.relevance).shape == (2, 8, 8)
