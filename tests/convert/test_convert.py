"""Networks of torch to ours: the same layers under the same names, the same scores, and no guesses."""

from collections import OrderedDict

import numpy as np
import pytest
from models_at_hand import GREY, assert_same_network

from lrp_ref import (
    LRN,
    AdaptiveAvgPool,
    AvgPool,
    BatchNorm,
    Conv2D,
    Flatten,
    Linear,
    MaxPool,
    Model,
    ReLU,
    Tanh,
    load_model,
    save_model,
)
from lrp_ref.convert import from_torch

torch = pytest.importorskip("torch")
nn = torch.nn
trained = pytest.importorskip("torch_modules").trained
prune = pytest.importorskip("torch.nn.utils.prune")
torch.set_num_threads(1)   # these networks are so small that threads would only wait for each other
IMAGE, FLAT = (2, 4, 9, 11), (3, 7)


CASES = {
    "Conv2d": (lambda: trained(nn.Conv2d(4, 5, (3, 2))), IMAGE, Conv2D),
    "Conv2d, stride and padding": (lambda: trained(nn.Conv2d(4, 6, (2, 3), (3, 2), (1, 2))), IMAGE, Conv2D),
    "Conv2d, groups": (lambda: trained(nn.Conv2d(4, 6, 3, groups=2)), IMAGE, Conv2D),
    "Conv2d, one channel each": (lambda: trained(nn.Conv2d(4, 8, 3, groups=4, bias=False)), IMAGE, Conv2D),
    "Conv2d, dilation": (lambda: trained(nn.Conv2d(4, 2, 3, dilation=(2, 3), padding=1)), IMAGE, Conv2D),
    "Conv2d, same": (lambda: trained(nn.Conv2d(4, 3, (5, 3), dilation=(1, 2), padding="same")), IMAGE, Conv2D),
    "Conv2d, same, even and dilated": (lambda: trained(nn.Conv2d(4, 3, (2, 1), dilation=2, padding="same")), IMAGE,
                                       Conv2D),
    "Conv2d, valid": (lambda: trained(nn.Conv2d(4, 3, 3, 2, "valid")), IMAGE, Conv2D),
    "Linear": (lambda: trained(nn.Linear(7, 5)), FLAT, Linear),
    "Linear, no bias": (lambda: trained(nn.Linear(7, 2, bias=False)), FLAT, Linear),
    "Linear, one output": (lambda: trained(nn.Linear(7, 1)), FLAT, Linear),
    "MaxPool2d": (lambda: trained(nn.MaxPool2d((3, 2))), IMAGE, MaxPool),
    "MaxPool2d, overlap and padding": (lambda: trained(nn.MaxPool2d((3, 4), (2, 1), (1, 2))), IMAGE, MaxPool),
    "MaxPool2d, ceil": (lambda: trained(nn.MaxPool2d(2, ceil_mode=True)), IMAGE, MaxPool),
    "MaxPool2d, ceil, padding": (lambda: trained(nn.MaxPool2d(3, (3, 2), (1, 0), ceil_mode=True)), IMAGE, MaxPool),
    "AvgPool2d": (lambda: trained(nn.AvgPool2d((2, 5), (1, 3))), IMAGE, AvgPool),
    "AvgPool2d, padding": (lambda: trained(nn.AvgPool2d(3, 2, (1, 0))), IMAGE, AvgPool),
    "AvgPool2d, padding not counted": (lambda: trained(nn.AvgPool2d(3, 2, 1, count_include_pad=False)), IMAGE, AvgPool),
    "AvgPool2d, ceil": (lambda: trained(nn.AvgPool2d((2, 4), (4, 3), (1, 2), ceil_mode=True)), IMAGE, AvgPool),
    "AvgPool2d, ceil, padding not counted": (
        lambda: trained(nn.AvgPool2d(4, 3, (2, 1), ceil_mode=True, count_include_pad=False)), IMAGE, AvgPool),
    "AdaptiveAvgPool2d, one": (lambda: trained(nn.AdaptiveAvgPool2d(1)), IMAGE, AdaptiveAvgPool),
    "AdaptiveAvgPool2d, divisible": (lambda: trained(nn.AdaptiveAvgPool2d((3, 11))), IMAGE, AdaptiveAvgPool),
    "AdaptiveAvgPool2d, not divisible": (lambda: trained(nn.AdaptiveAvgPool2d((4, 3))), IMAGE, AdaptiveAvgPool),
    "AdaptiveAvgPool2d, larger": (lambda: trained(nn.AdaptiveAvgPool2d((10, 14))), IMAGE, AdaptiveAvgPool),
    "BatchNorm2d": (lambda: trained(nn.BatchNorm2d(4, eps=0.25)), IMAGE, BatchNorm),
    "BatchNorm2d, not affine": (lambda: trained(nn.BatchNorm2d(4, affine=False)), IMAGE, BatchNorm),
    "BatchNorm1d": (lambda: trained(nn.BatchNorm1d(7)), FLAT, BatchNorm),
    "LocalResponseNorm": (lambda: trained(nn.LocalResponseNorm(3, 0.5, 0.6, 1.5)), IMAGE, LRN),
    "ReLU": (lambda: trained(nn.ReLU(inplace=True)), IMAGE, ReLU),
    "Tanh": (lambda: trained(nn.Tanh()), IMAGE, Tanh),
    "Flatten": (lambda: trained(nn.Flatten()), IMAGE, Flatten),
}


def nested():
    """A network with names, nesting, a shared module and modules that do nothing in evaluation."""
    relu = nn.ReLU()
    features = nn.Sequential(OrderedDict(
        conv=nn.Conv2d(4, 6, 3, 2, 1), act=relu, drop=nn.Dropout2d(0.4),
        block=nn.Sequential(nn.Conv2d(6, 6, 2, groups=3), nn.BatchNorm2d(6), relu, nn.Identity())))
    return trained(features, nn.MaxPool2d(2, ceil_mode=True), nn.Flatten(), nn.Dropout(),
                   nn.Sequential(nn.Linear(36, 5), nn.Tanh(), nn.Linear(5, 3)))


def run(network, x):
    with torch.no_grad():
        return network(torch.from_numpy(x.copy())).numpy()


def close(got, wanted):
    """Equal but for rounding: a sum of n products is off by at most n eps of their sizes, and n is below 100 here."""
    assert (got.dtype, got.shape) == (wanted.dtype, wanted.shape)
    assert np.abs(got - wanted).max() <= 100 * np.finfo(wanted.dtype).eps * np.abs(wanted).max()


def images(shape, dtype):
    return np.random.default_rng(0).normal(size=shape).astype(dtype)


# ---- Every supported module ----


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("case", CASES)
def test_a_module_gives_what_torch_gives(case, dtype):
    make, shape, kind = CASES[case]
    module, x = make(), images(shape, dtype)
    module = module.float() if dtype is np.float32 else module
    network = from_torch(module)
    assert [type(layer) for _, layer in network] == [kind]
    assert network.names == ("0",)
    assert network.number in (dtype, None)
    close(network(x), run(module, x))


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
def test_a_nested_network_gives_what_torch_gives(dtype):
    module, x = nested(), images(IMAGE, dtype)
    module = module.float() if dtype is np.float32 else module
    close(from_torch(module)(x), run(module, x))


@pytest.mark.parametrize("case", [*CASES, "nested"])
def test_a_converted_network_comes_back_from_its_file(tmp_path, case):
    network = from_torch(nested() if case == "nested" else CASES[case][0]())
    save_model(Model(network, [], GREY), tmp_path / "model.npz")
    assert_same_network(load_model(tmp_path / "model.npz").chain, network)


def test_names_are_torchs_own_and_dropout_and_identity_vanish():
    module = nested()
    network = from_torch(module)
    assert network.names == ("0.conv", "0.act", "0.block.0", "0.block.1", "0.block.2", "1", "2", "4.0", "4.1", "4.2")
    for name in network.names:
        assert type(network[name]).__name__[:4] == type(module.get_submodule(name)).__name__[:4]


def test_a_module_used_twice_is_two_layers():
    fc = nn.Linear(7, 7)
    module, x = trained(fc, nn.ReLU(), fc), images(FLAT, np.float64)
    network = from_torch(module)
    assert network.names == ("0", "1", "2")
    assert network["0"].weight.tolist() == network["2"].weight.tolist()
    close(network(x), run(module, x))


@pytest.mark.parametrize("make", [lambda: nn.Linear(7, 1), lambda: nn.Linear(1, 7), lambda: nn.Linear(3, 2),
                                  lambda: nn.Conv2d(2, 3, 1), lambda: nn.BatchNorm1d(3)])
def test_training_further_does_not_change_what_was_converted(make):
    module = trained(make())
    layer = from_torch(module)["0"]
    before = {name: array.copy() for name, array in layer.arrays().items()}
    with torch.no_grad():
        for tensor in module.state_dict().values():
            tensor.fill_(7)
    for name, array in layer.arrays().items():
        assert array.tolist() == before[name].tolist()


# ---- What is refused, by name ----


class Own(nn.Module):
    def forward(self, x):
        return 2 * x


class Conv2d(nn.Conv2d):
    """A class of torch's name that computes something else."""

    def forward(self, x):
        return 2 * super().forward(x)


class Branches(nn.Sequential):
    """A Sequential that does not run in sequence."""

    def forward(self, x):
        return x + super().forward(x)


REFUSED = {
    "padding mode": (lambda: nn.Conv2d(4, 4, 3, 1, 1, padding_mode="reflect"), "0, a Conv2d: padding_mode='reflect'"),
    "dilated max-pooling": (lambda: nn.MaxPool2d(2, dilation=2), "0, a MaxPool2d: dilation"),
    "indices": (lambda: nn.MaxPool2d(2, return_indices=True), "0, a MaxPool2d: return_indices=True"),
    "another divisor": (lambda: nn.AvgPool2d(2, divisor_override=3), "0, a AvgPool2d: divisor_override"),
    "half a size": (lambda: nn.AdaptiveAvgPool2d((3, None)), "output_size with None, needed numbers, or an example"),
    "no statistics": (lambda: nn.BatchNorm2d(4, track_running_stats=False), "0, a BatchNorm2d: no running statistics"),
    "even LRN": (lambda: nn.LocalResponseNorm(4), "0, a LocalResponseNorm: LRN got size=4, needed an odd number"),
    "part of a flatten": (lambda: nn.Flatten(2), "0, a Flatten: start_dim and end_dim other than 1 and -1"),
    "flatten of some": (lambda: nn.Flatten(1, 2), "0, a Flatten: start_dim and end_dim other than 1 and -1"),
    "softmax": (lambda: nn.Softmax(1), "0, a Softmax: its sizes depend on the image's: give an example, from_torch("),
    "half a slope": (lambda: nn.RReLU(), "got 0, a RReLU, for which there is no layer: explain the part of the"),
    "normalized": (lambda: nn.LayerNorm((2, 4)), "0, a LayerNorm: its sizes depend on the image's: give an example"),
    "in groups": (lambda: nn.GroupNorm(2, 4), "got 0, a GroupNorm, for which there is no layer"),
    "a row": (lambda: nn.Conv1d(4, 4, 3), "0, a Conv1d: its sizes depend on the image's: give an example"),
    "bilinear": (lambda: nn.Upsample(scale_factor=2, mode="bilinear"), "0, a Upsample: mode='bilinear', needed"),
    "own module": (Own, "got 0, a test_convert.Own, which may do anything: give an example, from_torch("),
    "own module of torch's name": (lambda: Conv2d(4, 4, 3), "got 0, a test_convert.Conv2d, which may do anything: "),
    "branches": (lambda: Branches(nn.ReLU()), "got 0, a test_convert.Branches, which may do anything: give an example"),
    "a list": (lambda: nn.ModuleList([nn.ReLU()]), "got 0, a ModuleList, for which there is no layer"),
    "half precision": (lambda: nn.Linear(2, 2).half(), "0, a Linear: Linear weight: got numbers of type float16"),
    "bfloat16": (lambda: nn.Linear(2, 2).bfloat16(), "0, a Linear: got weights of torch.bfloat16 on cpu, needed"),
    "no values": (lambda: nn.Linear(2, 2, device="meta"), "0, a Linear: got weights of torch.float32 on meta, needed"),
}


def message(module):
    with pytest.raises(ValueError) as caught:
        from_torch(module)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("case", REFUSED)
def test_a_module_without_a_counterpart_is_refused_by_name(case):
    make, wanted = REFUSED[case]
    assert wanted in message(nn.Sequential(make()).eval())


def test_a_module_deep_inside_is_named_by_its_path():
    network = nn.Sequential(OrderedDict(top=nn.Sequential(nn.ReLU(), nn.Sequential(OrderedDict(act=nn.CELU())))))
    assert "got top.1.act, a CELU, for which there is no layer" in message(network.eval())


def test_training_mode_is_refused_by_name_even_of_one_module():
    network = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.ReLU(), nn.Dropout())).eval()
    network[1][1].train()
    assert "got 1.1 in training mode: call network.eval() first" in message(network)
    from_torch(network.eval())


def test_weights_that_are_not_finite_are_refused():
    network = trained(nn.Linear(3, 2))
    with torch.no_grad():
        network[0].weight[1, 2] = torch.inf
    assert "0, a Linear: Linear weight is inf at (2, 1)" in message(network)


@pytest.mark.parametrize("make", [lambda: nn.Linear(2, 2).eval(), lambda: nn.ModuleList([nn.ReLU()]).eval(),
                                  lambda: Branches(nn.ReLU()).eval(), lambda: np.zeros(3)],
                         ids=["a layer", "a list", "branches", "an array"])
def test_anything_but_a_sequential_is_refused(make):
    assert "torch.nn.Sequential" in message(make())


@pytest.mark.parametrize("modules", [(), (nn.Dropout(), nn.Identity())], ids=["empty", "nothing that stays"])
def test_a_network_without_layers_is_refused(modules):
    assert "without layers" in message(nn.Sequential(*modules).eval())


def test_mixed_number_types_are_refused():
    network = nn.Sequential(nn.Linear(2, 2).double(), nn.Linear(2, 2)).eval()
    assert "several number types (float64 in 0, float32 in 1)" in message(network)


# ---- What is not in the weights ----


def small():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Sequential(nn.Linear(64, 2))).eval()


def with_hook(where, register, hook):
    module = small()
    getattr(module.get_submodule(where), register)(hook)
    return module


def replaced(where, name, value):
    module = small()
    setattr(module.get_submodule(where), name, value)
    return module


def wrapped(where, wrap):
    module = small()
    part = module.get_submodule(where)
    wrap(part)
    for parameter in module.parameters():   # as training or load_state_dict changes them: .weight is stale
        parameter.data = 1.5 * parameter.data + 0.125
    return module


PRE, POST = "register_forward_pre_hook", "register_forward_hook"
HIDDEN = {
    "input of a layer": (lambda: with_hook("0", PRE, lambda m, i: ((i[0] - 0.5) / 0.25,)),
                         "got 0, a Conv2d, with the"),
    "input of the network": (lambda: with_hook("", PRE, lambda m, i: (i[0] / 255,)),
                             "got the network, a Sequential, w"),
    "input of a part": (lambda: with_hook("3", PRE, lambda m, i: (2 * i[0],)), "got 3, a Sequential, with the hook"),
    "output of a layer": (lambda: with_hook("1", POST, lambda m, i, o: o.clamp(max=0.05)), "got 1, a ReLU, with the"),
    "a hook that only looks": (lambda: with_hook("3.0", POST, lambda m, i, o: None),
                               "hook <lambda>, which may change"),
    "forward of a layer": (lambda: replaced("3.0", "forward", lambda x: x[:, :2]),
                           "3.0, a Linear, whose forward was repl"),
    "forward of the network": (lambda: replaced("", "forward", lambda x: x),
                               "the network, a Sequential, whose forward"),
    "a convolution": (lambda: replaced("0", "_conv_forward", lambda x, w, b: x), "whose _conv_forward was replaced"),
    "weight_norm": (lambda: wrapped("3.0", nn.utils.weight_norm),
                    "remove it first, torch.nn.utils.remove_weight_norm("),
    "spectral_norm": (lambda: wrapped("0", nn.utils.spectral_norm), "first, torch.nn.utils.remove_spectral_norm("),
    "prune": (lambda: wrapped("0", lambda part: prune.l1_unstructured(part, "weight", 0.5)),
              "prune.remove(module, na"),
    "prune, bias": (lambda: wrapped("3.0", lambda part: prune.random_unstructured(part, "bias", 1)),
                    "utils.prune.remove"),
    "parametrised": (lambda: wrapped("3.0", nn.utils.parametrizations.weight_norm),
                     "remove_parametrizations(module, 'w"),
    "nothing": (lambda: (module := small())[3].add_module("again", None) or module,
                "got 3.again, a builtins.NoneType, which may do anything: give an example"),
    "itself": (lambda: (module := small()).add_module("again", module) or module,
               "got again, a Sequential that holds it"),
    "no weight": (lambda: replaced("3.0", "weight", None),
                  "3.0, a Linear, is not as torch makes it (AttributeError)"),
    "training a word": (lambda: replaced("1", "training", "no"), "got 1 in training mode"),
    "sizes of three": (lambda: replaced("0", "stride", (1, 1, 1)),
                       "the size (1, 1, 1), needed an int, or one for rows"),
}


@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated")
@pytest.mark.parametrize("case", HIDDEN)
def test_what_changes_a_modules_numbers_beside_its_weights_is_refused_by_name(case):
    make, wanted = HIDDEN[case]
    assert wanted in message(make())


@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated")
@pytest.mark.parametrize(("wrap", "remove"), [
    (nn.utils.weight_norm, nn.utils.remove_weight_norm), (nn.utils.spectral_norm, nn.utils.remove_spectral_norm),
    (lambda part: prune.l1_unstructured(part, "weight", 0.5), lambda part: prune.remove(part, "weight")),
    (nn.utils.parametrizations.weight_norm, lambda part: nn.utils.parametrize.remove_parametrizations(part, "weight")),
], ids=["weight_norm", "spectral_norm", "prune", "parametrised"])
def test_the_cure_that_is_named_makes_the_numbers_torchs(wrap, remove):
    module, x = wrapped("3.0", wrap).double(), images((2, 3, 6, 6), np.float64)
    wanted = run(module, x)
    remove(module[3][0])
    close(from_torch(module)(x), wanted)


def test_a_hook_for_all_modules_is_refused():
    handle = nn.modules.module.register_module_forward_hook(lambda m, i, o: 2 * o)
    try:
        assert "got the network, a Sequential, with the hook <lambda>" in message(small())
    finally:
        handle.remove()
    from_torch(small())


def test_a_class_with_another_forward_is_refused(monkeypatch):
    monkeypatch.setattr(nn.ReLU, "forward", lambda self, x: 2 * x)
    assert "got 1, a ReLU, whose class has another forward than torch's" in message(small())


@pytest.mark.parametrize("make", [
    lambda: nn.AdaptiveAvgPool2d([2, 3]), lambda: nn.MaxPool2d([2, 3], [1, 2], [1, 1], dilation=[1, 1]),
    lambda: nn.AvgPool2d([2, 2], [1, 2], [1, 0]), lambda: nn.Conv2d(4, 2, [3, 2], [1, 2], [1, 0], [1, 2]),
    lambda: nn.MaxPool2d((2,), [1]), lambda: nn.AvgPool2d([3], (2,))])
def test_sizes_may_be_lists_as_files_of_settings_have_them(make):
    module, x = trained(make()), images(IMAGE, np.float64)
    close(from_torch(module)(x), run(module, x))
