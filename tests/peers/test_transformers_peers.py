"""Hugging Face's own ViT and BERT, with seeded weights: the same logits, and a ledger that closes."""

import json
import warnings

import numpy as np
import pytest

from lrp_ref import Embedding, LayerNorm, RMSNorm, Softmax, attnlrp, explain, gradient_times_input
from lrp_ref.convert import from_onnx, from_torch

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
SIZES = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 40, "num_labels": 5}


class Logits(torch.nn.Module):
    """One tensor of what a model of theirs gives."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        return self.model(x).logits


def vit(kind):
    config = transformers.ViTConfig(image_size=16, patch_size=4, attn_implementation=kind, **SIZES)
    return transformers.ViTForImageClassification(config), torch.randn(2, 3, 16, 16)


def bert(kind):
    config = transformers.BertConfig(vocab_size=30, max_position_embeddings=16, attn_implementation=kind, **SIZES)
    return transformers.BertForSequenceClassification(config), torch.randint(0, 30, (2, 7))


def distilbert(kind):
    """Its forward makes a ReLU, and its mask, which hides nothing, is spread by the scores."""
    config = transformers.DistilBertConfig(vocab_size=30, max_position_embeddings=16, dim=24, n_layers=2, n_heads=3,
                                           hidden_dim=40, num_labels=5, attn_implementation=kind)
    return transformers.DistilBertForSequenceClassification(config), torch.randint(0, 30, (2, 7))


@pytest.mark.parametrize("opset", [14, 17])   # LayerNorm in nine nodes, and in one
@pytest.mark.parametrize("kind", ["eager", "sdpa"])
@pytest.mark.parametrize("make", [vit, bert, distilbert])
def test_an_export_of_theirs_gives_its_logits(make, kind, opset, tmp_path):
    torch.manual_seed(0)
    model, x = make(kind)
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(8)
    module, path = Logits(model).eval(), tmp_path / "model.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")   # what the exporter says of sizes
        torch.onnx.export(module, x, path, opset_version=opset, dynamo=False, input_names=["x"],
                          dynamic_axes={"x": {0: "n"}})
    ours = from_onnx(path)
    with torch.no_grad():
        wanted = module(x).numpy()
    # as below, in float32
    off = np.abs(ours(x.numpy().astype(np.float32)) - wanted)
    assert off.max() <= 1000 * np.finfo(np.float32).eps * abs(wanted).max()
    kinds = [type(layer) for _, layer in ours.layers]
    assert kinds.count(Softmax) == 2
    assert kinds.count(LayerNorm) == 5


@pytest.mark.parametrize("kind", ["eager", "sdpa"])
@pytest.mark.parametrize("make", [vit, bert, distilbert])
def test_a_model_of_theirs_gives_its_logits_and_closes_its_ledger(make, kind):
    torch.manual_seed(0)
    model, x = make(kind)
    with torch.no_grad():
        for p in model.parameters():   # theirs are so small that all tokens are alike
            p.mul_(8)
    number = torch.float32 if (make, kind) == (vit, "eager") else torch.float64   # its softmax is float32 in any case
    module, x = Logits(model).eval().to(number), x.to(number) if x.is_floating_point() else x
    ours = from_torch(module, x)
    with torch.no_grad():
        wanted = module(x).numpy()
    numbers, eps = x.numpy().astype(wanted.dtype), np.finfo(wanted.dtype).eps
    # 1000 eps of the largest: sums of at most 48 products through some twenty such layers
    assert np.abs(ours(numbers) - wanted).max() <= 1000 * eps * np.abs(wanted).max()
    kinds = [type(layer) for _, layer in ours.layers]
    assert kinds.count(Softmax) == 2
    assert kinds.count(LayerNorm) == 5   # ViT: two a block and one; BERTs: two a block and that of embeddings
    assert (Embedding in kinds) is (make is not vit)
    e = explain(ours, numbers)
    total = e.ledger.total()
    parts = sum(total[part] for part in ("handed", "bias", "stabiliser", "dead"))
    size = sum(abs(np.asarray(relevance)).sum() for relevance in e.relevances.values())
    # likewise, of all the relevance that is handed down anywhere
    assert np.abs(parts - total["received"]).max() <= 1000 * eps * size


def test_a_text_goes_through_the_command_as_through_the_network(tmp_path, capsys):
    from lrp_ref.command.cli import main

    torch.manual_seed(1)
    model, x = bert("eager")
    path = tmp_path / "bert.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")   # what the exporter says of sizes
        torch.onnx.export(Logits(model).eval(), x, path, opset_version=17, dynamo=False, dynamic_axes={"x": {0: "n"}},
                          input_names=["x"])
    (tmp_path / "vocabulary.txt").write_text("\n".join(f"word{n}" for n in range(30)))
    text = " ".join(f"word{n}" for n in x[0].tolist())
    assert main(["explain", "--model", str(path), "--tokens", text, "--vocabulary", str(tmp_path / "vocabulary.txt"),
                 "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    network = from_onnx(path)
    e = explain(network, x[:1].numpy().astype(np.float32), attnlrp(network))
    assert [one["relevance"] for one in said["tokens"]] == e.relevance[0].tolist()
    assert len(said["scores"]) == 5 and [one["id"] for one in said["tokens"]] == x[0].tolist()


class LastLogits(torch.nn.Module):
    """What a language model says of the next token."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, ids):
        return self.model(input_ids=ids, use_cache=False).logits[:, -1]


SMALL = {"vocab_size": 30, "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 40,
         "max_position_embeddings": 16}
SHARED = SMALL | {"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 6}   # two heads to a key
LANGUAGE = {   # the configuration; how many norms a model of two blocks has
    "GPT2": ({"vocab_size": 30, "n_positions": 16, "n_embd": 24, "n_layer": 2, "n_head": 3}, 5),
    "Llama": (SHARED, 5), "Mistral": (SHARED | {"sliding_window": 3}, 5),
    "Qwen2": (SMALL | {"num_key_value_heads": 3}, 5), "Qwen3": (SHARED, 9),   # queries and keys have norms there
    "Gemma": (SHARED, 5), "GPTNeoX": (SMALL | {"rotary_pct": 0.5}, 5),
    "Phi3": (SMALL | {"num_key_value_heads": 3, "pad_token_id": 0}, 5), "GPTNeo": (
        {"vocab_size": 30, "hidden_size": 24, "num_layers": 2, "attention_types": [[["global", "local"], 1]],
         "num_heads": 3, "intermediate_size": 40, "window_size": 3, "max_position_embeddings": 16}, 5),
    "GPTJ": ({"vocab_size": 30, "n_positions": 16, "n_embd": 24, "n_layer": 2, "n_head": 3, "rotary_dim": 4}, 3),
    "Falcon": (SMALL, 3),   # one key for all heads
    "Cohere": (SHARED | {"pad_token_id": 0}, 3),   # a norm of what is left without its mean
    "Bloom": ({"vocab_size": 30, "hidden_size": 24, "n_layer": 2, "n_head": 3}, 6),   # scores fall with the distance
    "OPT": ({"vocab_size": 30, "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3, "ffn_dim": 40,
             "max_position_embeddings": 16, "word_embed_proj_dim": 24}, 5)}   # rows of all texts in one axis
EAGER_ALONE = ("GPTJ", "GPTNeo", "Bloom")   # which have no other kind


def language_model(name, kind):
    sizes, norms = LANGUAGE[name]
    kinds = {} if name in EAGER_ALONE else {"attn_implementation": kind}
    config = getattr(transformers, f"{name}Config")(**kinds, **sizes)
    torch.manual_seed(0)
    kind = "LMHeadModel" if name == "GPT2" else "ForCausalLM"
    module = LastLogits(getattr(transformers, name + kind)(config)).eval()
    with torch.no_grad():
        for p in module.parameters():
            p.mul_(4)
    return module, torch.randint(3, 30, (2, 7)), norms


BY_KIND = [(name, kind) for name in LANGUAGE for kind in ("eager", "sdpa")[: 1 if name in EAGER_ALONE else 2]]


@pytest.mark.parametrize("name, kind", BY_KIND)
def test_a_language_model_gives_its_logits_and_closes_its_ledger(name, kind):
    """Causal masks, a sliding window, rotary positions, norms that are written out, keys that heads share."""
    module, ids, norms = language_model(name, kind)
    ours = from_torch(module, ids)
    kinds = [type(layer) for _, layer in ours.layers]
    assert kinds.count(Softmax) == 2 and kinds.count(LayerNorm) + kinds.count(RMSNorm) == norms
    same(ours, module, ids.numpy())


@pytest.mark.parametrize("name", ["GPT2", "Llama"])
def test_gradient_times_input_of_a_language_model_is_torchs(name):
    module, ids, _ = language_model(name, "eager")
    table = module.model.get_input_embeddings()
    vectors = table(ids).detach().requires_grad_()
    target = module.model(inputs_embeds=vectors, use_cache=False).logits[:, -1]
    chosen = target.argmax(1)
    target[torch.arange(len(ids)), chosen].sum().backward()
    wanted = (vectors * vectors.grad).sum(2).detach().numpy()
    network = from_torch(module, ids)
    got = explain(network, ids.numpy().astype(np.float32), gradient_times_input(network)).relevance
    assert np.abs(got - wanted).max() <= 1e-4 * np.abs(wanted).max()   # float32 through two blocks, twice


def test_keys_that_a_language_model_sees_are_those_before():
    """Nothing comes from a token after the one that is asked about, nor from beyond a sliding window."""
    for name, far in (("Llama", 0), ("Mistral", 2)):
        module, ids, _ = language_model(name, "eager")

        class Third(torch.nn.Module):
            def __init__(self, model):
                super().__init__()
                self.model = model

            def forward(self, ids):
                return self.model(input_ids=ids, use_cache=False).logits[:, 5]

        network = from_torch(Third(module.model).eval(), ids)
        R = explain(network, ids.numpy().astype(np.float32), attnlrp(network)).relevance
        reach = 5 if far == 0 else 2 * (3 - 1)   # two blocks, each of which looks back two tokens
        assert (R[:, 6:] == 0).all() and (R[:, : 5 - reach] == 0).all() and (R[:, 5 - reach : 6] != 0).all()


IMAGES = {"image_size": 32, "num_labels": 5}
ONE_SIZE = IMAGES | {"patch_size": 8, "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3,
                     "intermediate_size": 40}
WINDOWS = IMAGES | {"patch_size": 2, "embed_dim": 12, "depths": [2, 2], "num_heads": [2, 4], "window_size": 4}
STEPS = IMAGES | {"hidden_sizes": [4, 8, 12, 16], "depths": [1, 1, 1, 1], "num_attention_heads": [1, 2, 2, 2]}
PARTS = {"text_config": {}, "vision_config": ONE_SIZE, "num_labels": 5}
VISION = {"Swin": WINDOWS, "Swinv2": WINDOWS, "DeiT": ONE_SIZE, "Beit": ONE_SIZE, "Dinov2": ONE_SIZE, "Pvt": STEPS,
          "Segformer": STEPS, "ConvNext": IMAGES | {"hidden_sizes": [8, 12, 16, 20], "depths": [1, 1, 1, 1]},
          "ResNet": IMAGES | {"embedding_size": 8, "hidden_sizes": [8, 12], "depths": [1, 1]},
          "CLIP": PARTS, "Siglip": PARTS}


@pytest.mark.parametrize("name", VISION)
def test_a_vision_model_gives_its_logits_and_closes_its_ledger(name):
    """Windows that stand in one axis with the batch, and are shifted; attention by cosines; a query that is learned."""
    torch.manual_seed(0)
    config = getattr(transformers, f"{name}Config")(**VISION[name])
    module, x = Logits(getattr(transformers, f"{name}ForImageClassification")(config)).eval(), torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        for p in module.parameters():
            p.mul_(3)
    same(from_torch(module, x), module, x.numpy())


TEXTS = {"Roberta": SMALL, "MPNet": SMALL, "Albert": SMALL | {"embedding_size": 8}}


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_model_gives_its_logits_and_closes_its_ledger(name):
    """RoBERTa and MPNet count positions by the ids that are no padding: these stay as they are in the example."""
    torch.manual_seed(0)
    config = getattr(transformers, f"{name}Config")(num_labels=5, **TEXTS[name])
    module, ids = Logits(getattr(transformers, f"{name}ForSequenceClassification")(config)).eval(), torch.randint(
        3, 30, (2, 7))
    with torch.no_grad():
        for p in module.parameters():
            p.mul_(4)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        network = from_torch(module, ids)
    said = [str(one.message) for one in caught if "which token ids are padding" in str(one.message)]
    assert len(said) == (name != "Albert")
    same(network, module, ids.numpy())
    padded = torch.where(torch.arange(7) > 4, 1, ids)
    if name != "Albert":
        with torch.no_grad():
            assert np.abs(network(padded.numpy().astype(np.float32)) - module(padded).numpy()).max() > 0.01
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            same(from_torch(module, padded), module, padded.numpy())   # an example with padding has it there


def same(network, module, x):
    """The same logits, and a ledger that closes, to 1000 eps as above."""
    with torch.no_grad():
        wanted = module(torch.from_numpy(x)).numpy()
    numbers, eps = x.astype(np.float32), np.finfo(np.float32).eps
    assert np.abs(network(numbers) - wanted).max() <= 1000 * eps * np.abs(wanted).max()
    e = explain(network, numbers, attnlrp(network))
    total = e.ledger.total()
    parts = sum(total[part] for part in ("handed", "bias", "stabiliser", "dead"))
    size = sum(abs(np.asarray(relevance)).sum() for relevance in e.relevances.values())
    assert np.abs(parts - total["received"]).max() <= 1000 * eps * size
