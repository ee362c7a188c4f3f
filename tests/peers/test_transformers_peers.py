"""Hugging Face's own ViT and BERT, with seeded weights: the same logits, and a ledger that closes."""

import json
import warnings

import numpy as np
import pytest

from lrp_ref import Embedding, LayerNorm, Softmax, attnlrp, explain
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
