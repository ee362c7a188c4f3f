"""A figure's panels are the heatmaps of the cut-offs that their titles name; many photographs fit in it."""

import numpy as np
import pytest

from lrp_ref import (
    AlphaBeta,
    AvgPool,
    Conv2D,
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
from lrp_ref.paper import figures
from lrp_ref.paper.figures import Subject, higher_cutoff, paper_figure, pixel_cutoff, thumbnail
from lrp_ref.pictures.picture import WIDEST

rng = np.random.default_rng(0)
# 3 x 11 x 10 -> 4 x 9 x 8 -> 4 x 4 x 4 -> 2 x 3 x 3 -> 2 x 1 x 3 -> 6 -> 3
NETWORK = Network([("conv1", Conv2D(rng.normal(size=(4, 3, 3, 3)))), ("relu1", ReLU()), ("pool1", MaxPool(2)),
                   ("conv2", Conv2D(rng.normal(size=(2, 4, 2, 2)))), ("pool2", AvgPool((3, 1))),
                   ("relu2", ReLU()), ("flat", Flatten()), ("fc", Linear(rng.normal(size=(6, 3))))])
MODEL = Model(NETWORK, ["left", "right", "both"], Preprocessing((11, 10), "rgb", mean=0.5, std=0.25))


def photograph(height=21, width=30, seed=1):
    return np.random.default_rng([seed, height, width]).random((height, width, 3))


def asked(rules=paper_cnn, target=None, below=None):
    return {"cnn": Subject(MODEL, rules, target, below)}


@pytest.fixture
def drawn(monkeypatch):
    """What paper_figure hands to the drawing: (titles, rows, colours), one after the other."""
    seen, draw = [], figures.figure

    def watched(titles, rows, colours):
        seen.append((titles, rows, colours))
        return draw(titles, rows, colours)

    monkeypatch.setattr(figures, "figure", watched)
    return seen


def wanted(pixels, rules, target=None):
    return heatmap(explain(NETWORK, MODEL.prepare(pixels), rules, target).relevance)[0]


# ---- Which cut-offs ----


def test_the_cut_offs_are_below_the_layers_above_the_lowest_convolution_and_the_second_pooling():
    assert (pixel_cutoff(NETWORK), higher_cutoff(NETWORK)) == ("relu1", "relu2")
    assert (pixel_cutoff(NETWORK[3:]), higher_cutoff(NETWORK[3:])) == ("pool2", "relu2")   # the only ones


@pytest.mark.parametrize(("names", "words"), [
    (["flat", "fc"], "without a convolution"), (["flat", "conv1"], "without a convolution"),
    (["conv1", "relu1"], "without a pooling .*--cutoff LAYER"), (["conv1", "pool1"], "without a pooling"),
])
def test_a_network_without_such_a_layer_is_refused_with_the_cure(names, words):
    network = Network([(name, NETWORK[name]) for name in names])
    with pytest.raises(ValueError, match=words):
        (pixel_cutoff(network), higher_cutoff(network))


def test_without_pooling_the_higher_cut_off_is_above_the_third_convolution_with_a_stride():
    def conv(stride):
        return Conv2D(np.ones((1, 1, 1, 1)), stride=stride)

    strided = Network([
        ("a", conv(2)), ("b", conv(1)), ("c", conv((1, 2))), ("d", conv(3)), ("e", ReLU()), ("f", ReLU())])
    assert (pixel_cutoff(strided), higher_cutoff(strided)) == ("b", "e")


# ---- What the panels hold ----


def test_a_row_holds_the_heatmaps_that_the_titles_name(drawn):
    pixels, full = photograph(), assign(NETWORK, {Conv2D: AlphaBeta(3, 2)})
    paper_figure(asked(lambda network: full, 1), {"a.png": pixels}, colours="safe")
    (titles, (row,), colours), = drawn
    assert titles == ["input", "no cut-off", "cut-off at R(1), below relu1",
                      "input with that heatmap as alpha", "cut-off below relu2"]
    given, without, low, alpha, high = row.panels
    assert given.relevance is None and (given.photograph == pixels).all()
    for panel, rules in ((without, full), (low, cutoff(full, "relu1")), (high, cutoff(full, "relu2"))):
        assert panel.photograph is None and (panel.relevance == wanted(pixels, rules, 1)).all()
    assert (alpha.photograph == pixels).all() and (alpha.relevance == low.relevance).all()
    assert {panel.limit for panel in row.panels} == {None}   # each has its own largest
    assert colours == "safe"


def test_the_higher_cut_off_can_be_chosen_by_name(drawn):
    pixels = photograph()
    paper_figure(asked(below="pool1"), {"a.png": pixels})
    (titles, (row,), _), = drawn
    assert titles[-1] == "cut-off below pool1"
    assert (row.panels[-1].relevance == wanted(pixels, cutoff(paper_cnn(NETWORK), "pool1"))).all()
    with pytest.raises(ValueError, match="did you mean 'pool1'"):
        paper_figure(asked(below="pol1"), {"a.png": pixels})


def test_there_can_be_several_higher_cut_offs_or_none(drawn):
    pixels = photograph()
    paper_figure(asked(below=("pool1", "conv2")), {"a.png": pixels})
    paper_figure(asked(below=()), {"a.png": pixels})
    (several, (row,), _), (none, (short,), _) = drawn
    assert several[4:] == ["cut-off below pool1", "cut-off below conv2"] and none == several[:4]
    assert len(row.panels) == 6 and len(short.panels) == 4
    assert (row.panels[5].relevance == wanted(pixels, cutoff(paper_cnn(NETWORK), "conv2"))).all()


def test_a_model_that_crops_is_shown_what_it_sees_and_rows_of_several_models_name_them(drawn):
    pixels = photograph()
    crops = Model(NETWORK, MODEL.classes, Preprocessing((11, 10), "rgb", mean=0.5, std=0.25, crop=0.75))
    paper_figure({"all": asked()["cnn"], "middle": Subject(crops, paper_cnn)}, {"a.png": pixels})
    (_, (whole, middle), _), = drawn
    assert (whole.panels[0].photograph == pixels).all()
    assert middle.panels[0].photograph.tolist() == middle.panels[3].photograph.tolist() == crops.seen(pixels).tolist()
    assert crops.seen(pixels).shape == (15, 14, 3)   # 21 rows, 21 / 11 * 10 = 19.09 columns; three quarters
    assert [row.label.splitlines()[:2] for row in (whole, middle)] == [["a.png", "all"], ["a.png", "middle"]]
    assert (middle.panels[1].relevance == heatmap(explain(NETWORK, crops.prepare(pixels),
                                                          paper_cnn(NETWORK)).relevance)[0]).all()


def test_without_a_target_every_photograph_has_its_own_top_score(drawn):
    several = {"0": photograph(), "1": np.zeros((21, 30)), "2": np.ones((21, 30))}
    paper_figure(asked(), several)
    paper_figure(asked(target=2), several)
    own, chosen = ([row.label for row in rows] for _, rows, _ in drawn)
    scores = [NETWORK(MODEL.prepare(pixels))[0] for pixels in several.values()]
    assert own == [f"{n}\n{MODEL.classes[s.argmax()]}: {s.max():.2f}" for n, s in enumerate(scores)]
    assert chosen == [f"{n}\nboth: {s[2]:.2f}" + (
        "" if s[2] == s.max() else f", although {MODEL.classes[s.argmax()]} is higher: {s.max():.2f}")
        for n, s in enumerate(scores)]
    assert len({s.argmax() for s in scores}) > 1


def test_a_percentile_is_the_strongest_colour_of_each_heatmap(drawn):
    pixels = photograph()
    paper_figure(asked(), {"a.png": pixels}, percentile=70)
    (_, (row,), _), = drawn
    for panel in row.panels[1:]:
        assert panel.limit == np.percentile(abs(panel.relevance), 70) < abs(panel.relevance).max()
    assert row.panels[0].limit is None


def test_photographs_come_in_a_mapping_or_one_by_one_and_the_same_name_twice_is_two_rows(drawn):
    one, other = photograph(seed=1), photograph(seed=2)
    paper_figure(asked(), {"a": one, "b": other})
    paper_figure(asked(), (pair for pair in [("a", one), ("a", other)]))
    (_, first, _), (_, second, _) = drawn
    assert [row.label[0] for row in first] == ["a", "b"] and [row.label[0] for row in second] == ["a", "a"]
    for row, again in zip(first, second, strict=True):
        for panel, same in zip(row.panels[1:], again.panels[1:], strict=True):
            assert (panel.relevance == same.relevance).all()


def test_every_layer_is_announced_with_its_photograph():
    heard = []
    paper_figure(asked(), {"a.png": photograph(), "b.png": photograph()}, watch=heard.append)
    assert heard[0] == "1 of 2, a.png: conv1" and heard[-1] == "2 of 2, b.png: conv1"
    rows = "1 of 2, a.png", "2 of 2, b.png"
    assert set(heard) == {f"{row}: {name}" for row in rows for name in NETWORK.names}


# ---- How large ----


def test_forty_large_photographs_are_kept_small_and_drawn_within_the_width(drawn):
    large = ((f"{n}", photograph(1500, 2000, seed=n)) for n in range(2))
    small = ((f"{n}", photograph(9, 12, seed=n)) for n in range(38))
    figure = paper_figure(asked(), (pair for pairs in (large, small) for pair in pairs))
    (_, rows, _), = drawn
    assert [row.panels[0].photograph.shape[:2] for row in rows[1:3]] == [(480, 640), (9, 12)]
    assert len(figure.panels) == 40 and figure.pixels.shape[1] <= WIDEST
    assert figure.pixels.shape[0] < 40 * 330


@pytest.mark.parametrize(("shape", "size"), [
    ((640, 3), (640, 3)), ((1280, 960), (640, 480)), ((9000, 2), (640, 1)), ((1, 6400), (1, 640)),
    ((641, 641), (640, 640)),
])
def test_a_thumbnail_is_at_most_twice_the_largest_panel_and_keeps_the_proportions(shape, size):
    assert thumbnail(np.zeros(shape)).shape == size


def test_a_thumbnail_averages_areas():
    # 1280 rows of 0 and 1 in turn: every two become 1/2
    assert (thumbnail(np.tile([[0.0], [1.0]], (640, 5))) == 0.5).all()


@pytest.mark.parametrize("count", [0, 101])
def test_a_figure_has_at_least_one_row_and_at_most_a_hundred(count):
    with pytest.raises(ValueError, match=f"got {count} photographs, needed 1 to 100"):
        paper_figure(asked(), (("a", np.zeros((2, 2))) for _ in range(count)))
