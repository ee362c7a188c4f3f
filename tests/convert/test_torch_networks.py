"""Whole networks of torch: the same outputs, torch's own names, and a refusal where a network would give others."""

import numpy as np
import pytest
from models_at_hand import GREY, assert_same_network

from lrp_ref import (
    Add,
    Concat,
    Conv2D,
    Model,
    Multiply,
    assign,
    epsilon_plus,
    explain,
    load_model,
    merge_batchnorm,
    receptive_field,
    save_model,
)
from lrp_ref.convert import from_torch
from lrp_ref.layers import ReLU, Slice

torch = pytest.importorskip("torch")
nn = torch.nn
networks = pytest.importorskip("torch_networks")
NETWORKS, network = networks.NETWORKS, networks.network
torch.set_num_threads(1)   # these networks are so small that threads would only wait for each other
SHAPE = (2, 3, 13, 18)


@pytest.fixture(autouse=True)
def seeded():
    """Modules that are made here draw the same weights whatever ran before."""
    torch.manual_seed(0)


def images(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


def run(module, x):
    with torch.no_grad():
        return module(x).numpy()


def close(got, wanted):
    """Up to 1000 eps of the largest, 2e-13 in float64: sums of at most 90 products, through some ten such layers."""
    assert (got.dtype, got.shape) == (wanted.dtype, wanted.shape)
    assert np.abs(got - wanted).max() <= 1000 * np.finfo(wanted.dtype).eps * np.abs(wanted).max()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_gives_what_torch_gives(name, dtype):
    module, x = network(name).to(dtype), images(*SHAPE).to(dtype)
    ours = from_torch(module, x)
    assert ours.number is {torch.float64: np.float64, torch.float32: np.float32}[dtype]
    close(ours(x.numpy()), run(module, x))
    more = images(5, *SHAPE[1:], seed=1).to(dtype)   # the batch is free
    close(ours(more.numpy()), run(module, more))


@pytest.mark.parametrize("name", NETWORKS)
def test_its_relevance_is_accounted_for(name):
    ours, x = from_torch(network(name), images(*SHAPE)), images(1, *SHAPE[1:], seed=2).numpy()
    e = explain(ours, x, epsilon_plus(ours), target=np.array([1]))
    total = e.ledger.total()
    parts = sum(total[part][0] for part in ("handed", "bias", "stabiliser", "dead"))
    size = sum(abs(np.asarray(relevance)).sum() for relevance in e.relevances.values())
    # a rounding of float64, 2^-53, for each of some hundred additions, of which the terms are these relevances
    assert abs(total["received"][0] - parts) <= 1000 * 2.0**-53 * size
    assert np.abs(e.relevance).max() > 0


@pytest.mark.parametrize("name", NETWORKS)
def test_it_comes_back_from_its_file(tmp_path, name):
    ours = from_torch(network(name), images(*SHAPE))
    save_model(Model(ours, [], GREY), tmp_path / "model.npz")
    assert_same_network(load_model(tmp_path / "model.npz").chain, ours)


# Where branches meet: the layers that read more than one tensor, and which.
MEET = {
    "resnet_basic": {"layer1.0.plus.add": ("layer1.0.bn2", "maxpool"),
                     "layer1.1.plus.add": ("layer1.1.bn2", "layer1.1.downsample.1")},
    "mobilenet_v3": {"1.gate.times.mul": ("1.deep.2", "1.gate.sigmoid"),
                     "2.gate.times.mul": ("2.deep.2", "2.gate.sigmoid"), "2.plus.add": ("2.narrow.1", "1.narrow.1")},
    "densenet": {"block.layer2.cat": ("conv0", "block.layer1.conv2"),
                 "block.layer3.cat": ("conv0", "block.layer1.conv2", "block.layer2.conv2"),
                 "cat": ("conv0", "block.layer1.conv2", "block.layer2.conv2", "block.layer3.conv2")},
    "shufflenet_v2": {"stage.0.cat": ("stage.0.branch1.4", "stage.0.branch2.7"),
                      "stage.1.cat": ("stage.1.chunk.0", "stage.1.branch2.7")},
    "inception": {"cat": ("branch1.2", "branch2.2.2", "branch3.1.2", "branch4.1.2")},
    "squeezenet": {"features.3.cat": ("features.3.act1", "features.3.act3"),
                   "features.4.cat": ("features.4.act1", "features.4.act3")},
    "unet": {"cat": ("down1.2", "pad")},
}


@pytest.mark.parametrize("name", MEET)
def test_branches_meet_where_they_do_in_torch(name):
    ours = from_torch(network(name), images(*SHAPE))
    assert {one: reads for one, reads in ours.reads.items() if len(reads) > 1} == MEET[name]
    kinds = {Add: "add", Multiply: "mul", Concat: "cat"}
    assert all(kinds[type(ours[one])] == one.rpartition(".")[2] for one in MEET[name])


def test_names_are_torchs_paths_so_that_torchs_weights_are_found_by_them():
    module = network("resnet_bottleneck")
    ours = from_torch(module, images(*SHAPE))
    for name, layer in ours:
        if isinstance(layer, Conv2D):
            assert layer.weight.tolist() == module.get_submodule(name).weight.tolist()
    assert ours.names[:5] == ("stem.0", "stem.1", "stem.2", "maxpool", "layer1.0.conv1.0")
    assert ours.names[-4:] == ("layer1.2.relu", "avgpool", "flatten", "fc")
    assert receptive_field(ours, "maxpool").size == (5, 4)   # 3 x 2, then 3 x 3


@pytest.mark.parametrize("name", ["resnet_basic", "resnet_bottleneck", "mobilenet_v2", "mobilenet_v3", "shufflenet_v2",
                                  "inception", "unet"])
def test_its_batch_norms_merge_into_its_convolutions(name):
    ours, x = from_torch(network(name), images(*SHAPE)), images(*SHAPE).numpy()
    merged = merge_batchnorm(ours)
    assert len(merged) < len(ours)
    close(merged(x), ours(x))


# ---- What the proof finds ----


class Changed(nn.Module):
    """A network whose parts are as they seem, and whose forward does `change` to what a part makes."""

    def __init__(self, change, first=None):
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3) if first is None else first
        self.second = nn.Conv2d(4, 2, 3)
        self.change = change

    def forward(self, x):
        return self.second(self.change(self.first(x)))


def refusal(module, x):
    with pytest.raises(ValueError) as caught:
        from_torch(module.eval() if module.training else module, x)
    text = str(caught.value)
    assert "\n" not in text and len(text) <= 500
    return text


def test_a_layer_that_gives_other_numbers_is_named_with_the_size(monkeypatch):
    from lrp_ref.convert import torch_table

    monkeypatch.setitem(torch_table.TORCH, "relu", lambda x: x.then(Slice(1, None, None, -1)).then(ReLU(), "turned"))
    module = Changed(torch.relu).double()
    assert refusal(module, images(*SHAPE)).startswith("from_torch: relu.turned, a ReLU, gives other numbers than torch "
                                                      "on the example, by ")


def test_the_first_layer_that_differs_is_named_though_all_above_it_differ_too(monkeypatch):
    from lrp_ref.convert import torch_table

    monkeypatch.setitem(torch_table.TORCH, "tanh", lambda x: x.then(ReLU()))
    module = nn.Sequential(nn.Conv2d(3, 4, 3), Changed(torch.tanh, nn.ReLU()), nn.ReLU()).double()
    assert "1.tanh, a ReLU, gives other numbers" in refusal(module, images(*SHAPE))


def test_a_part_of_a_tensor_that_is_changed_in_place_is_not_taken_for_the_whole():
    def change(x):
        x[:, 0].relu_()
        return x

    assert refusal(Changed(change).double(), images(*SHAPE)).startswith(
        "from_torch: second, a Conv2D, gives other numbers than torch on the example")


def test_rounding_that_later_layers_enlarge_is_not_laid_to_them(monkeypatch):
    """Sums around 1e6 are off by some 0.06 in float32; without the 1e6 that is much, but no layer is wrong.

    The last place is rounded up, as some machine may: on some, torch and NumPy round these sums alike.
    """
    rounded = Conv2D.__call__
    monkeypatch.setattr(Conv2D, "__call__", lambda layer, x: np.nextafter(rounded(layer, x), x.dtype.type(np.inf)))
    module = Changed(lambda x: x - 1e6)
    with torch.no_grad():
        module.first.bias.fill_(1e6)
    assert refusal(module, images(*SHAPE)).startswith("from_torch: the network gives other numbers than tor")
    assert "do large numbers cancel? Then take module.double()" in refusal(module, images(*SHAPE))
    from_torch(module.double(), images(*SHAPE))


def test_what_is_random_is_refused():
    module = Changed(lambda x: x + torch.rand(1)).double()
    assert "or something random? Take it out" in refusal(module, images(*SHAPE))
    module = Changed(lambda x: nn.functional.dropout(x)).double()
    assert "dropout in forward: training=True, which drops at random" in refusal(module, images(*SHAPE))


def test_a_batch_that_is_written_out_is_refused_by_another_batch():
    """Two images side by side as one of twice the channels, and back: on another batch that is something else."""
    module = Changed(lambda x: x[:1] + 0 * x)
    assert "takes some images of the batch" in refusal(module.double(), images(*SHAPE))
    module = Changed(lambda x: x if x.shape[0] == 2 else 2 * x)   # seen by the batch of three
    assert "the network gives other numbers than torch on random numbers of shape (3, 3, 13, 18)" in refusal(
        module.double(), images(*SHAPE))


def test_what_an_example_hides_random_inputs_find():
    class Hook(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)

        def forward(self, x):
            return self.conv(x)

        def __call__(self, x):
            return super().__call__(x) * (1 if x.abs().max() == 0 else 2)

    assert "the network gives other numbers than torch on random numbers" in refusal(Hook().double(),
                                                                                     torch.zeros(SHAPE).double())


# ---- What is refused ----

PRE, POST = "register_forward_pre_hook", "register_forward_hook"


def hooked(register, where="layer1.0", hook=lambda *given: None):
    module = network("resnet_basic")
    getattr(module.get_submodule(where), register)(hook)
    return module


def replaced(where="layer1.0"):
    module = network("resnet_basic")
    part = module.get_submodule(where)
    forward = part.forward
    part.forward = lambda x: 2 * forward(x)
    return module


def with_part(make):
    return Changed(lambda x: x, nn.Sequential(nn.Conv2d(3, 4, 3), make())).double()


def with_call(change):
    return Changed(change).double()


class Two(nn.Module):
    def forward(self, x):
        return x, 2 * x


class Named(nn.Module):
    def forward(self, x):
        return {"out": x, "aux": 2 * x}


class Pair(nn.Module):
    def forward(self, left, right):
        return left + right


def by_the_image(x):
    return x if x.sum() > 0 else -x


REFUSED = {
    "training": (lambda: Training(), "got second in training mode: call network.eval() first"),
    "a hook on a block": (lambda: hooked(POST), "got layer1.0, a torch_networks.Basic, with the hook <lambda>"),
    "a hook on the whole": (lambda: hooked(PRE, ""), "got the network, a torch_networks.ResNet, with the hook"),
    "a forward replaced": (lambda: replaced(), "got layer1.0, a torch_networks.Basic, whose forward was replaced"),
    "weight_norm": (lambda: with_part(lambda: nn.utils.parametrizations.weight_norm(nn.Conv2d(4, 4, 1))),
                    "got first.1, a "),
    "bfloat16": (lambda: network("squeezenet").bfloat16(),
                 "got features.0.weight of torch.bfloat16 on cpu, needed float32 or float64 numbers: use network.flo"),
    "no values": (lambda: network("squeezenet").to("meta"), "got features.0.weight of torch.float64 on meta"),
    "instance norm": (lambda: with_part(lambda: nn.InstanceNorm2d(4)), "got first.1, a InstanceNorm2d, for which"),
    "group norm": (lambda: with_part(lambda: nn.GroupNorm(2, 4)), "got first.1, a GroupNorm, for which there is no la"),
    "F.group_norm": (lambda: with_call(lambda x: nn.functional.group_norm(x, 2)), "got group_norm in forward, for whi"),
    "softmax": (lambda: nn.Sequential(network("resnet_basic"), nn.Softmax(1)),
                "a network that ends in a softmax: at the end of a network leave it out, relevance starts at the"),
    "batch statistics": (lambda: with_call(lambda x: nn.functional.batch_norm(
        x, torch.zeros(4).double(), torch.ones(4).double(), training=True)), "batch_norm in forward: training=True"),
    "the image decides": (lambda: with_call(by_the_image), "of test_torch_networks.py, return x if x.sum() > 0 els"),
    "the image as a number": (lambda: with_call(lambda x: x * float(x.sum())), "the image decides, which is another"),
    "NumPy": (lambda: with_call(lambda x: torch.from_numpy(x.numpy())), "compute with torch's functions alone"),
    "two outputs": (Two, "gives 2 of them, needed one tensor: which one is to be explained?"),
    "outputs by name": (Named, "gives 2 of them (out, aux), needed one tensor"),
    "two inputs": (Pair, "takes left, right, needed one that takes one tensor"),
    "the batch moves": (lambda: with_call(lambda x: (x[:, :2] + x[:, 2:].transpose(0, 1)).repeat(1, 2, 1, 1)),
                        "puts together tensors that have the batch in different places"),
    "the batch summed": (lambda: with_call(lambda x: x + x.mean()), "mean in forward: sums over the whole batch"),
    "a tensor spread": (lambda: with_call(lambda x: (x + x[:, None])[:, 0]), "and only axes of one image are repeated"),
    "another number type": (lambda: with_call(lambda x: x.float().double()), "float in forward: makes float32 of fl"),
    "a quotient": (lambda: with_call(lambda x: x / x.mean((2, 3), True)), "truediv in forward: divides by a tensor"),
    "an index array": (lambda: with_call(lambda x: x[:, [0, 2, 1, 3]]), "an index that is no number and no slice"),
    "mirrored padding": (lambda: with_call(lambda x: nn.functional.pad(x, (1, 1, 2, 1), "reflect")), "mode='reflect',"),
    "nothing left": (nn.Identity, "got a network without layers"),
    "no input": (lambda: with_call(torch.zeros_like), "whose output is not made of its input"),
    "itself": (lambda: holds_itself(), "got again, a torch_networks.ResNet that holds itself"),
    "compiled": (lambda: torch.compile(network("squeezenet")), "a wrapping around another module: give module._orig_m"),
    "in parallel": (lambda: nn.DataParallel(network("squeezenet")), "DataParallel, a wrapping around another module"),
}


class Training(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.ReLU(), nn.Dropout()

    def eval(self):
        super().eval()
        self.second.train()
        return self

    def forward(self, x):
        return self.second(self.first(x))


def holds_itself():
    module = network("resnet_basic")
    module.add_module("again", module)
    return module


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_converted_is_refused_by_name_with_the_cure(case):
    make, wanted = REFUSED[case]
    assert wanted in refusal(make(), images(*SHAPE))


@pytest.mark.parametrize(("example", "wanted"), [
    ("cat", "got the example 'cat', needed a batch such as the module takes"),
    (torch.zeros(3), "got an example of shape (3,), needed a batch"),
    (torch.zeros(2, 4, 13, 18), "does not take the example of shape (2, 4, 13, 18): Given groups=1, weight of size"),
], ids=["a word", "no batch", "another number of channels"])
def test_an_example_that_the_module_does_not_take_is_refused(example, wanted):
    assert wanted in refusal(network("squeezenet"), example)


@pytest.mark.parametrize("name", NETWORKS)
def test_without_an_example_a_module_with_a_forward_of_its_own_is_refused(name):
    with pytest.raises(ValueError, match=r"which may do anything: give an example, from_torch\(module, example\)"):
        from_torch(network(name))


def test_the_default_rules_take_every_layer_of_every_network():
    for name in NETWORKS:
        ours = from_torch(network(name), images(*SHAPE))
        assert list(assign(ours)) == list(ours.names)
