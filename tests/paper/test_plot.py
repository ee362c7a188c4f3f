"""The plot of the measures: every box where its quartiles are, controls in grey, never too wide."""

import dataclasses

import numpy as np

from lrp_ref.paper.plot import BAR, TITLES, plot
from lrp_ref.paper.study import CONTRAST, SIGNS, Study
from lrp_ref.pictures.colours import COLOURS
from lrp_ref.pictures.picture import FRAME, PALE, WIDEST

NAN = np.nan
# Of every measure the quartiles of five numbers in order are the second, third and fourth.
MAPS = {"no cut-off": np.array([[.3, .1, .9], [.4, .2, .7], [.5, .4, .6], [.9, .5, .5], [1, .9, .1]]),
        "below relu1": np.full((5, 3), NAN),
        SIGNS: np.array([5 * [.5], 5 * [0], 5 * [.9]]).T, CONTRAST: np.array([[0, .1, .2], *4 * [[.1, .2, .3]]])}
STUDY = Study(frozenset(), {"no cut-off": None, "below relu1": "relu1"}, np.arange(5), np.arange(5), np.ones(5),
              np.full(5, .5), MAPS)
DRAWN = plot({"cnn": STUDY, "a_model_with_a_very_long_name_that_has_no_place.npz": STUDY, "third": STUDY})


def test_every_box_reaches_from_the_lower_to_the_upper_quartile_of_its_axis():
    for measure, (low, _, high) in {"excess": (-.1, 0, .4), "gini": (.2, .4, .5), "holding": (.5, .6, .7)}.items():
        axis, box = DRAWN.axes[measure], DRAWN.boxes["cnn", "no cut-off", measure]
        assert (box.left, box.left + box.width - 1, box.height) == (axis.at(low), axis.at(high), BAR)
    assert DRAWN.axes["excess"].low == -.4      # the lowest quartile, -.4 of the contrast, to the next tick
    assert (DRAWN.axes["gini"].low, DRAWN.axes["gini"].high) == (0, 1)


def test_the_median_is_a_line_across_its_box():
    axis, box = DRAWN.axes["gini"], DRAWN.boxes["cnn", "no cut-off", "gini"]
    dark, light = COLOURS["safe"][0][1:], COLOURS["safe"][2][1:]
    inner = DRAWN.pixels[box.top + 2, box.left + 1:box.left + box.width - 1]
    median = axis.at(.4) - box.left - 1
    assert [n for n, pixel in enumerate(inner.tolist()) if tuple(pixel) == dark] == [median - 1, median, median + 1]
    assert {tuple(pixel) for pixel in inner.tolist()} == {dark, light}
    assert tuple(DRAWN.pixels[box.top - 3, axis.at(.4)]) == dark


def test_controls_are_grey_and_every_model_has_a_colour_of_its_own():
    def colours(model, name):
        return {tuple(pixel) for pixel in DRAWN.boxes[model, name, "holding"].of(DRAWN.pixels).reshape(-1, 3).tolist()}
    control = DRAWN.boxes["cnn", CONTRAST, "excess"]
    assert {tuple(pixel) for pixel in control.of(DRAWN.pixels).reshape(-1, 3).tolist()} <= {PALE, FRAME}
    models = [name for name, label, _ in DRAWN.boxes if label == "no cut-off"][::len(TITLES)]
    assert len(models) == 3 and len({frozenset(colours(name, "no cut-off")) for name in models}) == 3


def test_a_map_that_nothing_was_measured_of_has_a_line_without_a_box():
    assert {label for _, label, _ in DRAWN.boxes} == {"no cut-off", SIGNS, CONTRAST}
    tops = [DRAWN.boxes["cnn", label, "gini"].top for label in ("no cut-off", SIGNS, CONTRAST)]
    assert tops[1] - tops[0] == 2 * (tops[2] - tops[1])


def test_the_plot_is_no_wider_than_a_page_and_as_high_as_it_has_lines():
    one = plot({"cnn": STUDY}).pixels
    assert DRAWN.pixels.shape[1] == one.shape[1] <= WIDEST and DRAWN.pixels.dtype == np.uint8
    assert DRAWN.pixels.shape[0] > 2 * one.shape[0] - 100
    assert all(axis.at(axis.high) < WIDEST for axis in DRAWN.axes.values())


def test_without_any_map_there_are_still_axes():
    none = {name: values[:0] for name, values in MAPS.items()}
    drawn = plot({"cnn": dataclasses.replace(STUDY, measures=none, areas=np.array([]))})
    assert drawn.boxes == {} and drawn.axes["excess"].low == 0
