"""lrp-ref explain --start and --through: what relevance begins with, and what it passes through."""

import numpy as np
import pytest
from at_hand import MODEL, NETWORK, PIXELS, parsed

from lrp_ref import explain, logit_difference, one_hot, paper_cnn, softmax_gradient

X = MODEL.prepare(PIXELS)
CALL = ("explain", "photo.png", "--model", "model.npz", "--class", "left")


def wanted(**given):
    return explain(NETWORK, X, paper_cnn(NETWORK), **given)


@pytest.mark.parametrize(("start", "target"), [
    ("logit", 0), ("one-hot", one_hot(0)), ("One_Hot", one_hot(0)), ("softmax-gradient", softmax_gradient(0)),
    ("difference:both", logit_difference(0, 2)), ("difference:1", logit_difference(0, 1))])
def test_a_start_is_the_function_of_that_name(done, start, target):
    got = parsed(done(*CALL, "--start", start, "--json"))
    e = wanted(target=target)
    assert got["total"]["handed"] == float(e.relevance.sum()) and got["start"] == start
    assert got["total"]["received"] == float(e.start.sum()) and got["target"]["index"] == 0


def test_without_a_class_it_is_the_top_score_s(done):
    got = parsed(done("explain", "photo.png", "--model", "model.npz", "--start", "one-hot", "--json"))
    assert got["total"]["received"] == 1 and got["target"]["index"] == int(wanted().scores[0].argmax())
    other = (got["target"]["index"] + 1) % 3
    got = parsed(done("explain", "photo.png", "--model", "model.npz", "--start", f"difference:{other}", "--json"))
    assert got["total"]["received"] == float(wanted(target=logit_difference(got["target"]["index"], other)).start.sum())


def test_through_is_given_for_every_layer(done):
    text = done(*CALL, "--through", "conv2:1", "--through", "relu1:0,3")
    e = wanted(target=0, through={"conv2": [1], "relu1": [0, 3]})
    assert e.relevance.any() and text.endswith(f"{e.ledger.table()}\n")
    assert "through conv2:1 alone, where the ledger begins\nthrough relu1:0,3 alone" in text
    assert parsed(done(*CALL, "--through", "relu1:0,3", "--json"))["through"] == {"relu1": [0, 3]}
    assert parsed(done(*CALL, "--json"))["through"] == {} != parsed(done(*CALL, "--json"))["start"] == "logit"


def test_saved_arrays_are_those_of_the_channels(done):
    done(*CALL, "--through", "relu1:2", "--start", "one-hot", "--save", "some.npz")
    e = wanted(target=one_hot(0), through={"relu1": 2})
    assert (np.load("some.npz")["relevance"] == e.relevance).all()


@pytest.mark.parametrize(("options", "text"), [
    (["--start", "logits"], "got --start logits, needed one of logit, one-hot, softmax-gradient, difference:CLASS"),
    (["--start", "one-hot:3"], "got --start one-hot:3, needed one of logit"),
    (["--start", "difference"], "got --start difference, needed the other class: --start difference:CLASS"),
    (["--start", "difference:left"], "logit_difference got class 0 on both sides, needed two"),
    (["--start", "difference:up"], "up"),
    (["--through", "relu1"], "got --through relu1, needed LAYER:CHANNEL,CHANNEL, as in relu1:0,5"),
    (["--through", "relu3:1"], "got the layer name 'relu3', which the network does not have: did you mean 'relu2'?"),
    (["--through", "relu1:a"], "got --through relu1:a, needed LAYER:CHANNEL,CHANNEL, as in relu1:0,5"),
    (["--through", "relu1:"], "got --through relu1:, needed LAYER:CHANNEL,CHANNEL"),
    (["--through", "relu1:4"], "through got channel 4 of relu1, needed channels from 0 to 3"),
    (["--through", "relu1:0", "--through", "relu1:1"], "got --through relu1 twice, needed all channels"),
    (["--through", "relu1:0", "--bound"], "got --bound with --start or --through, needed the relevance of the class's"),
])
def test_what_makes_no_sense_is_refused_in_one_line(run, options, text):
    code, out, err = run(*CALL, *options)
    assert code == 2 and out == "" and text in err and err.count("\n") == 1
