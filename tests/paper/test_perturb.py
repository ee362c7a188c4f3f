"""Perturbation curves in Fractions by hand, ties enumerated, and what they say of a model whose answer is known."""

from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest

from lrp_ref import AlphaBeta, Conv2D, Epsilon, Flatten, Linear, Model, Network, Preprocessing, ReLU, assign, explain
from lrp_ref.heatmap import heatmap
from lrp_ref.paper.faithful import (
    BETTER,
    CONTROLS,
    EDGES,
    MEASURES,
    Perturbing,
    faithfulness_of,
    gradient_size,
    statements,
)
from lrp_ref.paper.faithful_plot import faithful_plot
from lrp_ref.paper.faithful_report import faithful_facts, faithful_text
from lrp_ref.paper.measures import box_overlap, pointing
from lrp_ref.paper.perturb import aopc, curve, curve_over_ties, filling, ranking, region_sums, replaced
from lrp_ref.paper.precision import Collection
from lrp_ref.paper.record import tasks
from lrp_ref.paper.study import CONTRAST, NO_CUTOFF
from lrp_ref.paper.tasks import run_tasks

fractions = np.vectorize(Fraction, otypes=[object])
rng = np.random.default_rng(0)


def test_regions_are_summed_in_squares_which_the_far_edges_cut():
    # Sides of 2: rows 0-1, 2; columns 0-1, 2-3, 4.
    values = fractions([[1, 2, 3, 4, 5], [0, -1, 0, 7, -5], [1, 1, 2, 0, 9]])
    assert region_sums(values, 2).tolist() == [[2, 14, 0], [2, 2, 9]]
    assert region_sums(np.ones((20, 28))).tolist() == [[81, 81, 81, 9], [81, 81, 81, 9], [18, 18, 18, 2]]


def test_the_order_is_that_of_the_sums_either_way_and_ties_are_drawn():
    sums = np.array([[2.0, 14, 0], [2, 2, 9]])
    for seed in range(5):
        most, least = ranking(sums, seed).tolist(), ranking(sums, seed, least=True).tolist()
        assert (most[:2], most[-1], least[0], least[-2:]) == ([1, 5], 2, 2, [5, 1])
        assert most == ranking(sums, seed).tolist() and sorted(most[2:5]) == [0, 3, 4]
    assert len({tuple(ranking(sums, seed).tolist()) for seed in range(40)}) == 6   # of three that are equal


def test_replaced_regions_have_the_filling_in_every_channel():
    x, fill = fractions(rng.integers(0, 9, (2, 3, 5))), fractions(rng.integers(10, 19, (2, 3, 5)))
    out = replaced(x, fill, [1, 5], 2)   # rows 0-1 of columns 2-3; row 2 of column 4
    where = np.zeros((2, 3, 5), bool)
    where[:, :2, 2:4] = where[:, 2, 4] = True
    assert (out[where] == fill[where]).all() and (out[~where] == x[~where]).all() and (x < 10).all()


# A linear score of pixels 1 x 4, regions of one pixel: f = 3 x0 - x1 + 2 x2 + 2 x3, at x = (2, 3, 1, 1).
WEIGHT = fractions([3, -1, 2, 2])
X = fractions([[[2, 3, 1, 1]]])
FILL = fractions([[[1, 0, Fraction(1, 2), 0]]])


def linear(images):
    return images.reshape(len(images), 4) @ WEIGHT


def test_the_curve_of_a_linear_score_by_hand():
    # f = 6 - 3 + 2 + 2 = 7. R = 6, -3, 2, 2; replacing pixel 0 takes 3, pixel 2 takes 1, pixel 3 takes 2, pixel 1
    # gives 3. Of the tied pixels 2 and 3 either may come first.
    R = (WEIGHT * X[0, 0])[None]
    order = np.array([0, 2, 3, 1])
    assert curve(linear, X, FILL, order, 4, 1).tolist() == [7, 4, 3, 1, 4]
    low, mean, high = curve_over_ties(linear, X, FILL, R, 4, 1)
    assert low.tolist() == [7, 4, 2, 1, 4] and high.tolist() == [7, 4, 3, 1, 4]
    assert mean.tolist() == [7, 4, Fraction(5, 2), 1, 4] and {type(one) for one in mean} == {Fraction}
    # (0 + 3 + 9/2 + 6 + 3) / 5
    assert aopc(mean) == Fraction(33, 10)
    assert curve_over_ties(linear, X, FILL, R, 2, 1, least=True)[1].tolist() == [7, 10, Fraction(17, 2)]


def test_sets_of_tied_regions_are_the_mean_over_all_their_orders():
    network = Network([("conv", Conv2D(fractions(rng.integers(-3, 4, (2, 1, 2, 2))))), ("relu", ReLU()),
                       ("flat", Flatten()), ("fc", Linear(fractions(rng.integers(-3, 4, (12, 2)))))])
    x, fill = (fractions(rng.integers(-4, 5, (1, 3, 4))) for _ in range(2))
    sums = fractions([[1, 0, 2, 0], [0, 0, 2, -1], [1, 3, 0, 2]])   # 3; 2 three times; 1 twice; 0 five times; -1

    def score(images):
        return network(images)[:, 1]

    low, mean, high = curve_over_ties(score, x, fill, sums, 6, 1)
    tied = [[9], [2, 6, 11], [0, 8]]
    curves = [curve(score, x, fill, np.array([*a, *b, *c]), 6, 1) for a in permutations(tied[0])
              for b in permutations(tied[1]) for c in permutations(tied[2])]
    assert mean.tolist() == [sum(column) / Fraction(len(curves)) for column in zip(*curves)] and len(curves) == 12
    assert low.tolist() == [min(column) for column in zip(*curves)] and (low < high).any()
    assert high.tolist() == [max(column) for column in zip(*curves)]


def test_too_many_ties_are_not_enumerated():
    with pytest.raises(ValueError, match=r"got 64 regions with equal sums, of which there are .* draw an order"):
        curve_over_ties(lambda images: images.sum(axis=(1, 2, 3)), np.ones((1, 8, 8)), np.zeros((1, 8, 8)),
                        np.ones((8, 8)), 64, 1)


def test_of_a_linear_score_whose_filling_is_zero_the_map_of_epsilon_loses_as_much_as_any_order_can():
    """f loses R_r with region r, exactly: most relevant first is the best of all orders, least relevant the worst."""
    network = Network([("flat", Flatten()), ("fc", Linear(fractions(rng.integers(-3, 4, (6, 2)))))])
    x = fractions(rng.integers(1, 5, (1, 1, 2, 3)))
    R = heatmap(explain(network, x, assign(network, Epsilon(0)), target=1).relevance)[0]

    def score(images):
        return network(images)[:, 1]

    lost = {order: aopc(curve(score, x[0], 0 * x[0], np.array(order), 6, 1)) for order in permutations(range(6))}
    assert lost[tuple(ranking(R, 0).tolist())] == max(lost.values())
    assert lost[tuple(ranking(R, 0, least=True).tolist())] == min(lost.values()) < max(lost.values())


def test_batches_of_images_are_the_images_one_by_one():
    x, fill = rng.normal(size=(2, 7, 9)), rng.normal(size=(2, 7, 9))
    order = rng.permutation(63)
    seen = []

    def score(images):
        seen.append(len(images))
        return images.sum(axis=(1, 2, 3))
    found = curve(score, x, fill, order, 40, 1)
    each = [score(replaced(x, fill, order[:k], 1)[None])[0] for k in range(41)]
    assert found.tolist() == each and seen[:3] == [16, 16, 9]


def test_the_three_fillings():
    x, low, high = rng.normal(size=(3, 20, 30)), np.array([-1.0, 0, 2]), np.array([1.0, 0, 5])
    drawn = filling(x, "uniform", 3, low, high)
    assert (drawn == filling(x, "uniform", 3, low, high)).all() and (drawn != filling(x, "uniform", 4, low, high)).any()
    assert (drawn[1] == 0).all() and drawn[0].min() < -0.95 and drawn[2].max() > 4.9
    assert abs(drawn[2] - 3.5).max() <= 1.5
    mean = filling(fractions([[[1, 2], [3, 5]], [[0, 0], [1, 0]]]), "mean", 0, low, high)
    assert mean.tolist() == [[[Fraction(11, 4)] * 2] * 2, [[Fraction(1, 4)] * 2] * 2]
    blurred = filling(x, "blur", 0, low, high)
    assert blurred.shape == x.shape and blurred.std() < 0.2 * x.std()   # white noise under a Gaussian 4.5 wide
    flat = np.full((1, 20, 30), 7.0)
    # A blurred constant is one, but for the rounding of some 40 weights that sum to 1.
    assert abs(filling(flat, "blur", 0, low, high) - 7).max() < 1e-13
    with pytest.raises(ValueError, match="got the filling 'noise', needed one of uniform, mean, blur"):
        filling(x, "noise", 0, low, high)


# ---- Pointing and boxes ----


def test_the_pointing_game_by_hand_counts_ties_in_part():
    R = np.array([[5.0, 1, 5], [0, -9, 5]])
    assert pointing(R, np.array([[1, 0, 0.5], [1, 1, 0.4]])) == 2 / 3
    assert pointing(R, np.ones((2, 3))) == 1 and np.isnan(pointing(-abs(R), np.ones((2, 3))))


def test_the_best_box_by_hand():
    R = np.zeros((6, 8))
    R[1:4, 2:5] = 4                 # 3 x 3 at a fifth of the largest
    R[2, 3] = 20
    R[5, 7] = 19                    # alone: a part of one pixel
    region = np.zeros((6, 8))
    region[1:4, 2:6] = 1            # 3 x 4: the part's box covers 9 of 12
    assert box_overlap(R, region) == 9 / 12
    R[1:4, 2:5] = np.where(R[1:4, 2:5] == 4, 0.5, 20)   # below a twentieth: only single pixels reach a threshold
    assert box_overlap(R, region) == 1 / 12
    assert np.isnan(box_overlap(R, 0 * region)) and np.isnan(box_overlap(0 * R, region))


def test_edges_are_where_the_light_changes():
    x = np.zeros((1, 2, 4, 5))
    x[0, :, :, 3:] = [[[6.0]], [[2.0]]]
    # The mean of both channels jumps by 4 between columns 2 and 3: central differences of 2 on either side.
    assert gradient_size(x).tolist() == [[0, 0, 2, 2, 0]] * 4


# ---- Whole explanations ----


class Half:
    """An image 18 x 27 whose left third, bright, is the class."""

    image = np.full((18, 27), 0.25)
    image[:, :9] = 1.0
    masks = np.zeros((2, 18, 27), bool)
    masks[0, :, :9] = True
    labels, counted = np.array([True, False]), np.ones(2, bool)


def bright_left():
    """A model whose score is the light of the left third less a quarter of the rest."""
    weight = np.zeros((1, 2, 18, 27))
    weight[..., :9], weight[..., 9:] = 1.0, -0.25
    weight = np.concatenate([weight[:, 0].reshape(1, -1), -weight[:, 1].reshape(1, -1)]).T
    return Model(Network([("conv", Conv2D(np.ones((1, 1, 1, 1)))), ("relu", ReLU()), ("flat", Flatten()),
                          ("fc", Linear(weight))]), ["left", "other"], Preprocessing((18, 27)))


def test_a_map_of_the_truth_loses_all_at_once_and_controls_less():
    model = bright_left()
    rules = {"epsilon": assign(model.chain, Epsilon(0)), "beta 1": assign(model.chain, AlphaBeta(2, 1))}
    scenes = Collection("one", ("left", "other"), ["a"], [Half()], [0], {})
    records = []
    run_tasks(Perturbing({"m": model}, scenes.classes, {"m": rules}, "mean", 4, 5), tasks(scenes, (), True),
              records.append)
    f = faithfulness_of(records, "m", [*rules], {NO_CUTOFF: None, "R(1), below relu": "relu"})
    # Mean light 1/2: of the bright 162 pixels, weight 1, half is lost with two regions of 81; of the dark, each region
    # of 81 pixels loses 81 * 1/4 * 1/4 more. The score is 162 - 324 / 16 = 141.75.
    first = 141.75
    want = np.array([first, first - 40.5, first - 81, first - 81 - 5.0625, first - 81 - 10.125]) / first
    # Sums of 486 products in floating point.
    assert f.curves["epsilon, no cut-off"]["most"][0] == pytest.approx(want, rel=1e-12, abs=0)
    lost = float((1 - want).mean())
    assert f.of("epsilon, no cut-off", "most")[0] == pytest.approx(lost, rel=1e-12, abs=0)
    # Least relevant first: four of the dark regions.
    dark = np.array([0, 1, 2, 3, 4]) * 5.0625 / first
    assert f.of("epsilon, no cut-off", "least")[0] == pytest.approx(dark.mean(), rel=1e-12, abs=0)
    assert f.of("epsilon, no cut-off", "pointing")[0] == f.of("epsilon, no cut-off", "box")[0] == 1
    assert f.of("random order", "between")[0] == 0 < f.of("random order", "most")[0] < lost
    assert np.isnan(f.of("random order", "pointing")[0]) and f.left_out == 0
    assert f.of(CONTRAST, "most")[0] == pytest.approx(lost, rel=1e-12, abs=0)   # the bright is far from the mean
    assert set(f.measures) == {*f.labels, *CONTROLS} and MEASURES == ("most", "least", "pointing", "box")
    said = {(one.statement, one.where): one for one in statements({"m": f})}
    # 1 x 1: the cut-off at R(1) changes nothing; no pair is above 0.
    assert said[BETTER, "m, epsilon, R(1), below relu"].above == 0
    text = faithful_text("one", 4, "mean", {"m": f})
    assert "(edges)" in text and "m: 1 explained, 0 left out" in text and max(map(len, text.splitlines())) <= 120
    facts = faithful_facts("one", {"m": f})
    assert len(facts["models"]["m"]["maps"][EDGES]["curves"]["least"]) == 5
    assert faithful_plot({"m": f}).shape[2] == 3


def test_a_class_whose_score_is_not_positive_is_left_out_and_a_model_without_any_still_has_a_report():
    model = bright_left()
    scenes = Collection("one", ("other", "left"), ["a"], [Half()], [0], {})
    records = []
    run_tasks(Perturbing({"m": model}, scenes.classes, {"m": {"e": assign(model.chain, Epsilon(0))}}, "blur", 2, 5),
              tasks(scenes), records.append)
    f = faithfulness_of(records, "m", ["e"], {NO_CUTOFF: None})
    assert f.left_out == 1 and len(f.of(EDGES, "box")) == 0
    assert "no pair" in faithful_text("one", 2, "blur", {"m": f}) and faithful_plot({"m": f}).any()
