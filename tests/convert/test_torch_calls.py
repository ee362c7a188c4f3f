"""Calls of functions and methods: what each becomes, one by one, and that it gives what torch gives."""

import math

import numpy as np
import pytest

from lrp_ref import (
    Add,
    Concat,
    Conv2D,
    Flatten,
    Linear,
    MaxPool,
    Multiply,
    ReLU,
    Tanh,
    explain,
)
from lrp_ref.convert import from_torch
from lrp_ref.layers import (
    ELU,
    GELU,
    AdaptiveAvgPool,
    AvgPool,
    BatchNorm,
    Clip,
    ConvTranspose2D,
    Hardsigmoid,
    Hardswish,
    LeakyReLU,
    Mean,
    Pad,
    Reshape,
    RMSNorm,
    Scale,
    Sigmoid,
    SiLU,
    Slice,
    Sum,
    Transpose,
    Upsample,
)

torch = pytest.importorskip("torch")
nn = torch.nn
F = nn.functional
torch.set_num_threads(1)   # these networks are so small that threads would only wait for each other
IMAGE, ROW, FLAT = (2, 4, 6, 9), (2, 4, 7), (3, 8)


@pytest.fixture(autouse=True)
def seeded():
    """Modules that are made here draw the same weights whatever ran before."""
    torch.manual_seed(0)


def drawn(*shape):
    return torch.from_numpy(np.random.default_rng(3).normal(size=shape))


class Calls(nn.Module):
    """What a function does, with constants of every shape that one may need as buffers, and a parameter."""

    def __init__(self, function):
        super().__init__()
        self.function, self.act = function, nn.ReLU()
        self.gain = nn.Parameter(drawn(4, 1, 1))
        self.register_buffer("flag", torch.tensor(1))
        for name, shape in {"where": (1, 4, 6, 9), "w": (5, 4, 3, 2), "b": (5,), "c": (4,), "d": (3, 8)}.items():
            self.register_buffer(name, drawn(*shape))

    def forward(self, x):
        return self.function(self, x)


CALLS = {
    # ---- one formula for every unit: by function, by method, by module ----
    "F.relu": (lambda m, x: F.relu(x), IMAGE, [ReLU]),
    "relu in place": (lambda m, x: F.relu(x, inplace=True), IMAGE, [ReLU]),
    "torch.relu": (lambda m, x: torch.relu(x), IMAGE, [ReLU]),
    "x.relu": (lambda m, x: x.relu(), IMAGE, [ReLU]),
    "input=": (lambda m, x: F.relu(input=x), IMAGE, [ReLU]),
    "relu6": (lambda m, x: F.relu6(x), IMAGE, [Clip]),
    "hardtanh": (lambda m, x: F.hardtanh(x, -0.5, 0.25), IMAGE, [Clip]),
    "clamp": (lambda m, x: torch.clamp(x, min=-0.5, max=0.25), IMAGE, [Clip]),
    "clamp, a minimum": (lambda m, x: x.clamp(min=-0.5), IMAGE, [Clip]),
    "clamp_max": (lambda m, x: x.clamp_max(0.25), IMAGE, [Clip]),
    "leaky_relu": (lambda m, x: F.leaky_relu(x, 0.25), IMAGE, [LeakyReLU]),
    "prelu": (lambda m, x: F.prelu(x, m.gain.reshape(4)), IMAGE, [LeakyReLU]),
    "elu": (lambda m, x: F.elu(x, 0.5), IMAGE, [ELU]),
    "gelu": (lambda m, x: F.gelu(x), IMAGE, [GELU]),
    "gelu by tanh": (lambda m, x: F.gelu(x, approximate="tanh"), IMAGE, [GELU]),
    "silu": (lambda m, x: F.silu(x), IMAGE, [SiLU]),
    "hardswish": (lambda m, x: F.hardswish(x), IMAGE, [Hardswish]),
    "hardsigmoid": (lambda m, x: F.hardsigmoid(x), IMAGE, [Hardsigmoid]),
    "sigmoid": (lambda m, x: x.sigmoid(), IMAGE, [Sigmoid]),
    "tanh": (lambda m, x: torch.tanh(x), IMAGE, [Tanh]),
    # ---- with weights ----
    "conv2d": (lambda m, x: F.conv2d(x, m.w, m.b, (2, 1), (1, 0)), IMAGE, [Conv2D]),
    "conv2d of a weight computed from weights": (lambda m, x: F.conv2d(x, m.w - m.w.mean(), padding="same"), IMAGE,
                                                 [Conv2D]),
    "conv1d": (lambda m, x: F.conv1d(x, m.w[:, :, 0], m.b, 2, 1), ROW, [Reshape, Conv2D, Reshape]),
    "conv_transpose2d": (lambda m, x: F.conv_transpose2d(x, m.w.transpose(0, 1), m.b, 2, (1, 0), 1), IMAGE,
                         [ConvTranspose2D]),
    "linear": (lambda m, x: F.linear(x, m.d), FLAT, [Linear]),
    "x @ weight": (lambda m, x: x @ m.d.t() + m.d[:, 0], FLAT, [Linear, Scale]),
    "batch_norm": (lambda m, x: F.batch_norm(x, m.c, m.c**2, m.c, -m.c, eps=0.5), IMAGE,
                   [BatchNorm]),
    "batch norm, frozen": (lambda m, x: x * (m.gain * (m.gain**2 + 0.5).rsqrt()) + m.gain, IMAGE, [Scale, Scale]),
    # ---- windows ----
    "max_pool2d": (lambda m, x: F.max_pool2d(x, 3, 2, 1, ceil_mode=True), IMAGE, [MaxPool]),
    "max_pool2d, its own stride": (lambda m, x: F.max_pool2d(x, (2, 3)), IMAGE, [MaxPool]),
    "max_pool1d": (lambda m, x: F.max_pool1d(x, 3, 2, 1), ROW, [Reshape, MaxPool, Reshape]),
    "avg_pool2d": (lambda m, x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False), IMAGE, [AvgPool]),
    "avg_pool2d of all": (lambda m, x: F.avg_pool2d(x, x.shape[2:]), IMAGE, [AvgPool]),
    "avg_pool2d of all rows": (lambda m, x: F.avg_pool2d(x, (x.size(2), 1)), IMAGE, [AvgPool]),
    "avg_pool1d": (lambda m, x: F.avg_pool1d(x, 2), ROW, [Reshape, AvgPool, Reshape]),
    "adaptive_avg_pool2d": (lambda m, x: F.adaptive_avg_pool2d(x, (2, None)), IMAGE, [AdaptiveAvgPool]),
    "adaptive_avg_pool1d": (lambda m, x: F.adaptive_avg_pool1d(x, 3), ROW, [Reshape, AdaptiveAvgPool, Reshape]),
    "adaptive_max_pool2d": (lambda m, x: F.adaptive_max_pool2d(x, (2, 3)), IMAGE, [MaxPool]),
    "interpolate": (lambda m, x: F.interpolate(x, scale_factor=(2, 3)), IMAGE, [Upsample]),
    "interpolate to a size": (lambda m, x: F.interpolate(x, size=(12, 27), mode="nearest"), IMAGE, [Upsample]),
    "pad": (lambda m, x: F.pad(x, (1, 2, 0, 3), value=-0.5), IMAGE, [Pad]),
    "pad channels": (lambda m, x: F.pad(x, (0, 0, 0, 0, 1, 2)), IMAGE, [Pad]),
    # ---- sums and products ----
    "x + x": (lambda m, x: x.tanh() + x, IMAGE, [Tanh, Add]),
    "+=": (lambda m, x: minus_itself(x), IMAGE, [Tanh, Add]),
    "torch.add, alpha": (lambda m, x: torch.add(x.tanh(), x, alpha=-0.5), IMAGE, [Tanh, Add]),
    "x - y": (lambda m, x: x.tanh() - x, IMAGE, [Tanh, Add]),
    "x + a spread one": (lambda m, x: x + x.mean((2, 3), keepdim=True), IMAGE, [Mean, Upsample, Add]),
    "embedding of positions": (lambda m, x: x + m.where, IMAGE, [Scale]),
    "1 - x": (lambda m, x: 1 - x, IMAGE, [Scale]),
    "x - constant, alpha": (lambda m, x: torch.sub(x, m.gain, alpha=2), IMAGE, [Scale]),
    "-x": (lambda m, x: -x, IMAGE, [Scale]),
    "parameter * x": (lambda m, x: m.gain * x, IMAGE, [Scale]),
    "x / number": (lambda m, x: (x - 0.5) / 0.25, IMAGE, [Scale, Scale]),
    "of a size": (lambda m, x: x / math.sqrt(x.size(1)) + x.shape[-1], IMAGE, [Scale, Scale]),
    "zeros_like": (lambda m, x: x + torch.ones_like(x), IMAGE, [Scale]),
    "expanded to the batch": (lambda m, x: x * m.where.expand(x.shape[0], -1, -1, -1), IMAGE, [Scale]),
    "a norm written out": (lambda m, x: x * torch.rsqrt((x**2).mean(-1, keepdim=True) + 0.5), IMAGE, [RMSNorm]),
    "a norm written out, with its scale": (
        lambda m, x: torch.arange(1.0, 8.0).to(x.dtype) * (x.pow(2).mean(2, True).rsqrt() * x), ROW, [RMSNorm]),
    "a table of the size": (lambda m, x: x + torch.arange(x.shape[-1] * 2)[: x.shape[-1]] / 4, IMAGE, [Scale]),
    "as many copies along an axis": (lambda m, x: x[:, :, None].expand(-1, -1, 3, -1, -1), IMAGE,
                                     [Reshape, Reshape, Upsample, Reshape]),
    "x * gate": (lambda m, x: x * x.mean((2, 3), keepdim=True).sigmoid(), IMAGE, [Mean, Sigmoid, Multiply]),
    "x * x": (lambda m, x: x.tanh() * x, IMAGE, [Tanh, Multiply]),
    "x squared": (lambda m, x: x**2, IMAGE, [Multiply]),
    "mean": (lambda m, x: x.mean(-1), IMAGE, [Mean]),
    "sum": (lambda m, x: torch.sum(x, dim=(1, 3), keepdim=True), IMAGE, [Sum]),
    # ---- other shapes ----
    "flatten": (lambda m, x: torch.flatten(x, 1), IMAGE, [Flatten]),
    "flatten pixels": (lambda m, x: x.flatten(2), IMAGE, [Reshape]),
    "view": (lambda m, x: x.view(x.size(0), -1), IMAGE, [Flatten]),
    "view by the shape": (lambda m, x: x.view(x.shape[0], x.shape[1] // 2, 2, -1), IMAGE, [Reshape]),
    "reshape": (lambda m, x: x.reshape((-1, 8, 27)), IMAGE, [Reshape]),
    "squeeze": (lambda m, x: x.mean((2, 3), keepdim=True).squeeze(3).squeeze(), IMAGE, [Mean, Reshape, Flatten]),
    "unsqueeze": (lambda m, x: x.unsqueeze(1), IMAGE, [Reshape]),
    "unflatten": (lambda m, x: x.unflatten(1, (2, 2)), IMAGE, [Reshape]),
    "permute": (lambda m, x: x.permute(0, 2, -1, 1), IMAGE, [Transpose]),
    "permute, a tuple": (lambda m, x: torch.permute(x, (0, 3, 1, 2)), IMAGE, [Transpose]),
    "transpose": (lambda m, x: x.transpose(-1, 1), IMAGE, [Transpose]),
    ".mT": (lambda m, x: x.mT, IMAGE, [Transpose]),
    "cat": (lambda m, x: torch.cat([x, x.tanh()], dim=1), IMAGE, [Tanh, Concat]),
    "cat rows": (lambda m, x: torch.cat((x, x.tanh()), -2), IMAGE, [Tanh, Transpose, Transpose, Concat, Transpose]),
    "sum of a list": (lambda m, x: sum([x.tanh(), x]), IMAGE, [Tanh, Add]),
    "a class token": (lambda m, x: torch.cat([m.where[:, :1].expand(x.shape[0], -1, -1, -1), x.tanh()], 1), IMAGE,
                      [Tanh, Pad, Scale]),
    "constants around": (lambda m, x: torch.cat([m.where[..., :2].expand(len(x), 4, 6, 2), x.tanh(),
                                                 m.where.expand(x.size(0), -1, -1, -1), x], -1), IMAGE,
                         [Tanh, Pad, Scale, Pad, Scale, Transpose, Transpose, Concat, Transpose]),
    "stack": (lambda m, x: torch.stack([x, x.tanh()], 1), IMAGE, [Tanh, Reshape, Reshape, Concat]),
    "stack and sum": (lambda m, x: torch.stack([x, x.tanh()], -1).sum(-1), ROW,
                      [Tanh, Add]),
    "chunk": (lambda m, x: torch.cat(x.chunk(3, dim=3)[::-1], 1), IMAGE, [Slice, Slice, Slice, Concat]),
    "split": (lambda m, x: torch.split(x, [1, 3], dim=1)[1], IMAGE, [Slice]),
    "split evenly": (lambda m, x: x.split(2, dim=1)[0], IMAGE, [Slice]),
    "unbind": (lambda m, x: x.unbind(1)[2], IMAGE, [Slice, Reshape]),
    "slices": (lambda m, x: x[:, 1:3, ::2, 4:], IMAGE, [Slice, Slice, Slice]),
    "a number": (lambda m, x: x[:, :, -1], IMAGE, [Slice, Reshape]),
    "the last of all": (lambda m, x: x[..., 0], IMAGE, [Slice, Reshape]),
    "a new axis": (lambda m, x: x[:, 2, None], IMAGE, [Slice]),
    "new axes": (lambda m, x: x[:, None, :, 2, None], IMAGE, [Slice, Reshape]),
    "channel_shuffle": (lambda m, x: F.channel_shuffle(x, 2), IMAGE, [Reshape, Transpose, Reshape]),
    "pixel_shuffle": (lambda m, x: F.pixel_shuffle(x, 2), IMAGE, [Reshape, Transpose, Reshape]),
    # ---- nothing ----
    "dropout": (lambda m, x: F.dropout(x.tanh(), training=m.training), IMAGE, [Tanh]),
    "contiguous, clone, to": (lambda m, x: x.tanh().contiguous().clone().to(x.device), IMAGE, [Tanh]),
    "what nobody reads": (lambda m, x: (x.sigmoid(), x.tanh())[1], IMAGE, [Tanh]),
    "decided by sizes": (lambda m, x: x.tanh() if x.shape[1] == len(x.shape) == x.ndim else -x, IMAGE, [Tanh]),
    "as many as there are sizes": (lambda m, x: torch.cat([x[:, n : n + 1] for n in range(x.shape[1] - 2)], 1), IMAGE,
                                   [Slice, Slice, Concat]),
    "decided by a buffer": (lambda m, x: x.tanh() if m.flag and m.gain.shape[0] == m.flag + 3 else -x, IMAGE, [Tanh]),
    "all of a list": (lambda m, x: torch.cat([part.tanh() for part in m.act(x).chunk(2, 1)], 1), IMAGE,
                      [ReLU, Slice, Slice, Tanh, Tanh, Concat]),
    "sizes behind a module": (lambda m, x: x.tanh() if m.act(x).shape[1] == 4 else -x, IMAGE, [Tanh]),
    "an assertion": (lambda m, x: (torch._assert(x.shape[1] == 4, "channels"), x.tanh())[1], IMAGE, [Tanh]),
}


def minus_itself(x):
    y = x.tanh()
    y += x
    return y


def run(module, x):
    with torch.no_grad():
        return module(x.clone()).numpy()


def close(got, wanted):
    """Equal but for rounding: a sum of n products is off by at most n eps of their sizes, and n is below 100 here."""
    assert (got.dtype, got.shape) == (wanted.dtype, wanted.shape)
    assert np.abs(got - wanted).max() <= 100 * np.finfo(wanted.dtype).eps * np.abs(wanted).max()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("case", CALLS)
def test_a_call_gives_what_torch_gives(case, dtype):
    function, shape, kinds = CALLS[case]
    module, x = Calls(function).to(dtype).eval(), drawn(*shape).to(dtype)
    network = from_torch(module, x)
    assert [type(layer) for _, layer in network] == kinds
    more = drawn(shape[0] + 2, *shape[1:]).to(dtype)
    close(network(more.numpy()), run(module, more))


MODULES = {
    "Conv1d": (lambda: nn.Conv1d(4, 5, 3, 2, 1, groups=1), ROW),
    "Conv2d, same, even": (lambda: nn.Conv2d(4, 3, (2, 4), dilation=(3, 1), padding="same"), IMAGE),
    "Conv1d, same": (lambda: nn.Conv1d(4, 6, 4, padding="same", groups=2, bias=False), ROW),
    "BatchNorm1d, rows": (lambda: nn.BatchNorm1d(4), ROW),
    "ConvTranspose2d": (lambda: nn.ConvTranspose2d(4, 6, (3, 2), (2, 3), (1, 0), (1, 2), 2, dilation=(1, 2)), IMAGE),
    "MaxPool1d": (lambda: nn.MaxPool1d(3, 2, 1, ceil_mode=True), ROW),
    "AvgPool1d": (lambda: nn.AvgPool1d(3, 2, 1, count_include_pad=False), ROW),
    "AdaptiveAvgPool1d": (lambda: nn.AdaptiveAvgPool1d(3), ROW),
    "AdaptiveAvgPool2d": (lambda: nn.AdaptiveAvgPool2d((None, 2)), IMAGE),
    "AdaptiveMaxPool2d": (lambda: nn.AdaptiveMaxPool2d((3, 1)), IMAGE),
    "ReLU6": (lambda: nn.ReLU6(inplace=True), IMAGE), "Hardtanh": (lambda: nn.Hardtanh(-0.25, 0.5), IMAGE),
    "LeakyReLU": (lambda: nn.LeakyReLU(0.25), IMAGE), "PReLU": (lambda: nn.PReLU(4), IMAGE),
    "PReLU, one slope": (lambda: nn.PReLU(), IMAGE), "ELU": (lambda: nn.ELU(0.5), IMAGE),
    "GELU": (lambda: nn.GELU("tanh"), IMAGE), "SiLU": (lambda: nn.SiLU(), IMAGE), "Sigmoid": (nn.Sigmoid, IMAGE),
    "Hardswish": (nn.Hardswish, IMAGE), "Hardsigmoid": (nn.Hardsigmoid, IMAGE),
    "Upsample": (lambda: nn.Upsample(scale_factor=2), IMAGE),
    "Upsample to a size": (lambda: nn.Upsample((12, 18)), IMAGE),
    "Flatten, a part": (lambda: nn.Flatten(2), IMAGE), "Unflatten": (lambda: nn.Unflatten(1, (2, 2)), IMAGE),
    "ZeroPad2d": (lambda: nn.ZeroPad2d((1, 0, 2, 3)), IMAGE),
    "ConstantPad2d": (lambda: nn.ConstantPad2d(1, -0.5), IMAGE),
    "ChannelShuffle": (lambda: nn.ChannelShuffle(2), IMAGE), "PixelShuffle": (lambda: nn.PixelShuffle(2), IMAGE),
}


@pytest.mark.parametrize("case", MODULES)
def test_a_module_gives_what_torch_gives(case):
    make, shape = MODULES[case]
    module, x = nn.Sequential(make()).double().eval(), drawn(*shape)
    network = from_torch(module, x)
    assert "0" in network.names
    close(network(x.numpy()), run(module, x))


# ---- Names ----


class Named(nn.Module):
    def __init__(self):
        super().__init__()
        self.input, self.act = nn.Conv2d(4, 3, 1), nn.ReLU()
        self.inner = Calls(lambda m, x: F.relu(x + 1) + F.relu(x) + m.gain[:3])

    def forward(self, x):
        return torch.flatten(self.inner(self.act(self.act(self.input(x)))), 1)


def test_names_are_the_paths_of_modules_and_what_is_called_in_them():
    network = from_torch(Named().double().eval(), drawn(*IMAGE))
    assert network.names == ("input_1", "act", "act_1", "inner.add", "inner.relu", "inner.relu_1", "inner.add_1",
                             "inner.add_2", "flatten")


def test_layers_that_one_call_becomes_are_named_after_it_and_its_weights_have_the_name_alone():
    network = from_torch(nn.Sequential(nn.Conv1d(4, 5, 3)).double().eval(), drawn(*ROW))
    assert network.names == ("0.as_image", "0", "0.as_row")


# ---- What torch means ----


class Refilled(nn.Module):
    """ReLU in place: who reads what it was given reads what it made."""

    def __init__(self, inplace):
        super().__init__()
        self.conv, self.relu = nn.Conv2d(4, 4, 1), nn.ReLU(inplace)

    def forward(self, x):
        x = self.conv(x)
        return self.relu(x) + x


def test_a_change_in_place_is_seen_by_those_who_read_later():
    for inplace, reads in ((True, ("relu", "relu")), (False, ("relu", "conv"))):
        module, x = Refilled(inplace).double().eval(), drawn(*IMAGE)
        network = from_torch(module, x)
        assert network.reads["add"] == reads
        close(network(x.numpy()), run(module, x))


def test_what_dropout_hands_on_is_the_same_tensor():
    def function(m, x):
        y = x.tanh()
        z = F.dropout(y, training=False)
        return z.relu_() + y

    module, x = Calls(function).eval(), drawn(*IMAGE)
    network = from_torch(module, x)
    assert network.reads["add"] == ("relu", "relu")
    close(network(x.numpy()), run(module, x))


def test_the_gate_of_a_product_is_its_second_factor():
    """Whoever gives relevance to the other alone, Multiply((1, 0)), then need not look at the order."""
    for function in (lambda m, x: x.mean((2, 3), True).sigmoid() * x, lambda m, x: x * x.mean((2, 3), True).sigmoid(),
                     lambda m, x: F.hardsigmoid(x) * x):
        network = from_torch(Calls(function).eval(), drawn(*IMAGE))
        assert network.reads["mul"][0] == "input"


def test_the_batch_may_have_another_size_than_the_examples():
    module = Calls(lambda m, x: x.view(x.size(0), 2, -1).transpose(1, 2).reshape(x.size(0), -1)).eval()
    network = from_torch(module, drawn(1, *IMAGE[1:]))
    x = drawn(5, *IMAGE[1:])
    assert network(x.numpy()).tolist() == run(module, x).tolist()


def test_arguments_that_have_a_default_keep_it():
    class Masked(nn.Module):
        def forward(self, x, mask=None, scale=2.0):
            return (x if mask is None else x * mask) * scale

    network = from_torch(Masked().eval(), drawn(*IMAGE))
    assert [type(layer) for _, layer in network] == [Scale]
    assert network["mul"].scale.tolist() == 2


def test_an_example_may_be_an_array_and_of_another_number_type():
    module = Calls(lambda m, x: F.relu(x) + m.gain).float().eval()
    for example in (np.zeros(IMAGE), drawn(*IMAGE), np.zeros(IMAGE, int)):
        assert from_torch(module, example).number is np.float32


def test_the_module_is_left_as_it_was():
    module, x = Calls(lambda m, x: x + drawn(4, 1, 1)).eval(), drawn(*IMAGE)
    before = set(vars(module)), set(module._buffers), {name: t.clone() for name, t in module.state_dict().items()}
    state = torch.get_rng_state()
    from_torch(module, x)
    assert (set(vars(module)), set(module._buffers)) == before[:2]
    assert all((tensor == before[2][name]).all() for name, tensor in module.state_dict().items())
    assert (torch.get_rng_state() == state).all()


def test_training_it_further_does_not_touch_the_network():
    module, x = Calls(lambda m, x: m.gain * x + m.where).eval(), drawn(*IMAGE)
    network = from_torch(module, x)
    before = network(x.numpy())
    with torch.no_grad():
        module.gain.fill_(7)
        module.where.fill_(7)
    assert (network(x.numpy()) == before).all()


def test_a_skip_is_read_twice_and_has_the_relevance_of_both():
    """x + 2 x at x = 3: R = 9 reaches x as 3 and 6."""
    network = from_torch(Calls(lambda m, x: x + 2 * x).eval(), drawn(1, 1))
    assert explain(network, np.array([[3.0]]), target=np.array([[9.0]])).relevance.tolist() == [[9.0]]
