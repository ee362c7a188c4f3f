"""lrp-ref explain --tokens: a text's relevance by hand, ids and words of a vocabulary, the page, what is refused."""

import re
from pathlib import Path

import numpy as np
import pytest
from at_hand import parsed

from lrp_ref import Embedding, Linear, Mean, Model, Network, Preprocessing, attnlrp, explain, save_model

NAMES = ["[CLS]", "the", "film", "fail", "##ed"]
ROWS = np.array([[0.0, 0], [1, 2], [4, -2], [-3, 0], [0, 5]])
NETWORK = Network([("words", Embedding(ROWS)), ("mean", Mean((1,))), ("top", Linear(np.array([[1.0, 2], [3, -1]])))])
CALL = ("explain", "--model", "text.npz")


@pytest.fixture(autouse=True)
def files(folder):
    save_model(Model(NETWORK, ["good", "bad"], Preprocessing(None)), "text.npz")
    Path("words.txt").write_text("\n".join(NAMES) + "\n")


def test_a_token_has_what_it_gives_to_the_score(done):
    # ids 1 2 3 4: class good has w = (1, 3), and a quarter of w row_t is 7/4, -2/4, -3/4, 15/4: in sum 17/4
    got = parsed(done(*CALL, "--tokens", "1 2 3 4", "--json"))
    assert [(one["token"], one["id"]) for one in got["tokens"]] == [("1", 1), ("2", 2), ("3", 3), ("4", 4)]
    assert got["target"] == {"index": 0, "name": "good", "score": 4.25}
    # two layers with epsilon 1e-6 beside sums of at least 1/4 take some 1e-6 each of a token's part
    relevance = [one["relevance"] for one in got["tokens"]]
    np.testing.assert_allclose(relevance, [1.75, -0.5, -0.75, 3.75], rtol=2e-5, atol=0)
    assert abs(got["total"]["handed"] + got["total"]["stabiliser"] - 4.25) < 1e-14   # three sums in float64


def test_words_are_found_in_the_vocabulary(done):
    text = done(*CALL, "--tokens", "the film fail ##ed", "--vocabulary", "words.txt", "--class", "bad",
                "--rule", "epsilon:0")
    # w = (2, -1): a quarter of 0, 10, -6, -5
    assert "relevance\n          +0  the\n        +2.5  film\n        -1.5  fail\n       -1.25  ##ed\n" in text
    assert text.startswith("4 tokens\n") and re.search(r"bad +-0.2500   <- explained", text)


def test_the_page_and_the_arrays_say_the_same(done):
    text = done(*CALL, "--tokens", "1 2 2", "--output", "it.html", "--save", "it.npz", "--rule", "attnlrp")
    e = explain(NETWORK, np.array([[1.0, 2, 2]]), attnlrp(NETWORK))
    arrays = np.load("it.npz")
    assert (arrays["relevance"] == e.relevance).all() and arrays["ids"].tolist() == [1, 2, 2]
    assert arrays["tokens"].tolist() == ["1", "2", "2"] and arrays["classes"].tolist() == ["good", "bad"]
    told = re.findall(r'title="(.*?)"', Path("it.html").read_text(encoding="utf-8"))
    assert told == [f"{R:+.6g}" for R in e.relevance[0]]
    assert text.endswith("arrays written to it.npz\npage written to it.html\n")


def test_starts_and_cutoffs_are_those_of_photographs(done):
    got = parsed(done(*CALL, "--tokens", "1 3", "--start", "one-hot", "--class", "1", "--cutoff", "top",
                      "--rule", "epsilon:0", "--json"))
    assert got["start"] == "one-hot" and got["total"]["received"] == 1
    assert [one["relevance"] for one in got["tokens"]] == [0.5, 0.5]


def test_names_of_classes_come_from_a_file(done, folder):
    save_model(Model(NETWORK, [], Preprocessing(None)), "unnamed.npz")
    Path("classes.txt").write_text("yes\nno\n")
    call = ("explain", "--model", "unnamed.npz", "--tokens", "1 2", "--json")
    assert parsed(done(*call))["target"]["name"] == "1"
    assert parsed(done(*call, "--classes", "classes.txt"))["target"]["name"] == "no"


@pytest.mark.parametrize(("options", "said"), [
    (("--tokens", "1"), "got --tokens without --model, and no bundled model reads a text: give --model FILE.onnx"),
    ((), "got nothing to explain, needed an IMAGE, or --tokens TEXT: see lrp-ref explain --help"),
    (("photo.png", "--vocabulary", "words.txt"), "got --vocabulary without --tokens TEXT, which it is for"),
    (("photo.png", "--tokens", "1"), "got a photograph with --tokens, which explains a text: leave one of them out"),
    ((*CALL[1:], "--tokens", "1", "--output-dir", "x"), "got --output-dir with --tokens, which explains a text: …"),
    ((*CALL[1:], "--tokens", "1", "--smooth", "2"), "got --smooth with --tokens, …"),
    ((*CALL[1:], "--tokens", "1", "--output", "x.png"), "got --output x.png with --tokens, which writes a page: …"),
    ((*CALL[1:], "--tokens", "1", "--save", "x.npy"), "got --save x.npy, needed a name that ends in .npz"),
    ((*CALL[1:], "--tokens", "1", "--output", "text.npz"), "got --output text.npz, an input that would be lost: …"),
    (("--model", "model.npz", "--tokens", "1"), "got --tokens for model.npz, whose layer conv1 reads numbers that are "
     "no token ids: needed a network that begins with an Embedding"),
    ((*CALL[1:], "--tokens", "1 film"), "got --tokens '1 film' without --vocabulary, needed token ids with spaces …"),
    ((*CALL[1:], "--tokens", " "), "got --tokens ' ' without --vocabulary, …"),
    ((*CALL[1:], "--tokens", "5"), "layer words: Embedding got the token id 5.0 at (0, 0), …"),
    ((*CALL[1:], "--tokens", "the filn", "--vocabulary", "words.txt"), "got --tokens 'the filn', of which filn is no "
     "token in words.txt: did you mean 'film'? a tokenizer.json cuts texts itself"),
    ((*CALL[1:], "--tokens", "", "--vocabulary", "words.txt"), "got --tokens '', needed at least one token"),
    ((*CALL[1:], "--tokens", "1", "--vocabulary", "none.txt"), "got --vocabulary: got none.txt, which does not …"),
    ((*CALL[1:], "--tokens", "1", "--vocabulary", "photo.png"), "got --vocabulary photo.png, which is no text in …"),
    ((*CALL[1:], "--tokens", "1", "--classes", "words.txt"), "Model got 5 class names ([CLS], …) for 2 scores, …"),
])
def test_what_cannot_be_explained_is_said_in_a_line(run, options, said):
    code, out, err = run("explain", *options)
    assert (code, out) == (2, "")
    assert re.fullmatch(".*".join(map(re.escape, f"lrp-ref: error: {said}\n".split("…"))), err)


def test_a_tokenizer_cuts_the_text_itself(done, run):
    tokenizers = pytest.importorskip("tokenizers")
    numbers = {name: n for n, name in enumerate(NAMES)}
    made = tokenizers.Tokenizer(tokenizers.models.WordPiece(numbers, unk_token="[CLS]"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    made.save("tokenizer.json")
    got = parsed(done(*CALL, "--tokens", "the film failed", "--vocabulary", "tokenizer.json", "--json"))
    assert [one["token"] for one in got["tokens"]] == ["the", "film", "fail", "##ed"]
    Path("tokenizer.json").write_text("{}")
    code, _, err = run(*CALL, "--tokens", "the", "--vocabulary", "tokenizer.json")
    assert code == 2 and "which is no tokenizer that the package tokenizers reads: " in err
    assert run(*CALL, "--tokens", "", "--vocabulary", "tokenizer.json")[0] == 2
