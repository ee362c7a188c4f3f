"""A model and its file: what is written comes back bit for bit, and no damaged or foreign file passes for a model."""

import json
import pickle
import tracemalloc
import warnings
import zipfile
from dataclasses import replace
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from models_at_hand import GREY, assert_same_layer, assert_same_network, layers, numbers

from lrp_ref import (
    LRN,
    AdaptiveAvgPool,
    Add,
    Concat,
    Conv2D,
    DenseSift,
    FisherVector,
    Flatten,
    L2Norm,
    Linear,
    MaxPool,
    Model,
    Network,
    Preprocessing,
    ReLU,
    SumPool,
    explain,
    load_model,
    save_model,
)
from lrp_ref.layers import LAYERS
from lrp_ref.layers.fisher.regions import counted_regions, regions_of


def model_of(layer, name="layer"):
    return Model(Network([(name, layer)]), [], GREY)


def example():
    chain = Network([("conv1", Conv2D(numbers(4, 1, 2, 3), numbers(4), stride=(2, 1))), ("relu1", ReLU()),
                     ("flat", Flatten()), ("fc", Linear(numbers(40, 2), numbers(2)))])
    return Model(chain, ["brick", "grass"], GREY, provenance="made for a test")


def of_scores(*classes):
    """The example with a score for each of these names."""
    chain = Network([*example().chain.layers[:-1], ("fc", Linear(numbers(40, max(1, len(classes)))))])
    return Model(chain, classes, GREY)


def saved(tmp_path, model=None):
    path = tmp_path / "model.npz"
    save_model(model or example(), path)
    return path


def refused(path, error=ValueError):
    """The message with which a file is refused: one line that names the file and says what to do."""
    with pytest.raises(error) as caught:
        load_model(path)
    message = str(caught.value)
    assert "\n" not in message
    assert path.name in message
    assert any(cure in message for cure in ("save the model again", "Copy it again", "give the path", "needed .npz"))
    return message


# ---- What is written comes back ----


def test_every_type_of_layer_is_among_the_examples():
    assert {type(layer).__name__ for layer in layers(np.float64).values()} == set(LAYERS)


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("key", layers(np.float64))
def test_a_layer_comes_back_bit_for_bit(tmp_path, key, dtype):
    layer = layers(dtype)[key]
    loaded = load_model(saved(tmp_path, model_of(layer)))
    assert_same_layer(loaded.chain["layer"], layer)


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
def test_layers_come_back_under_their_names_in_their_order(tmp_path, dtype):
    names = ["z", "a", "0.weight", "manifest", "file", "Größe 1/2", "../up"]
    network = Network(zip(names, list(layers(dtype).values())[: len(names)]))
    assert_same_network(load_model(saved(tmp_path, Model(network, [], GREY))).chain, network)


def test_parameters_that_are_numpy_numbers_come_back_as_usable_as_before(tmp_path):
    one, two, three = np.int64(1), np.int32(2), np.uint8(3)
    chain = Network([("conv", Conv2D(numbers(4, 2, 3, 3), None, two, (one, one), np.array([1, 2]), two)),
                     ("norm", LRN(three, np.float32(0.1), np.float64(0.75), one)),
                     ("max", MaxPool(two, one, ceil=np.bool_(True))), ("sum", SumPool(2, None, np.float32(0.3)))])
    loaded = load_model(saved(tmp_path, Model(chain, [], GREY))).chain
    x = numbers(1, 4, 9, 11)
    assert loaded(x).tobytes() == chain(x).tobytes()
    assert type(loaded["conv"].groups) is int and type(loaded["norm"].size) is int
    assert loaded["max"].ceil is True


@pytest.mark.parametrize("preprocessing", [
    Preprocessing(None),
    Preprocessing((227, 224), "bgr", 255, (104.0, 116.7, 122.7), (1, 2, 3)),
    Preprocessing((np.int64(3), 4), "rgb", np.float32(0.1), np.float64(1 / 3), np.array([0.5, 0.25, 2])),
    Preprocessing(None, tallest=np.int64(480)),
], ids=["no size", "Caffe's", "numpy numbers", "its own size up to some rows"])
def test_preprocessing_comes_back(tmp_path, preprocessing):
    model = replace(example(), preprocessing=preprocessing)
    assert load_model(saved(tmp_path, model)).preprocessing == preprocessing


def test_classes_and_provenance_come_back(tmp_path):
    model = replace(example(), classes=["moiré", 'say "two"\n\nlines'], provenance="ours: 3 < 4 &c. – naïve")
    loaded = load_model(saved(tmp_path, model))
    assert loaded.classes == ("moiré", 'say "two"\n\nlines')
    assert loaded.provenance == "ours: 3 < 4 &c. – naïve"


def fisher_model(**more):
    """A chain whose Fisher vector has two regions."""
    mixture = FisherVector(np.array([0.25, 0.75]), numbers(2, 128), np.abs(numbers(2, 128, seed=1)) + 1)
    chain = Network([("sift", DenseSift((2, 3), 3)), ("fisher", mixture), ("norm", L2Norm(2))])
    return Model(chain, [], Preprocessing(None, tallest=20), **more)


RECTANGLES = ((0.0, 0.0, 9.0, 30.5), (2.0, 3.0, 16.0, 12.0))


@pytest.mark.parametrize("regions", ["1x2", RECTANGLES, [list(map(int, sides)) for sides in RECTANGLES],
                                     np.array(RECTANGLES)], ids=["grid", "tuples", "lists of ints", "array"])
def test_regions_come_back_and_are_put_in_for_each_size_of_image(tmp_path, regions):
    model = fisher_model(regions=regions)
    loaded = load_model(saved(tmp_path, model))
    assert loaded.regions == model.regions == (regions if isinstance(regions, str) else
                                               tuple(tuple(map(float, sides)) for sides in regions))
    assert "fisher.regions" not in np.load(tmp_path / "model.npz")
    for shape in ((1, 1, 12, 18), (1, 1, 20, 11)):
        frames, fisher = loaded.chain["sift"].frames(shape), loaded.network(shape)["fisher"]
        assert fisher.regions.tolist() == regions_of(frames, shape, regions).tolist()
        x = numbers(*shape)
        assert loaded.network(shape)(x).tobytes() == model.network(shape)(x).tobytes()
    assert loaded.chain["fisher"].regions is None


def test_a_model_without_regions_has_no_field_for_them_and_is_its_network(tmp_path):
    model = fisher_model()
    with np.load(saved(tmp_path, model)) as file:
        assert "regions" not in json.loads(file["manifest"].tobytes())
    assert load_model(tmp_path / "model.npz").regions is None
    assert fisher_model().network((1, 1, 12, 18))["fisher"].regions is None


@pytest.mark.parametrize(("regions", "message"), [
    ("2x2+3", "regions_of got '2x2+3', needed grids"), ([], "regions_of got no rectangles, needed at least one"),
    (4, "regions_of got 4, needed grids"),
    ([(3, 0, 2, 5)], "regions_of got the rectangle (3, 0, 2, 5), needed (top, left, bottom, right)"),
])
def test_regions_that_are_none_are_refused_before_there_is_an_image(regions, message):
    with pytest.raises(ValueError) as caught:
        fisher_model(regions=regions)
    assert str(caught.value).startswith(message)


def test_regions_need_a_fisher_vector_of_dense_sift():
    with pytest.raises(ValueError, match=r"^Model got regions='1x2', but its network has no DenseSift and FisherVec"):
        replace(example(), regions="1x2")


def test_the_manifest_is_json_that_a_person_can_read(tmp_path):
    with np.load(saved(tmp_path)) as file:
        manifest = json.loads(file["manifest"].tobytes())
        assert sorted(file) == ["conv1.bias", "conv1.weight", "fc.bias", "fc.weight", "manifest"]
    assert (manifest["format"], manifest["version"]) == ("lrp-ref model", 1)
    assert manifest["layers"][0] == {"name": "conv1", "type": "Conv2D", "stride": [2, 1], "pad": [0, 0],
                                     "dilation": [1, 1], "groups": 1}


def test_a_path_may_be_a_string(tmp_path):
    save_model(example(), str(tmp_path / "model.npz"))
    assert load_model(str(tmp_path / "model.npz")).classes == ("brick", "grass")


# ---- What cannot be written ----


def test_exact_weights_are_refused_for_both_formats(tmp_path):
    exact = model_of(Linear(np.array([[Fraction(1, 3)]])))
    for name in ("model.npz", "model.txt"):
        with pytest.raises(ValueError, match=r"cannot save weights of .*Fraction.*astype"):
            save_model(exact, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["model.h5", "model", "model.npz.tmp"])
def test_another_suffix_is_refused_by_name(tmp_path, name):
    with pytest.raises(ValueError, match=f"got the file name {name}, needed one that ends in .npz .* or .txt"):
        save_model(example(), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".npz", ".txt"])
def test_a_path_that_cannot_be_written_is_refused_and_nothing_is_left(tmp_path, suffix):
    (tmp_path / f"folder{suffix}").mkdir()
    for path in (tmp_path / "missing" / f"model{suffix}", tmp_path / f"folder{suffix}"):
        with pytest.raises(ValueError, match=f"cannot write .*{suffix}: .*: (make it or )?choose another path$"):
            save_model(example(), path)
    assert [p.name for p in tmp_path.rglob("*")] == [f"folder{suffix}"]


def test_a_write_that_fails_half_way_keeps_the_old_file_and_leaves_nothing_else(tmp_path, monkeypatch):
    path = saved(tmp_path)
    before = path.read_bytes()

    def full(file, **arrays):
        file.write(b"PK\x03\x04 half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(ValueError, match=r"cannot write .*model\.npz: No space left on device"):
        save_model(example(), path)
    assert [p.name for p in tmp_path.iterdir()] == ["model.npz"]
    assert path.read_bytes() == before


# ---- Files that are damaged or are no model ----


def test_a_missing_file_is_named(tmp_path):
    assert "no model file" in refused(tmp_path / "absent.npz", FileNotFoundError)


def test_a_missing_file_is_an_oserror_as_open_has_it_and_a_refusal_as_all_others(tmp_path):
    for kind in (FileNotFoundError, ValueError):
        with pytest.raises(kind):
            load_model(tmp_path / "absent.npz")


@pytest.mark.parametrize("path", [None, 3, b"a.npz", "a\0.npz", ["a.npz"]], ids=repr)
def test_what_is_no_path_is_refused_to_read_and_to_write(path):
    for call in (load_model, lambda path: save_model(example(), path)):
        with pytest.raises(ValueError, match=r"^got the model file .*, needed the path of an \.npz or \.txt file$"):
            call(path)


def test_a_name_that_no_file_can_have_is_no_file_and_can_be_shown(tmp_path):
    for name in ("x" * 5000 + ".npz", "\x1b[31m.npz", "\udcff.npz"):
        with pytest.raises(ValueError, match=r"^no model file .*: give the path") as caught:
            load_model(name)
        assert str(caught.value).isprintable() and len(str(caught.value)) <= 500


def test_what_is_no_model_is_not_saved(tmp_path):
    with pytest.raises(ValueError, match=r"^save_model got model=Network.*, needed a Model: a network"):
        save_model(example().chain, tmp_path / "model.npz")


@pytest.mark.parametrize("shape", [None, 3, (), (1,), (1, 1, 5.0, 7), (1, 1, -5, 7), "1157", (True, 1, 5, 7)], ids=repr)
def test_a_shape_that_is_none_is_refused(shape):
    for model in (example(), fisher_model(regions="1x2")):
        with pytest.raises(ValueError, match=r"^network got shape=.*, needed the shape of the input, \(N, C, H, W\)"):
            model.network(shape)


def test_a_folder_is_no_model_file(tmp_path):
    (tmp_path / "folder.npz").mkdir()
    assert "no model file" in refused(tmp_path / "folder.npz", FileNotFoundError)


def test_another_suffix_is_refused(tmp_path):
    path = tmp_path / "model.pth"
    path.write_bytes(b"PK\x03\x04")
    assert "got the model file model.pth, needed .npz (lrp_ref) or .txt (lrp_toolbox)" in refused(path)


def test_a_file_cut_short_anywhere_is_refused(tmp_path):
    path = saved(tmp_path)
    whole = path.read_bytes()
    for length in [0, 1, 4, *range(10, len(whole) - 1, 17), len(whole) - 1]:
        path.write_bytes(whole[:length])
        assert "truncated" in refused(path), length


def test_a_flipped_byte_is_noticed_or_does_no_harm(tmp_path):
    """Zip files keep a checksum of what they hold; some bytes, such as a date, mean nothing to us."""
    path, wanted = saved(tmp_path), example()
    whole = path.read_bytes()
    harmless = 0
    for position in range(0, len(whole), 3):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0x55]) + whole[position + 1:])
        try:
            loaded = load_model(path)
        except ValueError:
            refused(path)
        else:
            assert_same_network(loaded.chain, wanted.chain)
            harmless += 1
    assert harmless < len(whole) / 3 / 4


def test_an_npz_of_something_else_is_told_apart(tmp_path):
    path = tmp_path / "foreign.npz"
    np.savez(path, images=np.zeros((2, 3)), labels=np.zeros(2))
    assert "no model: it has no manifest (it holds images, labels)" in refused(path)
    np.savez(path)
    assert "(it holds nothing)" in refused(path)


@pytest.mark.parametrize("members", [{"manifest": b"Manifest-Version: 1.0"}, {"manifest.npy": b"\x93NUMPY\x01"},
                                     {"META-INF/MANIFEST.MF": b"1.0"}, {"manifest": b""}])
def test_a_zip_of_something_else_is_told_apart(tmp_path, members):
    path = tmp_path / "archive.npz"
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    refused(path)


@pytest.mark.parametrize("content", [b"", b"not a zip", b"\x93NUMPY\x01\x00", pickle.dumps({"manifest": 1})],
                         ids=["empty", "text", "npy", "pickle"])
def test_a_file_that_is_no_zip_is_told_apart(tmp_path, content):
    path = tmp_path / "model.npz"
    path.write_bytes(content)
    assert "no complete .npz file" in refused(path)


class Trap:
    """An object whose unpickling leaves a file behind."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("key", ["manifest", "conv1.weight", "another"])
def test_pickled_objects_are_refused_and_never_loaded(tmp_path, key):
    sprung = tmp_path / "sprung"
    with np.load(saved(tmp_path)) as file:
        arrays = dict(file)
    path = tmp_path / "pickled.npz"
    np.savez(path, **{**arrays, key: np.array([Trap(sprung)], dtype=object)})
    assert "it holds pickled objects, which are never loaded" in refused(path)
    assert not sprung.exists()
    with np.load(path, allow_pickle=True) as file:   # the trap is a real one
        file[key]
    assert sprung.exists()


def text(json_text):
    return np.frombuffer(json_text.encode(), np.uint8)


def edited(tmp_path, change):
    """The example's file with its manifest and arrays changed."""
    with np.load(saved(tmp_path)) as file:
        arrays = dict(file)
    manifest = json.loads(arrays.pop("manifest").tobytes())
    change(manifest, arrays)
    path = tmp_path / "edited.npz"
    np.savez(path, **{"manifest": text(json.dumps(manifest)), **arrays})
    return path


CHANGES = {
    "version 3": (lambda m, a: m.update(version=3), "its format is 'lrp-ref model' version 3, this program reads "
                  "'lrp-ref model' version 1 and 2: is lrp_ref"),
    "a graph's version without what layers read": (lambda m, a: m.update(version=2),
                                                   "layer conv1: Conv2D: 'reads' is missing"),
    "what a chain's layer reads": (lambda m, a: m["layers"][1].update(reads=["conv1"]),
                                   "layer relu1: ReLU has a field 'reads' that"),
    "a tensor that nothing makes": (
        lambda m, a: (m.update(version=2), [layer.update(reads=["input"]) for layer in m["layers"]],
                      m["layers"][1].update(reads=["conv"])), "layer relu1 reads 'conv', which nothing makes"),
    "another format": (lambda m, a: m.update(format="onnx"), "its format is 'onnx' version 1"),
    "no version": (lambda m, a: m.pop("version"), "'version' is missing"),
    "no layers": (lambda m, a: m.pop("layers"), "'layers' is missing"),
    "empty layers": (lambda m, a: m.update(layers=[]), "Network got no layers"),
    "no classes": (lambda m, a: m.pop("classes"), "'classes' is missing"),
    "no preprocessing": (lambda m, a: m.pop("preprocessing"), "'preprocessing' is missing"),
    "no type": (lambda m, a: m["layers"][1].pop("type"), "'type' is missing"),
    "unknown type": (lambda m, a: m["layers"][1].update(type="Swish"),
                     "layer relu1 is a Swish: did you mean 'Hardswish'? this program knows Linear, Conv2D,"),
    "one name twice": (lambda m, a: m["layers"][1].update(name="flat"), "two tensors named flat"),
    "name no text": (lambda m, a: m["layers"][1].update(name=3),
                     "layer 1 got name=3, needed a name of 1 to 100 letters"),
    "missing weight": (lambda m, a: a.pop("fc.weight"), "layer fc, a Linear, has no weight"),
    "missing bias": (lambda m, a: a.pop("conv1.bias"), "layer conv1, a Conv2D, has no bias"),
    "missing parameter": (lambda m, a: m["layers"][0].pop("groups"), "layer conv1, a Conv2D, has no groups"),
    "bias both ways": (lambda m, a: m["layers"][0].update(bias=None), "has bias in the manifest and as an array"),
    "extra parameter": (lambda m, a: m["layers"][0].update(padding_mode="reflect"),
                        "layer conv1: Conv2D has a field 'padding_mode' that this program does not know"),
    "extra array": (lambda m, a: a.update({"fc.scale": numbers(2)}), "no layer has a place for fc.scale"),
    "array of a layer that is not there": (lambda m, a: a.update({"fc2.weight": numbers(2)}), "a place for fc2.weight"),
    "bias of another shape": (lambda m, a: a.update({"fc.bias": numbers(3)}), "got bias of shape (3,), needed (2,)"),
    "half precision": (lambda m, a: a.update({"fc.bias": numbers(2).astype(np.float16)}), "numbers of type float16"),
    "whole numbers": (lambda m, a: a.update({"fc.bias": np.arange(2)}), "numbers of type int64"),
    "mixed precision": (lambda m, a: a.update({"fc.bias": numbers(2).astype(np.float32)}), "several number types"),
    "regions without descriptors": (lambda m, a: m.update(regions="2x2"), "has no DenseSift and FisherVector to put"),
    "NaN": (lambda m, a: a.update({"fc.bias": np.array([1, np.nan])}), "Linear bias is nan at (1,)"),
    "stride no number": (lambda m, a: m["layers"][0].update(stride="two"), "got stride='two'"),
    "stride 0": (lambda m, a: m["layers"][0].update(stride=[0, 1]), "got stride=[0, 1]"),
    "unknown colour": (lambda m, a: m["preprocessing"].update(colour="cmyk"), "got colour='cmyk'"),
    "unknown preprocessing": (lambda m, a: m["preprocessing"].update(zoom=3),
                              "preprocessing has a field 'zoom' that this program"),
    "layers no list": (lambda m, a: m.update(layers=7), "the manifest got layers=7, needed a list"),
    "manifest a list": (lambda m, a: a.update(manifest=text("[3]")), "the manifest is [3], needed fields"),
    "manifest no JSON": (lambda m, a: a.update(manifest=text("{")), "the manifest is no JSON: Expecting property name"),
    "manifest no text": (lambda m, a: a.update(manifest=np.array([255, 0], np.uint8)),
                         "the manifest is no text in UTF-8"),
    "manifest of another kind": (lambda m, a: a.update(manifest=np.array(["{}"])),
                                 "the array manifest has 8 bytes, which are no <U2 numbers of shape (1,)"),
}


CHANGES |= {
    "ceil a text": (lambda m, a: m["layers"][0].update(type="MaxPool", ceil="no", size=2) or a.pop("conv1.weight"),
                    "layer conv1: MaxPool got ceil='no', needed true or false"),
    "groups a truth": (lambda m, a: m["layers"][0].update(groups=True), "got groups=True, needed a whole number"),
    "stride beyond int64": (lambda m, a: m["layers"][0].update(stride=10**30), "Conv2D got stride=1000000000000000000"),
    "a number of 401 digits": (lambda m, a: m["layers"][0].update(stride=10**400), "a number of 401 digits, needed at"),
    "weights in the manifest": (lambda m, a: m["layers"][3].update(weight=[[1.0], [2.0]]) or a.pop("fc.weight"),
                                "layer fc: Linear got weight[0][0]=1.0, needed a whole number"),
    "classes a text": (lambda m, a: m.update(classes="ab"), "the manifest got classes='ab', needed a list"),
    "a class no text": (lambda m, a: m.update(classes=["a", None]), "the manifest got classes[1]=None, needed a text"),
    "provenance no text": (lambda m, a: m.update(provenance=3), "the manifest got provenance=3, needed a text"),
    "no mean": (lambda m, a: m["preprocessing"].pop("mean"), "preprocessing: 'mean' is missing"),
    "a mean in words": (lambda m, a: m["preprocessing"].update(mean="0.5"), "got mean='0.5', needed a finite"),
    "a size too many": (lambda m, a: m["preprocessing"].update(size=[10**5, 10**5]), "of at most 16777216 pixels"),
    "preprocessing a list": (lambda m, a: m.update(preprocessing=[1]), "preprocessing is [1], needed fields"),
    "a field too many": (lambda m, a: m.update(Classes=[]), "the manifest has a field 'Classes' that this program does "
                         "not know: did you mean 'classes'?"),
    "a name with an escape": (lambda m, a: m["layers"][1].update(name="\x1b[31m"),
                              "layer 1 got name='\\x1b[31m', needed a name of 1 to 100 letters that can be printed"),
    "a layer no object": (lambda m, a: m["layers"].insert(0, "ReLU"), "layer 0 is 'ReLU', needed fields"),
    "brackets": (lambda m, a: a.update(manifest=text("[" * 10**5)), "brackets in brackets, needed at most 32 deep"),
    "33 brackets": (lambda m, a: m.update(classes=json.loads("[" * 33 + "]" * 33)), "needed at most 32 deep"),
    "one field twice": (lambda m, a: a.update(manifest=text('{"layers": [], "layers": []}')), "field 'layers' twice"),
    "a million regions": (lambda m, a: m.update(regions="1000x1000"), "no DenseSift and FisherVector"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_manifest_that_does_not_fit_is_refused_by_what_is_wrong(tmp_path, change):
    apply, wanted = CHANGES[change]
    assert wanted in refused(edited(tmp_path, apply))


def test_an_unchanged_manifest_passes(tmp_path):
    assert_same_network(load_model(edited(tmp_path, lambda m, a: None)).chain, example().chain)


# ---- What surrounds the network ----


def test_prepare_gives_maximum_times_light_minus_mean_over_std_in_the_order_of_channels():
    model = replace(example(), preprocessing=Preprocessing((1, 2), "bgr", 255, (1, 2, 3), (2, 2, 4)))
    photograph = np.array([[[255, 0, 0], [0, 255, 0]]], np.uint8)   # a red pixel, a green one
    # blue (0 - 1) / 2; green (0 - 2) / 2 and (255 - 2) / 2; red (255 - 3) / 4 and (0 - 3) / 4
    assert model.prepare(photograph).tolist() == [[[[-0.5, -0.5]], [[-1, 126.5]], [[63, -0.75]]]]


def test_prepare_gives_the_networks_number_type_and_size():
    model = replace(example(), chain=example().chain.astype(np.float32))
    x = model.prepare(np.zeros((10, 21), bool))
    assert (x.dtype, x.shape) == (np.float32, (1, 1, 5, 7))
    assert model.network(x.shape) is model.chain


def test_prepare_without_a_size_asks_for_one():
    model = replace(example(), preprocessing=Preprocessing(None))
    with pytest.raises(ValueError, match=r"size of its input: give one with model\.at_size"):
        model.prepare(np.zeros((5, 7)))
    assert model.at_size((5, 7)).prepare(np.zeros((9, 9))).shape == (1, 1, 5, 7)


@pytest.mark.parametrize(("photograph", "wanted"), [
    ((480, 1000), (480, 1000)), ((481, 1000), (480, 998)), ((960, 641), (480, 320)), ((960, 643), (480, 321)),
    ((1920, 1), (480, 1)), ((10, 3000), (10, 3000)),
], ids=str)
def test_a_tall_photograph_is_shrunk_in_its_own_proportions(photograph, wanted):
    # 1000 * 480 / 481 = 997.9; 641 / 2 and 643 / 2, a half being rounded down
    assert Preprocessing(None, tallest=480).size_of(photograph) == wanted
    assert Preprocessing((5, 7), tallest=480).size_of(photograph) == (5, 7)


def test_prepare_shrinks_a_tall_photograph_alone():
    model = fisher_model()
    assert model.prepare(np.zeros((40, 24))).shape == (1, 1, 20, 12)
    flat = np.linspace(0, 1, 19 * 30).reshape(19, 30)
    assert (model.prepare(flat)[0, 0] == flat).all()


def test_at_size_changes_the_size_alone():
    before = Preprocessing((5, 7), "rgb", 255, 3, (1, 2, 4))
    model = replace(example(), preprocessing=before).at_size((8, 6))
    assert model.preprocessing == replace(before, size=(8, 6))
    assert (model.classes, model.provenance) == (["brick", "grass"], "made for a test")


def test_network_refuses_a_shape_that_the_layers_cannot_take():
    with pytest.raises(ValueError, match="layer fc: Linear got an input of shape"):
        example().network((1, 1, 5, 8))


def test_a_class_goes_by_its_name_or_its_number_and_a_name_first():
    model = of_scores("ten", "0", "brick")
    assert [model.class_index(name) for name in ("brick", 2, "2", "0", 0)] == [2, 2, 2, 1, 0]


@pytest.mark.parametrize("name", ["brik", "3", 3, "-1", -1, ""])
def test_an_unknown_class_is_refused_with_those_there_are(name):
    with pytest.raises(ValueError, match="its classes are 0 to 1: brick, grass") as caught:
        example().class_index(name)
    assert repr(name) in str(caught.value)
    assert ("did you mean 'brick'?" in str(caught.value)) == (name == "brik")


@pytest.mark.parametrize("given, wanted", [
    ({"size": (0, 5)}, "got size=(0, 5)"), ({"size": (5,)}, "got size=(5,)"), ({"size": (2.5, 5)}, "got size=(2.5, 5)"),
    ({"colour": "gray"}, "colour='gray', needed grey, rgb or bgr"), ({"mean": (1, 2)}, "mean=(1, 2)"),
    ({"mean": np.nan}, "mean=nan"), ({"colour": "rgb", "std": (1, 2)}, "std=(1, 2)"), ({"std": 0}, "std=(0.0,)"),
    ({"std": -2.0}, "std=(-2.0,)"), ({"maximum": 0}, "maximum=0"), ({"maximum": np.inf}, "maximum=inf"),
    ({"size": None, "tallest": 0}, "tallest=0, needed a number of rows"),
    ({"size": None, "tallest": (480, 640)}, "tallest=(480, 640), needed a number of rows"),
])
def test_preprocessing_that_makes_no_sense_is_refused(given, wanted):
    with pytest.raises(ValueError) as caught:
        Preprocessing(**{"size": (5, 7), **given})
    assert wanted in str(caught.value)
    assert "needed" in str(caught.value)


def test_a_layer_of_ones_own_is_refused_before_a_file_that_nobody_reads(tmp_path: Path) -> None:
    class Mine(ReLU):
        pass

    model = Model(Network([("mine", Mine())]), ["a"], Preprocessing((2, 3)))
    with pytest.raises(ValueError, match="cannot save layer mine, a Mine"):
        save_model(model, tmp_path / "mine.npz")
    assert not list(tmp_path.iterdir())


def test_an_exact_model_prepares_exact_numbers() -> None:
    model = Model(Network([("fc", Linear(np.array([[2.0], [3.0]])))]).astype(Fraction), ["a"], Preprocessing((1, 2)))
    assert set(map(type, model.prepare(np.array([[0, 255]], np.uint8)).flat)) == {Fraction}


def test_what_is_saved_can_be_loaded_or_is_refused_before_a_file_is_there(tmp_path: Path) -> None:
    for name in ("", "\x1b[2J", "a\0b", "\ud800", "x" * 101):
        with pytest.raises(ValueError, match=r"Network got the name .*, needed 1 to 100 printable characters"):
            save_model(model_of(ReLU(), name), tmp_path / "model.npz")
    assert not list(tmp_path.iterdir())


# ---- Sizes are declared, checked, then allocated ----


def bomb(path: Path, members: dict[str, int]) -> None:
    """Zeros of so many bytes, which a zip file holds in a thousandth of that, behind headers that promise them."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, count in members.items():
            with file.open(f"{name}.npy", "w", force_zip64=True) as member:
                shape = {"descr": "<f8", "fortran_order": False, "shape": (count,)}
                np.lib.format.write_array_header_1_0(member, shape)
                for _ in range(8 * count >> 20):
                    member.write(bytes(1 << 20))


@pytest.mark.parametrize(("members", "wanted"), [
    ({"fc.weight": 1 << 28}, "it has 1 arrays of 2147483776 bytes, needed at most 20000 of 1610612736"),
    ({"a": 1 << 23, "b": 1 << 23}, "it has no manifest"),
    ({"manifest": 1 << 23}, "its manifest has 67108864 bytes, needed at most 16777216"),
])
def test_a_file_that_unpacks_to_much_is_refused_before_it_is_unpacked(tmp_path: Path, members: dict[str, int],
                                                                      wanted: str) -> None:
    bomb(tmp_path / "bomb.npz", members)
    assert (tmp_path / "bomb.npz").stat().st_size < 3 << 20
    tracemalloc.start()
    assert wanted in refused(tmp_path / "bomb.npz")
    assert tracemalloc.get_traced_memory()[1] < 4 << 20
    tracemalloc.stop()


def test_an_array_that_has_not_what_its_header_says_is_refused_before_there_is_room_for_it(tmp_path: Path) -> None:
    path = saved(tmp_path)
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    head = BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "<f8", "fortran_order": False, "shape": (10**12,)})
    with zipfile.ZipFile(path, "w") as file:
        for name, data in members.items():
            file.writestr(name, head.getvalue() + bytes(16) if name == "fc.bias.npy" else data)
    assert "the array fc.bias has 16 bytes, which are no float64 numbers of shape (1000000000000,)" in refused(path)


def test_two_arrays_of_one_name_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path)
    with zipfile.ZipFile(path, "a") as file, pytest.warns(UserWarning, match="Duplicate name"):
        file.writestr("fc.bias.npy", file.read("fc.bias.npy"))
    assert "two of its arrays have one name" in refused(path)


def test_regions_are_counted_and_not_made() -> None:
    for regions in ("100000x100000", "+".join(["1x1"] * 1025), [(0, 0, 9, 9)] * 1025):
        with pytest.raises(ValueError, match=r"^regions_of got (\d+ \w+, needed at least one and at most 1024|'1x1)"):
            fisher_model(regions=regions)
    assert counted_regions("2x2+3x1+1x1") == 8 and counted_regions("32x32") == 1024


def test_an_input_for_which_the_layers_put_out_too_much_is_refused_before_any_work() -> None:
    model = Model(Network([("a", AdaptiveAvgPool(10_000)), ("b", ReLU()), ("c", ReLU())]), [], GREY)
    with pytest.raises(ValueError, match=r"for which layer c and all below have 300000035 numbers per image, needed"):
        model.network((1, 1, 5, 7))
    for model in (example(), fisher_model(regions="1x2")):
        with pytest.raises(ValueError, match=r"for which the input and all below have \d+ numbers per image, needed"):
            model.network((1, 1, 2**31 - 1, 20))
    with pytest.raises(ValueError, match=r"for which layer sift and all below have \d+ numbers per image, needed"):
        fisher_model(regions="1x2").network((1, 1, 6000, 6000))


def test_regions_of_very_many_descriptors_are_refused_before_there_is_room_for_them() -> None:
    with pytest.raises(ValueError, match=r"^regions_of got 100000 descriptors, which make 100000000 numbers of c_rl"):
        regions_of(np.broadcast_to(np.zeros(2), (100_000, 2)), (5, 7), "40x25")


# ---- Names of classes ----


@pytest.mark.parametrize(("classes", "wanted"), [
    (range(3), ("0", "1", "2")), ([3, 5, 8], ["3", "5", "8"]), (np.array([3, 5, 8]), ("3", "5", "8")),
    ([1.0, "b", np.int64(2)], ["1.0", "b", "2"]), (np.array(["a", "b"]), ("a", "b")), ((), ()),
], ids=str)
def test_class_names_are_texts_and_numbers_become_some(tmp_path: Path, classes: object, wanted: object) -> None:
    model = replace(of_scores(*wanted), classes=classes)
    assert model.classes == wanted and all(type(name) is str for name in model.classes)
    assert list(load_model(saved(tmp_path, model)).classes) == list(model.classes)


def test_a_number_that_is_a_name_is_the_class_of_that_name() -> None:
    model = of_scores(3, 5, 8)
    assert [model.class_index(name) for name in ("3", "5", "8", "0", 2)] == [0, 1, 2, 0, 2]


@pytest.mark.parametrize("classes", ["ab", b"ab", {"a": 1}, {"a", "b"}, 3, None, iter("ab"), np.zeros((2, 2))],
                         ids=lambda value: type(value).__name__)
def test_class_names_that_are_no_list_are_refused(classes: object) -> None:
    with pytest.raises(ValueError, match=r"^Model got classes=.*, needed a list of names"):
        replace(example(), classes=classes)


@pytest.mark.parametrize("name", [None, True, b"a", ["a"], Fraction(1, 2), 1j], ids=str)
def test_a_class_name_that_is_no_text_is_refused_by_its_place(name: object) -> None:
    with pytest.raises(ValueError, match=r"^Model got classes\[1\]=.*, needed a text, or a number that becomes one"):
        replace(example(), classes=["a", name])


def test_there_is_a_name_for_every_score_or_none(tmp_path: Path) -> None:
    for classes in (["a"], ["a", "b", "c"], range(10)):
        with pytest.raises(ValueError, match=f"^Model got {len(classes)} class names .* for 2 scores, needed a name"):
            replace(example(), classes=classes)
    assert replace(example(), classes=[]).classes == []
    edited = saved(tmp_path)   # a file that says so is refused too
    with np.load(edited) as kept:
        arrays = dict(kept)
    manifest = json.loads(arrays["manifest"].tobytes()) | {"classes": ["a", "b", "c"]}
    np.savez(edited, **arrays | {"manifest": np.frombuffer(json.dumps(manifest).encode(), np.uint8)})
    assert "3 class names (a, b, c) for 2 scores" in refused(edited)


def test_a_name_of_two_classes_is_refused_with_their_numbers() -> None:
    model = of_scores("crane", "ox", "crane")
    with pytest.raises(ValueError, match="got the class 'crane', which is the name of the classes 0, 2: give one of"):
        model.class_index("crane")
    assert model.class_index("ox") == 1 and model.class_index(2) == 2 and model.class_index("2") == 2


@pytest.mark.parametrize("name", [None, 1.0, ["brick"], True, "9" * 5000, "\x1b[31m", 10**5000], ids=type)
def test_what_is_no_class_is_refused_in_words_that_can_be_shown(name: object) -> None:
    with pytest.raises(ValueError, match=r"^(class_index got name=|got the class )") as caught:
        example().class_index(name)  # type: ignore[arg-type]
    assert str(caught.value).isprintable() and len(str(caught.value)) <= 500


@pytest.mark.parametrize("field", ["chain", "preprocessing", "provenance"])
@pytest.mark.parametrize("value", [None, 3, [1], ReLU()], ids=str)
def test_a_model_is_made_of_what_it_says(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=rf"^Model got {field}=.*, needed a"):
        replace(example(), **{field: value})


@pytest.mark.parametrize("given", [
    {"size": (True, 5)}, {"size": "5x7"}, {"size": 10**5}, {"size": np.ma.masked_array([5, 7], [1, 0])},
    {"maximum": True}, {"maximum": "255"}, {"maximum": 10**400}, {"mean": "0.5"}, {"mean": [0.5, "a", 1]},
    {"mean": [[0.5]]}, {"mean": 1j}, {"std": [None]}, {"std": 10**400}, {"tallest": True}, {"tallest": 10**30},
    {"colour": ["grey"]}, {"colour": np.array(["grey", "rgb"])}, {"std": 1e-308, "maximum": 255}, {"mean": {}},
], ids=str)
def test_preprocessing_of_other_types_is_refused_in_our_words(given: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"^Preprocessing got .*(needed|not finite)"):
        Preprocessing(**{"size": (5, 7), **given})  # type: ignore[arg-type]


def test_a_graph_is_saved_with_what_its_layers_read_and_a_chain_as_before(tmp_path: Path) -> None:
    network = Network([("flat", Flatten()), ("relu", ReLU()), ("add", Add(np.array([1.0, 2.0])), ("relu", "flat")),
                       ("beside", Concat(), ("add", "relu")), ("fc", Linear(np.arange(8.0).reshape(4, 2)))])
    model, x = Model(network, ["a", "b"], Preprocessing((1, 2))), np.array([[[[3.0, -1.0]]]])
    save_model(model, tmp_path / "graph.npz")
    loaded = load_model(tmp_path / "graph.npz").chain
    assert loaded.reads == network.reads and (loaded(x) == network(x)).all()
    assert (explain(loaded, x).relevance == explain(network, x).relevance).all()
    with np.load(tmp_path / "graph.npz") as file:
        assert json.loads(file["manifest"].tobytes())["version"] == 2


# ---- The part of a photograph that is seen ----


@pytest.mark.parametrize(("size", "crop", "photograph", "rows", "columns"), [
    # 7/8 of 300 is 262.5; (300 - 262 + 1) // 2 = 19, (451 - 262 + 1) // 2 = 95
    ((224, 224), 0.875, (300, 451), (19, 281), (95, 357)),
    ((224, 224), 0.875, (451, 300), (95, 357), (19, 281)),
    ((224, 224), 1, (5, 7), (0, 5), (1, 6)),
    ((10, 30), 1, (100, 120), (30, 70), (0, 120)),      # three times as wide as high: 40 rows of 120
    ((10, 30), 0.5, (100, 120), (40, 60), (30, 90)),    # and half of both
    ((30, 10), 0.5, (7, 100), (2, 5), (50, 51)),        # 3.5 x 7/6: one column
    ((9, 9), 1e-9, (50, 40), (25, 26), (20, 21)),       # a pixel at least
    ((9, 9), None, (50, 40), (0, 50), (0, 40)), (None, None, (50, 40), (0, 50), (0, 40)),
])
def test_a_crop_is_the_middle_in_the_proportions_of_the_size(size, crop, photograph, rows, columns):
    part = Preprocessing(size, tallest=60, crop=crop).part_of(photograph)
    assert part == (slice(*rows), slice(*columns))


def cropping(crop=0.5):
    return replace(example(), preprocessing=Preprocessing((4, 6), crop=crop))


def test_what_is_prepared_is_the_part_that_is_seen():
    pixels = np.random.default_rng(3).random((31, 44))
    model = cropping()
    seen = model.seen(pixels)
    assert seen.shape == (14, 22) and seen.tolist() == pixels[9:23, 11:33].tolist()   # 44 / 6 * 4 = 29.3 rows; half
    whole = replace(model, preprocessing=Preprocessing((4, 6)))
    assert model.prepare(pixels).tolist() == whole.prepare(seen).tolist() != whole.prepare(pixels).tolist()
    assert whole.seen(pixels).tolist() == pixels.tolist()
    colours = np.stack([pixels] * 3, axis=2)
    assert model.seen(colours).tolist() == colours[9:23, 11:33].tolist()


def test_a_part_with_fewer_pixels_than_the_input_is_enlarged_with_a_note():
    with pytest.warns(UserWarning, match=r"sees 3 x 5 pixels .* enlarged to 4 x 6") as notes:
        assert cropping().prepare(np.zeros((8, 10))).shape == (1, 1, 4, 6)
    assert notes[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cropping().prepare(np.zeros((8, 12)))   # 4 x 6 as it is: no note


def test_a_crop_is_kept_in_a_file_and_files_without_one_see_all(tmp_path):
    assert load_model(saved(tmp_path, cropping())).preprocessing == Preprocessing((4, 6), crop=0.5)
    older = edited(tmp_path, lambda m, a: m["preprocessing"].pop("crop"))
    assert load_model(older).preprocessing.crop is None


@pytest.mark.parametrize(("size", "crop"), [((4, 6), 0), ((4, 6), 1.01), ((4, 6), -1), ((4, 6), "all"), (None, 0.5),
                                            ((4, 6), float("nan"))])
def test_a_crop_that_is_none_is_refused(size, crop):
    with pytest.raises(ValueError, match="crop"):
        Preprocessing(size, crop=crop)


def test_models_that_have_names_are_loaded_by_them_and_only_names_are():
    for name in ("cnn", "fv", "vit"):
        by_file = load_model(Path(__file__).parents[2] / "data_fixtures" / f"{name}.npz")
        assert_same_network(load_model(name).chain, by_file.chain)
    with pytest.raises(ValueError, match="no model file cnn"):
        load_model(Path("cnn"))
