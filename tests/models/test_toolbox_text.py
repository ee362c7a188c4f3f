"""lrp_toolbox's text format: read in all its forms, refused by line and token where it is broken, written in full."""

import tracemalloc
import warnings

import numpy as np
import pytest
from models_at_hand import GREY, assert_same_network, layers, numbers

from lrp_ref import Conv2D, Flatten, Linear, MaxPool, Model, Network, ReLU, SumPool, Tanh, load_model, save_model
from lrp_ref.layers import LAYERS
from lrp_ref.models.toolbox_text import smallest_square

# z[v, o] = x[v] w[0, o] + x[v + 1] w[1, o] + b[o], with w = [[1, 2], [3, 4]], b = [1/2, -1]; at x = 2 1 1:
# z[0] = 5.5, 7; z[1] = 4.5, 5. lrp_toolbox flattens that to 5.5 7 4.5 5, this project to 5.5 4.5 7 5.
IMAGE = np.array([[[[2.0, 1, 1]]]])
CONVOLUTION = ["Convolution 1 2 1 2 1 1", "1 2 3 4", "0.5 -1"]
LINEAR = ["Linear 4 1", "1 10 100 1000", "0.25"]
SCORE = 5.5 + 70 + 450 + 5000 + 0.25


def read(tmp_path, text, name="model.txt"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_model(path)


def joined(*lines):
    return "".join(f"{line}\n" for line in lines)


def refused(tmp_path, text):
    """The message with which a text is refused: one line that names the file."""
    with pytest.raises(ValueError) as caught:
        read(tmp_path, text)
    message = str(caught.value)
    assert "\n" not in message
    assert str(tmp_path / "model.txt") in message
    return message.replace(str(tmp_path), "")


# ---- What the records mean ----


def test_a_convolution_takes_rows_columns_channels_outputs_and_strides(tmp_path):
    """h w C O = 2 1 2 3, strides 2 down and 1 across; the weights 1 .. 12 in that order of axes."""
    text = joined("Convolution 2 1 2 3 2 1", " ".join(map(str, range(1, 13))), "0.5 -1 2")
    layer = read(tmp_path, text).chain["convolution1"]
    # weight[o] of channel c at rows t = 0, 1 is 1 + 6 t + 3 c + o
    assert layer.weight[:, :, :, 0].tolist() == [[[1, 7], [4, 10]], [[2, 8], [5, 11]], [[3, 9], [6, 12]]]
    assert layer.bias.tolist() == [0.5, -1, 2]
    assert (layer.stride, layer.pad, layer.dilation, layer.groups) == ((2, 1), (0, 0), (1, 1), 1)


def test_a_linear_layer_takes_inputs_first(tmp_path):
    layer = read(tmp_path, joined("Linear 2 3", "1 2 3 4 5 6", "-1 0 1")).chain["linear1"]
    assert layer.weight.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert layer.bias.tolist() == [-1, 0, 1]


def test_sum_pooling_divides_by_the_root_of_the_windows_size(tmp_path):
    layer = read(tmp_path, joined("SumPool 2 8 3 1")).chain["sumpool1"]
    assert (layer.size, layer.stride, layer.scale) == ((2, 8), (3, 1), 0.25)


def test_max_pooling_rect_and_tanh_are_read_and_layers_are_numbered_by_kind(tmp_path):
    chain = read(tmp_path, joined("Rect", "MaxPool 2 3 1 4", "Tanh", "Rect")).chain
    assert chain.names == ("rect1", "maxpool1", "tanh1", "rect2")
    assert [type(layer) for _, layer in chain] == [ReLU, MaxPool, Tanh, ReLU]
    assert (chain["maxpool1"].size, chain["maxpool1"].stride) == ((2, 3), (1, 4))


@pytest.mark.parametrize("between, score", [
    ([], SCORE), (["Rect"], SCORE), (["Rect", "Flatten", "Rect"], SCORE),
    (["Tanh"], np.tanh([5.5, 7, 4.5, 5]) @ [1, 10, 100, 1000] + 0.25),
], ids=["nothing", "Rect", "Rect, Flatten, Rect", "Tanh"])
def test_a_linear_layer_behind_flatten_reads_rows_columns_channels(tmp_path, between, score):
    chain = read(tmp_path, joined(*CONVOLUTION, "Flatten", *between, *LINEAR)).chain
    assert chain(IMAGE).item() == pytest.approx(score, rel=1e-14, abs=0)   # a sum of five numbers rounds


def test_only_the_linear_layer_behind_flatten_changes_its_order(tmp_path):
    second = ["Linear 1 4", "1 2 3 4", "0 0 0 0", "Flatten", "Linear 4 2", "1 2 3 4 5 6 7 8", "0 0"]
    chain = read(tmp_path, joined(*CONVOLUTION, "Flatten", *LINEAR, *second)).chain
    assert chain["linear3"].weight.tolist() == [[1, 2], [3, 4], [5, 6], [7, 8]]
    assert chain(IMAGE).tolist() == [[SCORE * (1 + 6 + 15 + 28), SCORE * (2 + 8 + 18 + 32)]]


def test_the_pooling_between_convolution_and_flatten_keeps_the_channels(tmp_path):
    """Winners of 5.5 4.5 and 7 5, then both twice in the order column, channel: 5.5 7."""
    chain = read(tmp_path, joined(*CONVOLUTION, "MaxPool 1 2 1 1", "Flatten", "Linear 2 1", "1 10", "0")).chain
    assert chain(IMAGE).item() == 75.5


def test_classes_are_numbered_and_pixels_go_to_minus_1_to_1(tmp_path):
    model = read(tmp_path, joined("Convolution 2 3 3 2 1 1", " ".join("1" * 36), "0 0", "Flatten",
                                  "Linear 8 3", " ".join("1" * 24), "0 0 0"))
    assert model.classes == ["0", "1", "2"]
    # An n x n image gives (n - 1) (n - 2) windows of 2 x 3, and the Linear needs 4 of them: no n does it.
    assert (model.preprocessing.colour, model.preprocessing.size) == ("rgb", None)
    assert (model.preprocessing.mean, model.preprocessing.std) == ((0.5,), (0.5,))


def test_the_size_is_the_smallest_square_that_fits(tmp_path):
    model = read(tmp_path, joined("Convolution 3 3 1 2 2 2", " ".join("1" * 18), "0 0", "Flatten",
                                  "Linear 8 1", " ".join("1" * 8), "0"))
    assert (model.preprocessing.colour, model.preprocessing.size) == ("grey", (5, 5))   # 2 x 2 outputs
    assert read(tmp_path, joined(*LINEAR)).preprocessing.size is None                   # no image at all


# ---- The forms that files come in ----


PLAIN = joined(*CONVOLUTION, "Rect", "Flatten", *LINEAR)
FORMS = {
    "CRLF": PLAIN.replace("\n", "\r\n"),
    "no newline at the end": PLAIN.rstrip("\n"),
    "blank lines": "\n\n" + PLAIN.replace("\n", "\n  \n") + "\n\t\n",
    "spaces and tabs": PLAIN.replace(" ", " \t ").replace("\n", " \n "),
    "exponents": PLAIN.replace("1000", "1.e+03").replace("0.5", "+5E-1"),
    "NumPy 2's numbers": PLAIN.replace("1 2 3 4", "np.float64(1.0) np.float32(2.0) np.float64(3e0) 4"),
    "legacy": joined(*CONVOLUTION, "Rect", "Flatten", "Linear 4 1", "1", "10", "100", "1000", "0.25"),
    "legacy, NumPy 2's numbers": joined(*CONVOLUTION, "Rect", "Flatten", "Linear 4 1", "np.float64(1.0)", "10", "100",
                                        "np.float64(1000.0)", "np.float64(0.25)"),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_file_reads_the_same(tmp_path, form):
    assert FORMS[form] != PLAIN
    wanted = read(tmp_path, PLAIN).chain
    assert wanted(IMAGE).item() == SCORE
    assert_same_network(read(tmp_path, FORMS[form]).chain, wanted)


def test_a_legacy_matrix_has_a_line_per_input(tmp_path):
    legacy = joined("Linear 3 2", "1 2", "3 4", "5 6", "-1 0.5", "Tanh", "Linear 2 1", "7", "8", "9")
    new = joined("Linear 3 2", "1 2 3 4 5 6", "-1 0.5", "Tanh", "Linear 2 1", "7 8", "9")
    assert_same_network(read(tmp_path, legacy).chain, read(tmp_path, new).chain)


def test_a_final_softmax_is_dropped_and_reported(tmp_path):
    with pytest.warns(UserWarning, match=r"model\.txt: the final SoftMax was dropped, .* the score") as caught:
        model = read(tmp_path, PLAIN + "SoftMax\n\n")
    assert caught[0].filename == __file__
    assert "its final SoftMax dropped" in model.provenance
    assert model.chain.names == ("convolution1", "rect1", "flatten1", "linear1")
    assert model.chain(IMAGE).item() == SCORE


def test_without_a_softmax_nothing_is_reported(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "SoftMax" not in read(tmp_path, PLAIN).provenance


# ---- Files that are broken ----


def whole(lines):
    """How many whole layers the first lines of PLAIN hold; None inside one."""
    return {3: 1, 4: 2, 5: 3, 8: 4}.get(lines)


@pytest.mark.parametrize("lines", range(8))
def test_a_file_that_ends_early_is_refused_unless_it_ends_behind_a_layer(tmp_path, lines):
    text = joined(*PLAIN.splitlines()[:lines])
    if whole(lines):
        assert len(read(tmp_path, text).chain) == whole(lines)
    elif lines == 0:
        assert "holds no layer: is it a text file of lrp_toolbox?" in refused(tmp_path, text)
    else:
        message = refused(tmp_path, text)
        assert f"ends after line {lines}, needed" in message
        assert message.endswith("is the file complete?")


@pytest.mark.parametrize("lines", range(1, 5))
def test_a_legacy_file_that_ends_early_is_refused(tmp_path, lines):
    text = joined(*["Linear 3 2", "1 2", "3 4", "5 6", "-1 0.5"][:lines])
    assert f"ends after line {lines}, needed" in refused(tmp_path, text)


def test_a_file_cut_at_any_character_gives_an_error_or_its_first_layers(tmp_path):
    names, lengths = read(tmp_path, PLAIN).chain.names, set()
    for length in range(len(PLAIN)):
        try:
            chain = read(tmp_path, PLAIN[:length]).chain
        except ValueError:
            refused(tmp_path, PLAIN[:length])
        else:
            assert chain.names == names[: len(chain)], length
            lengths.add(len(chain))
    assert lengths == {1, 2, 3, 4}


BROKEN = {
    "unknown layer": (["Rect", "Sigmoid"], "line 2: got 'Sigmoid', needed one of Linear, Convolution, SumPool"),
    "small letters": (["rect"], "line 1: got 'rect', needed one of"),
    "a number too many": (["Linear 1 2", "1 2", "3 4", "5"], "line 4: got '5', needed one of"),
    "a size missing": (["Convolution 1 2 1 2 1", "1 2 3 4", "0 0"],
                       "line 1: got 'Convolution 1 2 1 2 1', needed Convolution and 6 positive whole numbers"),
    "a size too many": (["Rect 3"], "line 1: got 'Rect 3', needed Rect and 0 positive whole numbers"),
    "a size of a softmax": (["Rect", "SoftMax 3"], "line 2: got 'SoftMax 3', needed SoftMax and 0"),
    "a size of 0": (["MaxPool 2 0 1 1"], "line 1: got 'MaxPool 2 0 1 1', needed MaxPool and 4"),
    "a negative size": (["MaxPool 2 2 -1 1"], "needed MaxPool and 4 positive whole numbers"),
    "a size with a point": (["Linear 2.0 1", "1 2", "3"], "line 1: got 'Linear 2.0 1'"),
    "too few weights": (["Linear 2 3", "1 2 3 4 5", "0 0 0"],
                        "line 2: got 5 numbers for the weights of Linear 2 3, needed 6"),
    "too many weights": (["Convolution 1 2 1 2 1 1", "1 2 3 4 5", "0 0"],
                         "line 2: got 5 numbers for the weights of Convolution 1 2 1 2, needed 4"),
    "too few biases": (["Rect", "", "Linear 2 2", "1 2 3 4", "0"],
                       "line 5: got 1 numbers for the biases of Linear 2 2, needed 2"),
    "a layer where biases belong": (["Convolution 1 1 1 1 1 1", "1", "Rect"], "line 3: token 1, 'Rect', is no number"),
    "a short row of a legacy matrix": (["Linear 3 2", "1 2", "3", "4 5", "6 7"],
                                       "line 3: got 1 numbers for row 2 of 3 of a legacy Linear, needed 2"),
    "a word": (["Linear 2 1", "1 x3", "0"], "line 2: token 2, 'x3', is no number"),
    "a comma": (["Linear 2 1", "1 0,5", "0"], "line 2: token 2, '0,5', is no number"),
    "half a NumPy number": (["Linear 2 1", "1 np.float64(2", "0"], "line 2: token 2, 'np.float64(2', is no number"),
    "NaN": (["Linear 2 1", "1 2", "nan"], "line 3: token 1 is nan, needed a finite number"),
    "NaN by NumPy": (["Linear 2 1", "np.float64(nan) 2", "1"], "line 2: token 1 is nan, needed a finite number"),
    "too large a number": (["Linear 2 1", "1 -1e999", "0"], "line 2: token 2 is -1e999, needed a finite number"),
    "an underscore": (["Linear 2 1", "1 1_0", "0"], "line 2: token 2 is 1_0, needed a finite number"),
    "softmax inside": ([*CONVOLUTION, "SoftMax", "Rect"], "line 4: got a SoftMax before other layers"),
    "two softmaxes": (["Rect", "SoftMax", "SoftMax"], "line 2: got a SoftMax before other layers"),
    "nothing but a softmax": (["SoftMax"], "holds no layer"),
    "flatten of an unknown image": (["Rect", "Flatten", *LINEAR], "line 2: got Flatten before any Convolution"),
    "channels that do not divide": ([*CONVOLUTION, "Flatten", "Linear 5 1", "1 2 3 4 5", "0"],
                                    "line 5: got a Linear of 5 inputs behind Flatten, needed a multiple of the 2"),
    "a linear layer on images": ([*CONVOLUTION, "Linear 2 1", "1 2", "0"], "line 4: got a Linear on images"),
}


@pytest.mark.filterwarnings("ignore:.*SoftMax was dropped")
@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_is_refused_by_line_and_token(tmp_path, case):
    lines, wanted = BROKEN[case]
    assert wanted in refused(tmp_path, joined(*lines))


HUGE = "9" * 5000
BROKEN_SIZES = {
    "a size of 5000 digits": ([f"MaxPool {HUGE} 1 1 1"], "line 1: got 'MaxPool 999"),
    "a size of eleven digits": (["Linear 99999999999 1", "1", "2"], "line 1: got 'Linear 99999999999 1', needed"),
    "a billion weights": (["Linear 1000000000 2000000000", "1 2", "3"], "line 2: got 2 numbers for the"),
    "a billion rows": (["Linear 1000000000 2", "1 2", "3 4"], "ends after line 3, needed 2 numbers for row 3 of 10"),
    "a billion pixels": (["Convolution 1000000 1000000 1000 1000 1 1", "1", "2"], "line 2: got 1 numbers for"),
    "a long word": (["x" * 10**6], "line 1: got 'xxx"),
    "a long number": (["Linear 1 1", HUGE, "0"], "line 2: token 1 is 999"),
    "a long word for a number": (["Linear 1 1", "x" * 10**6, "0"], "line 2: token 1, 'xxx"),
    "an escape": (["Linear 1 1", "\x1b[31m", "0"], "line 2: token 1, '\\x1b[31m', is no number"),
}


@pytest.mark.parametrize("case", BROKEN_SIZES)
def test_sizes_and_words_of_any_length_are_refused_in_a_short_line(tmp_path, case):
    lines, wanted = BROKEN_SIZES[case]
    tracemalloc.start()
    message = refused(tmp_path, joined(*lines))
    assert tracemalloc.get_traced_memory()[1] < 10**7   # the text some times, and no room for what a size promises
    tracemalloc.stop()
    assert wanted in message and message.isprintable() and len(message) <= 500


def test_a_file_that_is_too_large_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "model.txt"
    with path.open("wb") as file:
        file.truncate((1 << 27) + 1)
    with pytest.raises(ValueError, match=r"has 134217729 bytes, needed at most 134217728: save the model as \.npz"):
        load_model(path)


@pytest.mark.parametrize(("layers", "size"), [
    (["Convolution 3 2 1 1 2 1", "1 1 1 1 1 1", "0"], (3, 3)),
    (["Convolution 3 3 1 1 2 2", " ".join("1" * 9), "0", "Flatten", "Linear 65025 1", "1 " * 65025, "0"], (511, 511)),
    (["Convolution 3 3 1 1 2 2", " ".join("1" * 9), "0", "Flatten", "Linear 65536 1", "1 " * 65536, "0"], None),
    (["Convolution 1 1 1 1 600 600", "1", "0", "MaxPool 2 2 1 1"], None),
    (["Linear 1 1", "1", "0", "Convolution 1 1 1 1 1 1", "1", "0"], None),
], ids=["no Linear", "the largest", "larger", "a pooling that never fits", "a convolution of a score"])
def test_the_smallest_square_is_found_and_no_other(tmp_path, layers, size):
    assert read(tmp_path, joined(*layers)).preprocessing.size == size


def test_the_smallest_square_is_what_trying_all_gives():
    """Every chain that a Linear ends: the search by halving finds what trying one size after the other finds."""
    rng = np.random.default_rng(0)
    for _ in range(60):
        window, stride, pool = (tuple(map(int, rng.integers(1, 4, 2))) for _ in range(3))
        inputs = int(rng.integers(1, 40))
        chain = Network([("c", Conv2D(np.ones((2, 1, *window)), stride=stride)), ("m", MaxPool(pool)), ("f", Flatten()),
                         ("l", Linear(np.ones((inputs, 1))))])

        def fits(n, chain=chain):
            try:
                return bool(chain.shapes((1, 1, n, n)))
            except ValueError:
                return False

        assert smallest_square(chain) == next(((n, n) for n in range(1, 513) if fits(n)), None)


@pytest.mark.parametrize("content", [PLAIN.encode() + "µ".encode(), PLAIN.encode("utf-16"), b"\xef\xbb\xbfRect\n"],
                         ids=["UTF-8", "UTF-16", "byte order mark"])
def test_a_file_that_is_not_ascii_is_refused(tmp_path, content):
    assert "is no text file of lrp_toolbox: it is not ASCII" in refused(tmp_path, content)


# ---- Writing ----


def everything():
    """All layers the format knows, with numbers that lose something unless they are written in full."""
    linear = numbers(12, 3)
    linear[0] = 1 / 3, 5e-324, -0.0
    linear[1] = 1e22, -1.7976931348623157e308, 0.1
    return Network([
        ("c1", Conv2D(numbers(2, 3, 2, 3), numbers(2), (2, 1))), ("r", ReLU()),
        ("p", SumPool((2, 1), (1, 2), 1 / 2**0.5)), ("c2", Conv2D(numbers(4, 2, 1, 2), numbers(4))), ("t", Tanh()),
        ("m", MaxPool((1, 2), (1, 1))), ("f", Flatten()), ("r2", ReLU()), ("fc1", Linear(linear, numbers(3))),
        ("fc2", Linear(numbers(3, 2), numbers(2))),
    ])


def written(tmp_path, chain):
    save_model(Model(chain, [], GREY), tmp_path / "written.txt")
    return tmp_path / "written.txt"


def test_what_is_written_reads_back_bit_for_bit(tmp_path):
    chain = everything()
    loaded = load_model(written(tmp_path, chain)).chain
    assert_same_network(Network(zip(chain.names, (layer for _, layer in loaded))), chain)


def test_float32_weights_read_back_as_the_same_numbers(tmp_path):
    chain = Network([("fc", Linear(numbers(3, 2, dtype=np.float32), numbers(2, dtype=np.float32)))])
    loaded = load_model(written(tmp_path, chain)).chain
    assert_same_network(Network([("fc", loaded["linear1"])]), chain.astype(np.float64))


def test_the_text_is_lrp_toolboxs_own(tmp_path):
    chain = read(tmp_path, joined(*CONVOLUTION, "Rect", "SumPool 1 1 1 1", "Flatten", "Tanh", *LINEAR)).chain
    assert written(tmp_path, chain).read_bytes() == (
        b"Convolution 1 2 1 2 1 1\n1.0 2.0 3.0 4.0\n0.5 -1.0\nRect\nSumPool 1 1 1 1\nFlatten\nTanh\n"
        b"Linear 4 1\n1.0 10.0 100.0 1000.0\n0.25\n")


def test_a_missing_bias_is_written_as_zeros(tmp_path):
    chain = Network([("c", Conv2D(numbers(2, 1, 1, 2))), ("f", Flatten()), ("fc", Linear(numbers(4, 3)))])
    loaded = load_model(written(tmp_path, chain)).chain
    assert loaded["convolution1"].bias.tolist() == [0, 0]
    assert loaded["linear1"].bias.tolist() == [0, 0, 0]


W = np.ones((2, 2, 3, 3))
UNSAYABLE = {
    "padding": (Conv2D(W, pad=(0, 1)), "has padding, dilation or groups"),
    "dilation": (Conv2D(W, dilation=(2, 1)), "has padding, dilation or groups"),
    "groups": (Conv2D(W, groups=2), "has padding, dilation or groups"),
    "a plain sum": (SumPool((2, 8)), "a SumPool with scale=1.0 and not 1/sqrt(h w) = 0.25, has no record"),
    "padded pooling": (MaxPool(3, 1, (1, 0)), "a MaxPool with padding or ceil=True, has no record"),
    "pooling rounded up": (MaxPool(3, 2, ceil=True), "a MaxPool with padding or ceil=True, has no record"),
    **{key: (layer, f"a {type(layer).__name__}, has no record") for key, layer in layers(np.float64).items()
       if not isinstance(layer, (Conv2D, Flatten, MaxPool, ReLU, SumPool, Tanh)) and type(layer) is not Linear},
    "flatten of an unknown image": (Flatten(), "got Flatten before any Convolution"),
}


def test_every_type_of_layer_is_written_or_refused():
    said = {type(layer) for _, layer in everything()}
    assert said | {type(layer) for layer, _ in UNSAYABLE.values()} == set(LAYERS.values())


@pytest.mark.parametrize("case", UNSAYABLE)
def test_a_layer_the_format_cannot_say_is_refused_by_name_and_nothing_is_written(tmp_path, case):
    layer, wanted = UNSAYABLE[case]
    with pytest.raises(ValueError) as caught:
        written(tmp_path, Network([("relu", ReLU()), ("the layer", layer), ("last", ReLU())]))
    message = str(caught.value)
    assert wanted in message and "the layer" in message and "save" in message and "\n" not in message
    assert list(tmp_path.iterdir()) == []


def test_a_linear_layer_along_image_rows_is_refused(tmp_path):
    chain = Network([("conv", Conv2D(W)), ("rows", Linear(numbers(4, 2)))])
    with pytest.raises(ValueError, match=r"layer rows: got a Linear on images, .* put a Flatten before it"):
        written(tmp_path, chain)
