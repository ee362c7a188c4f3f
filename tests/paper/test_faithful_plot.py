"""The picture of perturbed regions: lines where the numbers are, the best map first, names that do not overlap."""

import numpy as np
import pytest

from lrp_ref.paper.faithful import CONTROLS, RANDOM, Faithfulness
from lrp_ref.paper.faithful_plot import (
    HEIGHT,
    NUMBERS,
    SHADES,
    WIDTH,
    best_first,
    faithful_plot,
    name_heights,
    panel,
)
from lrp_ref.paper.study import NO_CUTOFF
from lrp_ref.pictures.picture import LINE, MARGIN

RULES, CUTS = ("weak", "strong", "mild"), {NO_CUTOFF: None, "below a": "a"}
ENDS = {"weak": 0.75, "strong": -0.5, "mild": 0.72, RANDOM: 0.7}   # of the thick lines, after three regions


def made(explanations=5):
    """Straight lines from 1 to ENDS, and up to 1.5; a fifth of that more or less from explanation to explanation."""
    spread = np.linspace(-0.2, 0.2, explanations)[:, None] * np.linspace(0, 1, 4)
    labels = [*(f"{rule}, {cut}" for rule in RULES for cut in CUTS), *CONTROLS]
    most = {label: 1 + (ENDS.get(label.split(",")[0], 0.9) - 1) * np.linspace(0, 1, 4) + spread for label in labels}
    least = {label: 1 + 0.5 * np.linspace(0, 1, 4) + spread for label in labels}
    lost = {label: np.stack([1 - most[label].mean(1), 1 - least[label].mean(1)], axis=1) for label in labels}
    measures = {label: np.c_[lost[label], np.ones((explanations, 2))] for label in labels}
    curves = {label: {"most": most[label], "least": least[label]} for label in labels}
    return Faithfulness(RULES, CUTS, measures, curves, 0)


def test_lines_are_where_the_numbers_are_and_the_best_is_first_with_its_band():
    f = made()
    maps = best_first(f, {rule: f"{rule}, {NO_CUTOFF}" for rule in RULES})
    assert list(maps) == ["strong", "mild", "weak"]
    one = panel(f, maps, 0, 0)
    # Quartiles of five values are the second and the fourth: -0.5 - 0.1 and 1.5 + 0.1.
    # Sums of three numbers in floating point.
    assert (one.low, one.high) == pytest.approx((-0.6, 1.6), rel=1e-12, abs=0) and one.steps == 3
    assert one.at(0, one.high) == (0, 0) and one.at(3, one.low) == (WIDTH, HEIGHT)
    there = panel(f, maps, MARGIN + NUMBERS, MARGIN + 3 * LINE)
    for k, left_of_it in ((1.5, 0.25), (2.5, -0.25)):   # a line from 1 to -0.5 in three steps
        x, y = map(round, there.at(k, left_of_it))
        assert abs(faithful_plot({"m": f})[y, x].astype(int) - SHADES[0]).max() < 12   # of 255: made smaller, it blurs


def test_names_stand_apart_inside_the_panel_in_the_order_of_the_lines_ends():
    f = made()
    one = panel(f, best_first(f, {rule: f"{rule}, {NO_CUTOFF}" for rule in RULES}), 7, 11)
    found = dict(zip(one.curves, name_heights(one)))
    assert sorted(found, key=found.get) == ["weak", "mild", RANDOM, "strong"]
    assert np.diff(sorted(found.values())).min() >= LINE and max(found.values()) <= 11 + HEIGHT


def test_names_of_lines_that_end_together_at_the_lower_edge_are_moved_up(monkeypatch):
    for rule in RULES:
        monkeypatch.setitem(ENDS, rule, -0.5)
    f = made()
    one = panel(f, best_first(f, {rule: f"{rule}, {NO_CUTOFF}" for rule in RULES}), 0, 0)
    assert np.diff(sorted(name_heights(one))).min() >= LINE and max(name_heights(one)) <= HEIGHT


def test_a_model_without_an_explanation_has_empty_panels():
    assert faithful_plot({"m": made(0), "n": made()}).shape[2] == 3
