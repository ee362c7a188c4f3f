"""Cut-offs by the types of layers, maps as explain gives them, controls by hand, and what is measured of what."""

import math
from dataclasses import dataclass

import numpy as np
import pytest

from lrp_ref import (
    Add,
    AvgPool,
    Conv2D,
    Epsilon,
    Flat,
    Flatten,
    Linear,
    MaxPool,
    Model,
    Network,
    Preprocessing,
    ReLU,
    assign,
    cutoff,
    explain,
    heatmap,
    paper_cnn,
)
from lrp_ref.layers.fisher.sift import DenseSift
from lrp_ref.layers.fisher.vector import FisherVector
from lrp_ref.paper.measures import gini, holding, inside
from lrp_ref.paper.precision import Collection
from lrp_ref.paper.study import CONTRAST, MEASURES, SIGNS, contrast, cutoffs, maps, random_signs, study

rng = np.random.default_rng(0)
# 3 x 11 x 10 -> 4 x 9 x 8 -> 4 x 4 x 4 -> 2 x 3 x 3 -> 2 x 1 x 3 -> 6 -> 3
CNN = Network([("conv1", Conv2D(rng.normal(size=(4, 3, 3, 3)))), ("relu1", ReLU()), ("pool1", MaxPool(2)),
               ("conv2", Conv2D(rng.normal(size=(2, 4, 2, 2)))), ("pool2", AvgPool((3, 1))), ("relu2", ReLU()),
               ("flat", Flatten()), ("fc", Linear(rng.normal(size=(6, 3)), np.array([500.0, 400, -500])))])
# 1 x 24 x 21 -> descriptors of 128 -> of 5 -> 2 Gaussians -> 20 -> 2
FISHER = Network([("sift", DenseSift((4,), 4)), ("pca", Linear(rng.normal(size=(128, 5)))),
                  ("fisher", FisherVector(np.array([.3, .7]), rng.normal(size=(2, 5)) * 90,
                                          rng.uniform(9e4, 2e5, (2, 5)))),
                  ("svm", Linear(rng.normal(size=(20, 2)), np.array([-1e4, 1e4])))])


def fisher_rules(network):
    return assign(network, by_name={"sift": Flat(), "pca": Epsilon(100), "fisher": Epsilon(100), "svm": Epsilon(0)})


# ---- Cut-offs ----


def test_a_cnn_is_cut_off_above_its_lowest_convolution_and_above_every_pooling():
    assert cutoffs(CNN) == {"no cut-off": None, "R(1), below relu1": "relu1", "below conv2": "conv2",
                            "below relu2": "relu2"}


def test_above_the_last_layer_and_in_a_network_without_either_there_is_nothing_to_cut_off():
    assert cutoffs(CNN[:3]) == {"no cut-off": None, "R(1), below relu1": "relu1"}
    assert cutoffs(CNN[6:]) == {"no cut-off": None}


def test_a_fisher_network_is_cut_off_below_its_fisher_vector():
    assert cutoffs(FISHER) == {"no cut-off": None, "R(1), below fisher": "fisher"}


def test_dense_sift_alone_below_a_fisher_vector_spreads_evenly_already():
    without = Network([layer for layer in FISHER if layer[0] != "pca"])
    assert cutoffs(without) == cutoffs(without[1:]) == {"no cut-off": None}


@pytest.mark.parametrize(("network", "rules", "shape"), [
    (CNN, paper_cnn, (3, 11, 10)), (FISHER, fisher_rules, (1, 24, 21))], ids=["cnn", "fisher"])
def test_every_map_is_the_one_that_explain_gives_with_that_cut_off(network, rules, shape):
    x = rng.uniform(0, 255, (1, *shape))
    found = maps(network, network.activations(x), rules(network), 1, cutoffs(network))
    assert list(found) == list(cutoffs(network)) and len({values.tobytes() for values in found.values()}) == len(found)
    for label, below in cutoffs(network).items():
        chosen = rules(network) if below is None else cutoff(rules(network), below)
        assert found[label].tolist() == heatmap(explain(network, x, chosen, 1).relevance)[0].tolist()


def test_a_cut_off_below_a_pooling_in_a_branch_is_the_one_that_explain_gives():
    # the layers above both poolings read past what stands before them in the network
    network = Network([("conv", Conv2D(rng.normal(size=(4, 1, 3, 2)))), ("relu", ReLU()), ("max", MaxPool(2)),
                       ("avg", AvgPool(2), "relu"), ("add", Add(), ("max", "avg")), ("flat", Flatten()),
                       ("fc", Linear(rng.normal(size=(64, 3))))])
    x, below = rng.normal(size=(1, 1, 10, 9)), cutoffs(network)
    assert [*below.values()] == [None, "relu", "avg", "add"]
    found = maps(network, network.activations(x), paper_cnn(network), 2, below)
    for label, layer in below.items():
        rules = paper_cnn(network) if layer is None else cutoff(paper_cnn(network), layer)
        assert found[label].tolist() == heatmap(explain(network, x, rules, 2).relevance)[0].tolist()


# ---- Controls ----


def test_random_signs_are_equally_strong_as_likely_up_as_down_and_drawn_by_their_seed():
    signs = random_signs((40, 50), 3)
    assert signs.shape == (40, 50) and set(signs.flat) == {1.0, -1.0}
    # 2000 fair coins: a deviation of 45 on average, of five times that never in practice, and never with this seed.
    assert abs(signs.sum()) < 224
    assert (signs == random_signs((40, 50), 3)).all() and (signs != random_signs((40, 50), 4)).any()
    assert gini(signs) == 0 and holding(signs) == 9 / 10


def test_the_contrast_is_the_distance_from_the_mean_of_each_channel_summed_over_channels():
    # Means 2 and -1: |x - mean| is 1 2 3 0 and 5 5 1 1.
    x = np.array([[[[1.0, 0], [5, 2]], [[4, -6], [0, -2]]]])
    assert contrast(x).tolist() == [[6, 7], [4, 1]]


# ---- What is measured ----


@dataclass(frozen=True, eq=False)
class Known:
    """An image, and where its classes are."""

    image: np.ndarray
    masks: np.ndarray
    counted = np.ones(2, bool)

    @property
    def labels(self):
        return self.masks.any(axis=(1, 2))


MODEL = Model(CNN, ["left", "right", "never"], Preprocessing((11, 10), "rgb", mean=0.5, std=0.25))


def known(*boxes):
    """An image of 22 x 20, twice the model's size, with a rectangle per class, or None."""
    masks = np.zeros((2, 22, 20), bool)
    for mask, box in zip(masks, boxes):
        if box:
            mask[box] = True
    return Known(rng.integers(0, 256, (22, 20, 3), dtype=np.uint8), masks)


BOX, OTHER = (slice(3, 15), slice(0, 7)), (slice(10, 11), slice(9, 20))


def collection(*scenes, classes=("right", "left"), explain=None):
    return Collection("two images", classes, [f"image {n}" for n in range(len(scenes))], scenes,
                      range(len(scenes)) if explain is None else explain, {})


def test_every_class_that_is_seen_is_measured_in_every_map_by_its_own_score_and_region():
    scenes = known(BOX, OTHER), known(None, None), known(None, BOX)
    s = study(MODEL, collection(*scenes))
    assert (s.scenes.tolist(), s.classes.tolist()) == ([0, 0, 2], [0, 1, 1])
    assert list(s.measures) == [*cutoffs(CNN), SIGNS, CONTRAST] and s.kinds >= {Conv2D, MaxPool} and s.left_out == 0
    # Twice as fine as the model sees it: rows 1.5 to 7.5, columns 0 to 3.5; half of row 5, columns 4.5 to 10.
    assert s.areas * 110 == pytest.approx([6 * 3.5, 0.5 * 5.5, 6 * 3.5], rel=1e-14, abs=0)     # a mean of 110 numbers
    region = np.zeros((11, 10))
    region[5, 4:] = [1 / 4, 1 / 2, 1 / 2, 1 / 2, 1 / 2, 1 / 2]
    x = MODEL.prepare(scenes[0].image)
    e = explain(CNN, x, cutoff(paper_cnn(CNN), "conv2"), 0)
    values = heatmap(e.relevance)[0]
    assert s.scores[1] == e.scores[0, 0] and s.classes[1] == 1     # the collection's left is the model's 0
    measured = [inside(values, region), gini(values), holding(values)]
    assert s.measures["below conv2"][1].tolist() == measured and MEASURES == ("inside", "gini", "holding")
    assert s.of("below conv2", "excess")[1] == measured[0] - s.areas[1]
    assert s.of(CONTRAST, "gini")[2] == gini(contrast(MODEL.prepare(scenes[2].image)))
    assert s.of(SIGNS, "inside")[1] == inside(random_signs((11, 10), 1), region)


def test_a_class_whose_score_is_not_positive_is_counted_and_left_out_of_every_measure():
    s = study(MODEL, collection(known(BOX, OTHER), classes=("never", "left")))
    assert s.scores[0] < 0 < s.scores[1] and s.left_out == 1
    assert all(np.isnan(values[0]).all() and not np.isnan(values[1]).any() for values in s.measures.values())


def test_regions_are_those_of_the_part_that_a_model_sees():
    """Half of 22 x 20: rows 6 to 16, columns 5 to 14, at the network's own size."""
    model = Model(CNN, MODEL.classes, Preprocessing((11, 10), "rgb", mean=0.5, std=0.25, crop=0.5))
    s = study(model, collection(known(BOX, OTHER)))
    # Of rows 3 to 14 nine, of columns 0 to 6 two; of row 10 columns 9 to 14.
    assert s.areas * 110 == pytest.approx([9 * 2, 6], rel=1e-14, abs=0)     # a mean of 110 numbers


def test_only_the_images_to_explain_are_looked_at_and_there_may_be_none():
    scenes = known(BOX, None), known(BOX, OTHER)
    assert study(MODEL, collection(*scenes, explain=[1])).scenes.tolist() == [1, 1]
    nothing = study(MODEL, collection(*scenes, explain=[]))
    assert len(nothing.scores) == nothing.left_out == 0
    assert {values.shape for values in nothing.measures.values()} == {(0, 3)}


def test_an_image_is_run_once_for_all_its_classes_and_a_network_built_once_for_all_of_a_size(monkeypatch):
    runs, built = [], []
    run, build = Network.activations, Model.network
    monkeypatch.setattr(Network, "activations", lambda self, x: runs.append(1) or run(self, x))
    monkeypatch.setattr(Model, "network", lambda self, shape: built.append(shape) or build(self, shape))
    study(MODEL, collection(known(BOX, OTHER), known(BOX, OTHER)))
    assert (len(runs), built) == (2, [(1, 3, 11, 10)])


def test_a_fisher_network_is_studied_alike_by_rules_of_its_own():
    model = Model(FISHER, ["left", "right"], Preprocessing((24, 21), maximum=255))
    s = study(model, collection(known(BOX, OTHER), known(OTHER, BOX)), fisher_rules)
    assert list(s.cutoffs) == ["no cut-off", "R(1), below fisher"] and FisherVector in s.kinds
    positive = s.scores > 0
    assert s.left_out == 2 and (positive == (s.classes == 0)).all()   # the collection's first class is "right"
    assert (s.of("no cut-off", "gini")[positive] != s.of("R(1), below fisher", "gini")[positive]).all()
    assert all(map(math.isnan, s.of("no cut-off", "gini")[~positive]))


def test_every_image_is_announced_when_it_is_done():
    heard = []
    study(MODEL, collection(known(BOX, OTHER), known(None, OTHER)), name="cnn", watch=heard.append)
    assert heard[0] == "0 of 2 images, cnn"
    assert [text.partition(" images, cnn, ")[0] for text in heard[1:]] == ["1 of 2", "2 of 2"]
