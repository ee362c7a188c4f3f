"""Torch's transformers: the same outputs, layers with names, masks that leave scores out, and refusals."""

from collections import OrderedDict

import numpy as np
import pytest

from lrp_ref import (
    ClassToken,
    Embedding,
    Epsilon,
    LayerNorm,
    MatMul,
    RMSNorm,
    Softmax,
    Tanh,
    attnlrp,
    explain,
)
from lrp_ref.convert import from_torch, torch_layers

torch = pytest.importorskip("torch")
nn, F = torch.nn, torch.nn.functional
torch.set_num_threads(1)   # as in test_torch_networks
T, D, HEADS, IDS = 5, 12, 3, 11


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def close(ours, module, x):
    """Up to 1000 eps of the largest: sums of at most 60 products, through some ten such layers and two norms."""
    with torch.no_grad():
        wanted = module(x).numpy()
    got = ours(x.numpy() if x.is_floating_point() else x.numpy().astype(wanted.dtype))
    assert (got.dtype, got.shape) == (wanted.dtype, wanted.shape)
    assert np.abs(got - wanted).max() <= 1000 * np.finfo(wanted.dtype).eps * np.abs(wanted).max()


class Seeing(nn.Module):
    """Patches, a class token, positions, torch's own encoder, and scores of the token."""

    def __init__(self, norm=True, **options):
        super().__init__()
        self.stem, self.fc = nn.Conv2d(2, D, 4, 4), nn.Linear(D, 7)
        self.token, self.places = nn.Parameter(torch.randn(1, 1, D)), nn.Parameter(torch.randn(1, 7, D))
        layer = nn.TransformerEncoderLayer(D, HEADS, 20, 0.1, batch_first=True, **options)
        self.encoder = nn.TransformerEncoder(layer, 2, nn.LayerNorm(D) if norm else None, enable_nested_tensor=False)
        for p in self.parameters():   # norms too, whose weights are 1 and 0 at first
            nn.init.normal_(p, 0.1, 0.4)

    def forward(self, x):
        x = self.stem(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.places
        return self.fc(self.encoder(x)[:, 0])


OPTIONS = {
    "norm last": {},
    "norm first": {"norm_first": True},
    "no norm at the end": {"norm": False, "norm_first": True},
    "norm last, none at the end": {"norm": False},
    "gelu": {"activation": "gelu"},
    "gelu by tanh": {"activation": nn.GELU("tanh"), "norm_first": True},
    "silu": {"activation": F.silu},
    "no bias": {"bias": False, "norm_first": True},
    "another epsilon": {"layer_norm_eps": 0.3},
}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_an_encoder_gives_what_torch_gives(options, dtype):
    module, x = Seeing(**options).eval().to(dtype), torch.randn(2, 2, 8, 12, dtype=dtype)
    ours = from_torch(module, x)
    close(ours, module, x)
    close(ours, module, torch.randn(3, 2, 8, 12, dtype=dtype))


def test_the_layers_of_a_block_have_its_names():
    ours = from_torch(Seeing(norm_first=True).eval(), torch.randn(2, 2, 8, 12))
    block = [name.removeprefix("encoder.layers.1.") for name in ours.names if name.startswith("encoder.layers.1.")]
    assert block == [
        "norm1", "self_attn.q", "self_attn.q_heads", "self_attn.q_by_head", "self_attn.scaled", "self_attn.k",
        "self_attn.k_heads", "self_attn.k_by_head", "self_attn.keys", "self_attn.scores", "self_attn.softmax",
        "self_attn.v", "self_attn.v_heads", "self_attn.v_by_head", "self_attn.read", "self_attn.tokens",
        "self_attn.joined", "self_attn", "add1", "norm2", "linear1", "activation", "linear2"]
    assert {"encoder.layers.0", "encoder.layers.1", "encoder", "fc"} <= set(ours.names)   # the sums, and the norm
    assert isinstance(dict(ours.layers)["cat"], ClassToken)
    assert isinstance(dict(ours.layers)["encoder"], LayerNorm)


@pytest.mark.parametrize("cross", [False, True], ids=["one width", "keys and values of other widths"])
def test_multi_head_attention_gives_what_torch_gives(cross):
    class Attending(nn.Module):
        def __init__(self):
            super().__init__()
            more = {"kdim": 6, "vdim": 10} if cross else {}
            self.attend = nn.MultiheadAttention(D, HEADS, batch_first=True, **more)
            nn.init.normal_(self.attend.in_proj_bias)

        def forward(self, x):
            k, v = (x[..., :6], x[..., 2:]) if cross else (x, x)
            return self.attend(x[:, 1:4], k, v)[0]

    module, x = Attending().eval(), torch.randn(2, T, D)
    close(from_torch(module, x), module, x)


class Second(nn.Module):
    """An encoder on images' patches, with a class token: (T, N, D) inside where the batch is second, else (N, T, D)."""

    def __init__(self, batch_first, **options):
        super().__init__()
        self.first = batch_first
        layer = nn.TransformerEncoderLayer(D, HEADS, 20, batch_first=batch_first, **options)
        self.encoder = nn.TransformerEncoder(layer, 2, nn.LayerNorm(D), enable_nested_tensor=False)
        self.patches, self.fc = nn.Conv2d(2, D, 4, 4), nn.Linear(D, 3)
        self.token, self.places = nn.Parameter(torch.randn(1, 1, D)), nn.Parameter(torch.randn(1, 7, D))

    def forward(self, x):
        x = self.patches(x).flatten(2)
        if self.first:
            x = torch.cat([self.token.expand(x.shape[0], -1, -1), x.transpose(1, 2)], 1) + self.places
            return self.fc(self.encoder(x)[:, 0])
        x = x.permute(2, 0, 1)
        x = torch.cat([self.token.expand(-1, x.shape[1], -1), x]) + self.places.transpose(0, 1)
        return self.fc(self.encoder(x)[0])


@pytest.mark.parametrize("options", [{}, {"norm_first": True, "activation": "gelu"}], ids=["norms last", "norms first"])
def test_the_batch_second_is_the_same_network_as_the_batch_first(options):
    second, x = Second(False, **options).eval().double(), torch.randn(2, 2, 8, 12, dtype=torch.float64)
    first = Second(True, **options).eval().double()
    first.load_state_dict(second.state_dict())
    close(from_torch(second, x), second, x)
    ours, twin = from_torch(second, x), from_torch(first, x)
    assert [type(layer) for _, layer in ours] == [type(layer) for _, layer in twin]
    of_ours, of_twin = (explain(n, x.numpy(), attnlrp(n)) for n in (ours, twin))
    assert np.array_equal(of_ours.relevance, of_twin.relevance)


EACH = torch.arange(T)[:, None, None]
SECOND = {   # of x (T, N, D): what is done before the batch is brought back to the front
    "sums over tokens": lambda x, attend: attend(x, x, x)[0].mean(0),
    "sums that stay": lambda x, attend: attend(x, x, x)[0].sum(0, keepdim=True).transpose(0, 1),
    "some tokens": lambda x, attend: attend(x, x, x)[0][1:4].transpose(1, 0),
    "from the end": lambda x, attend: attend(x[1:], x, x)[0][..., 2:5][-1],
    "parts of a row": lambda x, attend: attend(torch.cat(x.chunk(3, -1)[::-1], -1), x, x)[0].transpose(0, 1),
    "parts of the tokens": lambda x, attend: attend(torch.cat(x.split([2, 3], 0)[::-1], 0), x, x)[0].transpose(0, 1),
    "numbers and constants": lambda x, attend: (2 * attend(x, x - 1, x)[0] + EACH).permute(1, 2, 0),
    "a row of constants": lambda x, attend: (attend(x, x, x)[0] * torch.arange(D)).transpose(0, 1),
    "in place": lambda x, attend: attend(x, x, x)[0].add_(x).relu_().transpose(0, 1),
    "first and second": lambda x, attend: (x + x[0]).mean(0),
    "a new axis": lambda x, attend: attend(x, x, x)[0][None].mean((0, 1)),
    "new axes": lambda x, attend: (x.unsqueeze(0).unsqueeze(-1) * x[None, ..., :1, None]).squeeze(-1)[0].sum(0),
    "the batch third": lambda x, attend: x.permute(0, 2, 1).relu().permute(2, 0, 1),
    "heads by hand": lambda x, attend: by_hand(x),
    "heads by hand, masked": lambda x, attend: by_hand(x, True),
    "rows of all images": lambda x, attend: F.gelu(x.reshape(-1, D) + torch.arange(D)).view(T, -1, D).mean(0),
    "a number for every row": lambda x, attend: (x.reshape(-1, D) * x.reshape(-1, D).softmax(-1)[:, 1:2]).view(
        T, -1, D).transpose(0, 1),
    "a matrix for columns": lambda x, attend: (x.permute(2, 1, 0) @ torch.arange(3 * T).view(T, 3).to(x.dtype)).sum(0),
    "one query, one key": lambda x, attend: (heads_first(x)[:, :1] @ heads_first(x)[:, 1:2].mT @ heads_first(x)[
        :, 3:4]).view(-1, D),
    "one query": lambda x, attend: (heads_first(x)[:, 2:3] @ heads_first(x).mT).view(-1, HEADS, T),
    "numbers beside each other": lambda x, attend: torch.cat([x[..., 3:4], x[..., :1], x[..., 1:2]], -1)[1],
    "a number as a tensor": lambda x, attend: (x * torch.tensor(3.0) + torch.tensor([2.0])).mean(0),
    "stacked last": lambda x, attend: torch.stack([x, x.relu()], -1)[0, ..., 1],
    "parts of the first axis": lambda x, attend: torch.cat(x.chunk(T)[:2], -1)[0],
    "stacked": lambda x, attend: torch.stack([x, 2 * x, x.relu()], 2)[:, :, 1:].sum(2).transpose(0, 1),
    "one by one": lambda x, attend: sum(n * one for n, one in enumerate(x.unbind(0))),
    "rolled": lambda x, attend: attend(x.roll((1, -2), (0, 2)), x, x)[0].roll(3, -1).mean(0),
    "spread": lambda x, attend: (x.mean(0, True).expand(T, -1, -1) * x + x.mean(-1, True).expand_as(x)).mean(0),
    "queries and keys by number": lambda x, attend: F.scaled_dot_product_attention(
        x.transpose(0, 1), x.permute(1, 0, 2), x.transpose(1, 0), is_causal=True).transpose(0, 1)[-1],
    "all heads of all images": lambda x, attend: F.scaled_dot_product_attention(
        heads_first(x), heads_first(x) + 1, heads_first(x), LOWER.log()).transpose(0, 1).reshape(T, -1, D)[2],
}
LOWER = torch.ones(T, T).tril()


def heads_first(x):
    """(N heads, T, d) of (T, N, D)"""
    return x.reshape(T, -1, D // HEADS).transpose(0, 1)


def by_hand(x, masked=False):
    """As in fairseq and OPT: scores by bmm of all heads of all images, masked in four axes."""
    q, k, v = heads_first(x * 3), heads_first(x), heads_first(x - 1)
    scores = torch.bmm(q, k.transpose(1, 2))
    if masked:
        scores = scores.view(-1, HEADS, T, T).masked_fill(LOWER == 0, -torch.inf).view(-1, T, T)
    read = torch.bmm(scores.softmax(-1), v)
    return read.transpose(0, 1).contiguous().view(T, -1, D).mean(0)


class Turning(nn.Module):
    """x (N, T, D) with the batch put second, and what is done with that."""

    def __init__(self, done, **options):
        super().__init__()
        self.done, self.attend = done, nn.MultiheadAttention(D, HEADS, **options)

    def forward(self, x):
        return self.done(x.transpose(0, 1), self.attend)


@pytest.mark.parametrize("images", [1, 2])
@pytest.mark.parametrize("name", SECOND)
def test_what_is_done_while_the_batch_is_second_is_done_here(name, images):
    module, x = Turning(SECOND[name]).eval().double(), torch.randn(images, T, D, dtype=torch.float64)
    ours = from_torch(module, x)
    close(ours, module, x)
    close(ours, module, torch.randn(3, T, D, dtype=torch.float64))


def test_a_module_for_one_image_alone_may_have_no_axis_for_it_inside():
    def done(x):
        rows = x.squeeze(0)
        return (rows * rows.relu().transpose(0, 1).mean(0)[:, None]).unsqueeze(0)

    module, x = Calling(done).eval(), torch.randn(1, T, D)
    ours = from_torch(module, x)
    close(ours, module, x)
    more = torch.randn(3, T, D)
    each = torch.cat([module(one[None]) for one in more])
    assert np.allclose(ours(more.numpy()), each.numpy(), rtol=0, atol=1e-5)


EARLIER = torch.ones(T, T, dtype=torch.bool).tril()   # a token sees those before it, and itself


FIRST = torch.arange(T) % 2 > 0   # some columns, which a mask of two hides first


class Masking(nn.Module):
    """Attention by hand, whose scores are masked by a function."""

    def __init__(self, mask):
        super().__init__()
        self.mask, self.fc = mask, nn.Linear(D, 3)

    def forward(self, x):
        scores = x @ x.transpose(1, 2) / D ** 0.5
        return self.fc(self.mask(scores).softmax(-1) @ x)


MASKS = {
    "masked_fill": lambda s: s.masked_fill(~EARLIER, float("-inf")),
    "in place": lambda s: s.masked_fill_(~EARLIER, -1e9),
    "added": lambda s: s + torch.zeros(T, T).masked_fill(~EARLIER, torch.finfo(torch.float32).min),
    "where": lambda s: torch.where(EARLIER, s, torch.tensor(float("-inf"))),
    "where not": lambda s: torch.where(~EARLIER, torch.tensor(-torch.inf), s),
    "in two halves": lambda s: s.masked_fill(~EARLIER & FIRST, -1e5).masked_fill(~EARLIER & ~FIRST, -torch.inf),
    "one by one": lambda s: s.masked_fill(~EARLIER & (torch.arange(T) > 3), -1e5).masked_fill(~EARLIER, -1e5),
}


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_a_mask_leaves_scores_out(mask):
    module, x = Masking(mask).eval(), torch.randn(2, T, D)
    ours = from_torch(module, x)
    close(ours, module, x)
    soft = dict(ours.layers)["softmax"]
    assert np.array_equal(np.broadcast_to(soft.mask, (T, T)) != 0, EARLIER.numpy())
    read = next(reads for name, _, reads in ours.nodes if name == "softmax")[0]
    scores = explain(ours, x.numpy(), target=np.ones((2, T, 3), np.float32)).relevances[read]
    assert not scores[:, ~EARLIER.numpy()].any()
    assert scores[:, 1:][:, EARLIER[1:].numpy()].all()   # the first sees itself alone: its softmax is 1 whatever it is


SCALED = {
    "plain": {},
    "causal": {"is_causal": True},
    "truths": {"attn_mask": EARLIER},
    "numbers": {"attn_mask": torch.linspace(-1, 2, T * T).reshape(T, T).masked_fill(~EARLIER, -torch.inf)},
    "a scale": {"scale": 0.7},
}


@pytest.mark.parametrize("options", SCALED.values(), ids=SCALED)
def test_scaled_dot_product_attention_gives_what_torch_gives(options):
    class Attending(nn.Module):
        def forward(self, x):
            q = x.unflatten(2, (HEADS, -1)).transpose(1, 2)
            return F.scaled_dot_product_attention(q, 2 * q, q + 1, **options).transpose(1, 2).flatten(2)

    module, x = Attending().eval(), torch.randn(2, T, D)
    close(from_torch(module, x), module, x)


@pytest.mark.parametrize("options", [{}, {"src_mask": ~EARLIER}, {"src_mask": torch.full((T, T), -torch.inf).triu(1)}],
                         ids=["none", "truths", "numbers"])
def test_an_encoder_layer_takes_torchs_mask(options):
    class Masked(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.TransformerEncoderLayer(D, HEADS, 8, batch_first=True)

        def forward(self, x):
            return self.layer(x, **options)

    module, x = Masked().eval(), torch.randn(2, T, D)
    ours = from_torch(module, x)
    close(ours, module, x)
    assert (dict(ours.layers)["layer.self_attn.softmax"].mask is None) is (not options)


class Reading(nn.Module):
    """Token ids, positions by a table, a norm of the root mean square, attention over all before."""

    def __init__(self):
        super().__init__()
        self.words, self.places = nn.Embedding(IDS, D, padding_idx=0), nn.Embedding(9, D)
        self.norm, self.fc = nn.RMSNorm(D), nn.Linear(D, 4)
        nn.init.normal_(self.norm.weight)

    def forward(self, ids):
        x = self.norm(self.words(ids) + self.places(torch.arange(ids.shape[1])))
        return self.fc(F.scaled_dot_product_attention(x, x, x, is_causal=True))[:, -1]


def test_token_ids_are_read():
    module, ids = Reading().eval(), torch.randint(0, IDS, (2, T))
    ours = from_torch(module, ids)
    close(ours, module, ids)
    kinds = {type(layer) for _, layer in ours.layers}
    assert {Embedding, RMSNorm, MatMul, Softmax} <= kinds
    assert explain(ours, ids.numpy().astype(np.float32)).relevance.shape == (2, T)


class Calling(nn.Module):
    def __init__(self, call):
        super().__init__()
        self.call = call

    def forward(self, x):
        return self.call(x)


CALLS = {
    "layer_norm of two axes": lambda x: F.layer_norm(x, (T, D), torch.linspace(-1, 1, T * D).reshape(T, D)),
    "layer_norm without weights": lambda x: F.layer_norm(x, (D,)),
    "rms_norm with its own epsilon": lambda x: F.rms_norm(x, (D,), torch.linspace(1, 2, D), 0.2),
    "softmax along another axis": lambda x: x.softmax(1) * x,
    "softmax along another axis, masked": lambda x: x.masked_fill(torch.eye(T, D) > 0, -1e6).softmax(1) * x,
    "bmm": lambda x: torch.bmm(x, x.mT),
    "einsum in heads": lambda x: torch.einsum("bthd,bshd->bhts", by_heads(x), by_heads(x) + 1),
    "einsum of what is read": lambda x: torch.einsum("bts, bsd -> btd", (x @ x.mT).softmax(-1), x),
    "einsum of two axes": lambda x: torch.einsum("bthd,bhds->bst", by_heads(x), by_heads(x - 1).permute(0, 2, 3, 1)),
    "einsum of nothing left": lambda x: torch.einsum("btd,bd->bt", x, x.mean(1)),
    "einsum with a constant": lambda x: torch.einsum("bthd,hdk->btk", by_heads(x), torch.linspace(-1, 1, 2 * D).reshape(
        HEADS, -1, 2)),
    "einsum with a constant first": lambda x: torch.einsum("kt,btd->bdk", torch.ones(2, T).cumsum(0), x),
    "einsum with the batch second": lambda x: torch.einsum("tbd,sbd->bts", x.transpose(0, 1), x.transpose(0, 1) * 2),
    "addmm": lambda x: torch.addmm(torch.linspace(0, 1, 2), x.flatten(1), torch.linspace(0, 1, 2 * T * D).view(-1, 2)),
    "addmm with factors": lambda x: torch.addmm(x[:, 0], x[:, 1], torch.ones(D, D).tril(), beta=2, alpha=-0.5),
    "baddbmm": lambda x: torch.baddbmm(LOWER, x, x.mT, beta=3, alpha=0.5),
    "baddbmm in heads": lambda x: torch.baddbmm(LOWER, by_heads(x).transpose(1, 2).reshape(-1, T, 4), by_heads(
        x).permute(0, 2, 3, 1).reshape(-1, 4, T), alpha=0.5).view(-1, HEADS, T, T),
    "baddbmm of three tensors": lambda x: torch.baddbmm(x @ x.mT, x, x.mT, beta=0.5),
    "addmm of a row with factors": lambda x: torch.addmm(torch.arange(D) / 7, x[:, 0], torch.eye(D), beta=2, alpha=3),
    "a scale after a shift": lambda x: F.layer_norm(x, (D,), None, torch.linspace(0, 1, D)) * torch.linspace(1, 2, D),
    "stacked before the batch": lambda x: (torch.stack([x, 2 * x, x.relu()]) * 3)[1:].sum(0) + torch.stack((x, x))[1],
    "unit vectors of rows that may be 0": lambda x: F.normalize(F.relu(x - 9), dim=-1) + F.normalize(F.relu(x), dim=2),
    "torch's names of arguments": lambda x: torch.softmax(input=torch.bmm(input=x, mat2=x.mT), dim=-1).sum(axis=1),
    "their other order": lambda x: torch.mean(keepdim=True, dim=1, input=x) * torch.relu(input=x),
    "unit vectors": lambda x: F.normalize(x, dim=-1) + x,
    "unit vectors by head": lambda x: F.normalize(by_heads(x).mT.mT.flatten(0, 1), dim=2).view(-1, T, HEADS, 4),
    "one key for all heads": lambda x: by_heads(x).transpose(1, 2) @ x[:, None, :, :4].mT,
    "one key for all heads, scaled": lambda x: F.scaled_dot_product_attention(
        by_heads(x).transpose(1, 2), x[:, None, :, :4], x[:, None, :, 4:6]),
    "channels and pixels spread": lambda x: (x[:, :1, None] + x[:, None, :, :1]) * x[:, :, :1, None],
    "a norm written out": lambda x: written_out(x) * torch.linspace(1, 2, D) + torch.linspace(-1, 1, D),
    "a rotation of all numbers": lambda x: torch.cat([x[..., :D] * 2, x[..., D:]], -1),
    "a cache that begins empty": lambda x: torch.cat([torch.tensor([]), x.relu()], 1),
    "one entry, kept": lambda x: x[:, [3]] + x[..., [-1], :],
    "rolled": lambda x: x.roll(2, 1) + x.roll((D, -1, 0), (2, 2, 1)) + x.roll(0, 1),
    "matmul in heads": lambda x: x.unflatten(2, (2, 6)).transpose(1, 2) @ x.unflatten(2, (2, 6)).permute(0, 2, 3, 1),
}


def by_heads(x):
    return x.unflatten(2, (HEADS, -1))


def written_out(x, of=None, dim=-1):
    """x without its mean, over the root of the variance of the same, or of another tensor."""
    mean = x.mean(dim, keepdim=True)
    other = mean if of is None or of is x else of.mean(dim, keepdim=True)
    return (x - mean) * torch.rsqrt(((x if of is None else of) - other).pow(2).mean(-1, keepdim=True) + 0.125)


def test_a_norm_without_the_mean_is_one_layer():
    module, x = Calling(lambda x: written_out(x) * torch.linspace(1, 2, D)).eval(), torch.randn(2, T, D)
    ours = from_torch(module, x)
    (_, layer), = ours.layers
    assert isinstance(layer, LayerNorm) and layer.epsilon == 0.125 and layer.scale[-1] == 2


class Asking(nn.Module):
    """Queries that are learned ask all tokens."""

    def __init__(self, first, count):
        super().__init__()
        self.attend, self.first = nn.MultiheadAttention(D, HEADS, batch_first=first), first
        self.asked = nn.Parameter(torch.randn(1, count, D))

    def forward(self, x):
        asked = self.asked.expand(len(x), -1, -1)
        if self.first:
            return self.attend(asked, x, x)[0]
        return self.attend(asked.transpose(0, 1), x.transpose(0, 1), x.transpose(0, 1))[0].transpose(0, 1)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("first", [True, False])
def test_queries_that_are_learned_are_bias(first, count):
    module, x = Asking(first, count).eval(), torch.randn(2, T, D)
    ours = from_torch(module, x)
    close(ours, module, x)
    rules, target = attnlrp(ours) | {"attend.beside": Epsilon(0)}, np.ones((2, count, D), np.float32)
    e = explain(ours, x.numpy(), rules, target=target)
    learned, bias = e.relevances["attend.learned"], dict(e.ledger)["attend.beside"].bias
    off = np.abs(bias[:, :count] - learned)   # b / z is 1 up to the last digit of float32
    assert learned.any() and (off <= 1e-6 * np.abs(learned)).all() and not bias[:, count:].any()


def test_images_are_not_multiplied_with_each_other():
    module = Calling(lambda x: (x.transpose(0, 1) @ x.transpose(0, 1))[0]).eval()
    with pytest.raises(ValueError, match="multiplies along the batch"):
        from_torch(module, torch.randn(D, T, D))   # as many images as numbers in a row, so that torch can


def test_numbers_below_the_smallest_normal_one_agree_as_far_as_they_have_digits():
    module, x = nn.Sequential(nn.Linear(D, 3, bias=False)), torch.randn(2, D) * 1e-20
    with torch.no_grad():
        module[0].weight.mul_(1e-21)
        assert 0 < module(x).abs().max() < np.finfo(np.float32).tiny
    assert len(from_torch(module.eval(), x)) == 1


class Scaled(nn.Embedding):
    """As BART's."""

    def forward(self, ids):
        return super().forward(ids) * 3


class Padded(nn.Module):
    """Positions that count what is no padding; the number of texts is that of the example."""

    def __init__(self, fixed):
        super().__init__()
        self.words, self.places, self.fixed = Scaled(IDS, D), nn.Embedding(20, D), fixed

    def forward(self, ids):
        there = ids.ne(1).int()
        x = self.words(ids) + self.places((there.cumsum(1) * there).long())
        return x.reshape(int(ids.shape[0]), T * D) if self.fixed else x.flatten(1)


@pytest.mark.parametrize("fixed", [False, True])
def test_ids_that_are_padding_stay_as_in_the_example(fixed):
    module, ids = Padded(fixed).eval(), torch.tensor([[5, 2, 7, 1, 1]])
    with pytest.warns(UserWarning, match="which token ids are padding"):
        ours = from_torch(module, ids)
    close(ours, module, ids)
    other = torch.tensor([[3, 4, 2, 1, 1], [2, 2, 9, 1, 1]])
    wanted = torch.cat([module(one[None]) for one in other]).detach().numpy()
    assert np.array_equal(ours(other.numpy().astype(np.float32)), wanted)


class Asks(nn.Module):
    """Which ids are padding, asked in some way."""

    def __init__(self, how):
        super().__init__()
        self.words, self.how = nn.Embedding(IDS, D), how

    def forward(self, ids):
        return self.how(self.words, ids).flatten(1)


ASKS = {
    "by name": lambda words, ids: words(ids) * torch.ne(input=ids, other=1)[..., None],
    "the other way round": lambda words, ids: words(ids) * torch.ne(other=1, input=ids)[..., None],
    "of some": lambda words, ids: words(ids)[:, 1:] * (ids[:, 1:] != 1)[..., None],
    "of the last": lambda words, ids: words(ids) * (ids[:, -1] != 1)[:, None, None],
    "with an axis more": lambda words, ids: words(ids) * (ids[:, None] == 1)[:, 0, :, None],
}


@pytest.mark.parametrize("how", ASKS.values(), ids=ASKS)
def test_ids_may_be_asked_in_several_ways(how):
    module, ids = Asks(how).eval(), torch.tensor([[5, 2, 7, 1, 3], [3, 2, 9, 1, 2]])
    with pytest.warns(UserWarning, match="which token ids are padding"):
        ours = from_torch(module, ids)
    close(ours, module, ids)


@pytest.mark.parametrize("call", [lambda words, ids: words(ids[:, 1:]), lambda words, ids: words(ids.roll(1, 1)),
                                  lambda words, ids: words(ids.clamp(max=4)), lambda words, ids: words(
                                      ids.transpose(0, 1)).transpose(0, 1)])
def test_ids_may_be_cut_and_moved(call):
    module, ids = Asks(call).eval(), torch.tensor([[5, 2, 7, 1, 3], [3, 2, 9, 1, 2]])
    close(from_torch(module, ids), module, ids)


def test_a_module_that_multiplies_by_the_number_of_images_is_refused():
    """Nothing of it shows at an example of zeros, as one has who only says a shape."""
    for call in (lambda x: x * x.shape[0], lambda x: x + (x.relu() * x.shape[0])):
        with pytest.raises(ValueError, match="on random numbers of shape"):
            from_torch(Calling(call).eval(), torch.zeros(1, T, D))


def test_a_module_that_counts_images_from_three_on_is_refused_at_an_example_of_one():
    module = Calling(lambda x: x * max(x.shape[0], 2)).eval()
    with pytest.raises(ValueError, match=r"on random numbers of shape \(3, 5, 12\)"):
        from_torch(module, torch.zeros(1, T, D))


def test_a_wrong_layer_is_named_where_the_batch_is_elsewhere_too(monkeypatch):
    """Each answers for itself, and not the network alone."""
    monkeypatch.setattr(torch_layers, "ReLU", Tanh)
    module = Turning(lambda x, attend: (x * 3).relu().mean(0)).eval()
    with pytest.raises(ValueError, match="from_torch: relu, a Tanh, gives other numbers than torch on the example"):
        from_torch(module, torch.randn(2, T, D))


def test_layers_that_are_many_modules_deep_have_shorter_names():
    module: nn.Module = nn.Linear(D, 2)
    for n in range(30):
        module = nn.Sequential(OrderedDict([(f"part{n}", module)]))
    (name, _), = from_torch(module.eval(), torch.randn(2, T, D)).layers
    assert name.startswith("..") and name.endswith("part1.part0") and len(name) <= 100


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_call_gives_what_torch_gives(call):
    module, x = Calling(call).eval(), torch.randn(2, T, D)
    close(from_torch(module, x), module, x)


def attending(**options):
    class Attending(nn.Module):
        def __init__(self):
            super().__init__()
            self.attend = nn.MultiheadAttention(D, HEADS, **{"batch_first": True, **options})

        def forward(self, x):
            return self.attend(x, x, x)[0]

    return Attending()


ONE = torch.randn(1, T, D)
REFUSED = {
    "the batch second": (attending(batch_first=False), "attend, a MultiheadAttention: batch_first=False, whose first"),
    "the batch put second": (Turning(lambda x, a: a(x, x, x)[0].mean(0), batch_first=True), "attend, a MultiheadAtten"
                             "tion: batch_first=True, of a tensor that has the batch elsewhere, or in one axis with o"),
    "two rows beside each image": (Turning(lambda x, a: a(*[torch.cat([x, x], 2).reshape(T, 4, D)] * 3)[0][0, ::2]),
                                   "batch_first=False, of a tensor that has the batch elsewhere, or in one axis with"),
    "images multiplied": (Turning(lambda x, a: (x.permute(0, 2, 1) @ x)[0, :2]), "the batch in different p"),
    "one of the batch": (Turning(lambda x, a: x.mean(0) + x[:, 0].mean(0)), "getitem in forward: takes some images of"),
    "over the batch": (Turning(lambda x, a: (x - x.mean(1, keepdim=True)).mean(0)), "works along axis 1, which the ba"),
    "two places": (Turning(lambda x, a: (x[:2] + x[:2].mT.mT.transpose(0, 1)).mean(0)), "the batch in different p"),
    "images in parts": (Turning(lambda x, a: x.transpose(0, 1).reshape(T, 2, D).mean(0)), "moves the batch axis"),
    "a constant by image": (Turning(lambda x, a: (x + torch.eye(2, D)).mean(0)), "(2, 12) differs from image to image"),
    "images as columns": (Turning(lambda x, a: (x.permute(0, 2, 1) @ torch.ones(2, 3))[0, :2]), "works along the la"),
    "images side by side": (Turning(lambda x, a: torch.cat([x, x], 1)[0, :2]), "puts images behind each other"),
    "products alone": (Calling(lambda x: torch.einsum("btd,btd->btd", x, x)), "needed one that sums over letters whi"),
    "a weight by token": (Calling(lambda x: torch.einsum("btd,tde->bte", x, torch.ones(T, D, 2))), "a constant that h"),
    "three operands": (Calling(lambda x: torch.einsum("btd,btd,btd->bt", x, x, x)), "needed two operands, each letter"),
    "another tensor's norm": (Calling(lambda x: written_out(x, 2 * x)), "multiplies by the inverse root of another"),
    "a mean over tokens": (Calling(lambda x: written_out(x, x, 1)), "multiplies by the inverse root of another"),
    "a root by itself": (Calling(lambda x: x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1).squeeze(-1)[..., None]),
                         "squeeze in forward: of the inverse root of a mean of squares"),
    "unit vectors beyond 1": (Calling(lambda x: F.normalize(x, dim=-1, eps=1.0)), "eps=1.0, below which |x| is not"),
    "truths as an index": (Calling(lambda x: x[:, [True] + [False] * 4]), "an index that is no number and no slice"),
    "letters of two sizes": (Calling(lambda x: torch.einsum("btd,bts->bds", x[..., :1], x[:, :1])), "the same size"),
    "unit vectors of columns": (Calling(lambda x: F.normalize(x, dim=1)), "along axis 1, needed p=2 along the last"),
    "no more": (Calling(lambda x: x.permute(1, 2, 0).permute(2, 0, 1)), "from_torch got a network without layers"),
    "other axes": (Turning(lambda x, a: F.max_pool1d(x, 2).mean(0)), "this works on other axes than rows"),
    "more keys": (attending(add_bias_kv=True), "attend, a MultiheadAttention: add_bias_kv or add_zero_attn, needed F"),
    "a softmax last": (Calling(lambda x: F.softmax(x @ x.mT, 2)), "a network that ends in a softmax: at the"),
    "a softmax turned": (Calling(lambda x: x.softmax(1).flatten(1)), "a network that ends in a softmax: at the end of"),
    "log_softmax": (Calling(lambda x: x.log_softmax(-1)), "no layer for the logarithm of a softmax: at the end of a"),
    "no axis": (Calling(lambda x: F.softmax(x.flatten(1), None) * 2), "softmax in forward: dim=None, needed the axis"),
    "the image masks": (Calling(lambda x: (x @ x.mT).masked_fill(x[..., :T] > 0, -1e9).softmax(-1) @ x), "gt in forw"),
    "a mask for each": (Calling(lambda x: x + torch.arange(2.)[:, None, None]), "constant of shape (2, 1, 1)"),
    "no mask": (Calling(lambda x: x.masked_fill(torch.eye(T, D) > 0, 3.0)), "fills in 3.0, needed a number of at most"),
    "a constant first": (Calling(lambda x: torch.ones(T, T) @ x), "matrices whose first is a constant, or whose"),
    "matrices apart": (Calling(lambda x: x.unsqueeze(1).expand(2, 1, T, D) @ x.mT), "shapes (2, 1, 5, 12) and (2, 12"),
    "an activation": (nn.Sequential(nn.TransformerEncoderLayer(D, HEADS, 8, batch_first=True, activation=torch.sin)),
                      "0, a TransformerEncoderLayer: the activation sin, needed relu, gelu, silu"),
    "other rows": (Calling(lambda x: F.scaled_dot_product_attention(x, x, x, dropout_p=0.1)), "dropout_p=0.1, which d"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_linear_map_of_ours_is_refused(name):
    module, said = REFUSED[name]
    with pytest.raises(ValueError) as caught:
        from_torch(module.eval(), torch.randn(2, T, D))
    assert said in str(caught.value)


def test_modules_made_in_a_forward_and_constants_spread_by_a_tensor_are_taken():
    module = Calling(lambda x: nn.GELU()(x - torch.arange(D).expand_as(x)) * EACH[:, 0].view(T, 1).expand_as(x))
    x = torch.randn(2, T, D, dtype=torch.float64)
    ours = from_torch(module.eval(), x)
    close(ours, module, x)
    assert [type(layer).__name__ for _, layer in ours] == ["Scale", "GELU", "Scale"]


def test_scores_with_the_batch_second_are_refused_where_their_shape_does_not_tell():
    with pytest.raises(ValueError, match=r"whose output has the batch elsewhere than in front, as \(T, N, \.\.\)"):
        from_torch(Turning(lambda x, attend: attend(x, x, x)[0]).eval(), torch.randn(T, T, D))


def test_a_sequential_with_a_softmax_at_its_end_says_what_to_do_without_an_example():
    with pytest.raises(ValueError, match=r"give an example.*at the end of a network leave it out"):
        from_torch(nn.Sequential(nn.Linear(3, 2), nn.Softmax(1)).eval())
