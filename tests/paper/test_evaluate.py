"""Average precision by hand, the baselines by hand, and the committed numbers of the bundled CNN."""

import math
from dataclasses import dataclass
from importlib import resources

import numpy as np
import pytest

from lrp_ref.models.bundled import load_model
from lrp_ref.paper.precision import (
    Table,
    average_precision,
    bundled,
    evaluate,
    histogram_baseline,
    precision_table,
    predictions,
)
from lrp_ref.paper.scenes import CLASSES, SIDE, Scene

ROUNDING = 1e-15   # the last places of quotients, and of a mean of eleven


def test_average_precision_by_hand():
    # Ranked 1 0 1 1 0: precision 1 1/2 2/3 3/4 3/5 at recall 1/3 1/3 2/3 1 1.
    # t = 0 .. .3 find 1, t = .4 .. 1 find 3/4: (4 + 7 * 3/4) / 11 = 37/44.
    assert average_precision([.1, 7, -3, .5, 2], [1, 1, 0, 1, 0]) == pytest.approx(37 / 44, rel=ROUNDING, abs=0)


def test_a_recall_of_three_tenths_reaches_the_threshold_of_three_tenths():
    # Ten positives, three of them first: recall 3/10 at precision 1; later at most 10/14 = 5/7.
    # (4 + 7 * 5/7) / 11. In floating point 3 * .1 > .3, and one 1 would become 5/7.
    labels = [1] * 3 + [0] * 4 + [1] * 7
    assert average_precision(-np.arange(14), labels) == pytest.approx(9 / 11, rel=ROUNDING, abs=0)


def test_equal_scores_keep_the_order_given():
    assert average_precision([2, 2, 2], [0, 0, 1]) == pytest.approx(1 / 3, rel=ROUNDING, abs=0)
    assert average_precision([2, 2, 2], [1, 0, 0]) == 1
    assert average_precision(np.arange(700) % 2, [0, 1] * 20 + [0] * 660) == 1   # long enough for a quicksort
    assert average_precision([0, 2, 2, 2], [1, 0, 0, 1]) == pytest.approx((6 / 2 + 5 / 2) / 11, rel=ROUNDING, abs=0)


def test_without_positives_there_is_no_average_precision_and_without_negatives_it_is_one():
    assert math.isnan(average_precision([3, 1], [0, 0]))
    assert math.isnan(average_precision([], []))
    assert average_precision([3, 1, -2], [1, 1, 1]) == 1


def test_scores_that_are_nan_or_do_not_fit_the_labels_are_refused():
    with pytest.raises(ValueError, match=r"scores of shape \(2,\) and labels of shape \(3,\)"):
        average_precision([1, 2], [0, 1, 1])
    with pytest.raises(ValueError, match="one score that is no NaN"):
        average_precision([1, math.nan], [0, 1])


@dataclass(frozen=True)
class Brightness:
    """A model whose score of `dark` is minus, of `light` the mean of the image; it counts its networks."""

    built: list

    classes = ("dark", "light")

    def prepare(self, image):
        return np.asarray(image, float)[None]

    def network(self, shape):
        self.built.append(shape)
        return lambda x: np.stack([-x.mean(axis=(1, 2)), x.mean(axis=(1, 2))], axis=1)


def test_predictions_come_in_the_order_of_the_classes_asked_for():
    images = [np.full((2, 3), 5), np.full((2, 3), 7), np.full((4, 1), 9)]
    model = Brightness([])
    assert predictions(model, images, ("light", "dark")).tolist() == [[5, -5], [7, -7], [9, -9]]
    assert predictions(model, images, ("dark",)).tolist() == [[-5], [-7], [-9]]


def test_a_network_is_kept_for_as_long_as_the_shape_stays():
    model = Brightness([])
    predictions(model, [np.zeros((2, 3)), np.ones((2, 3)), np.zeros((4, 1)), np.zeros((2, 3))], ("dark",))
    assert model.built == [(1, 2, 3), (1, 4, 1), (1, 2, 3)]


def test_a_model_that_lacks_a_class_is_refused_by_its_name():
    with pytest.raises(ValueError, match="knows dark, light but not cat"):
        predictions(Brightness([]), [], ("light", "cat"))


def test_a_model_with_two_classes_of_a_name_is_refused():
    class Twice(Brightness):
        classes = ("light", "dark", "light")

    with pytest.raises(ValueError, match="the model has several classes named light: give each a name of its own"):
        predictions(Twice([]), [], ("dark", "light"))
    assert predictions(Twice([]), [np.zeros((2, 3))], ("dark",)).tolist() == [[0]]


def scene(image, *labels):
    masks = np.zeros((len(labels), *image.shape), bool)
    masks[:, 0, 0] = labels
    return Scene(image, masks)


BLACK, WHITE = np.zeros((SIDE, SIDE), np.uint8), np.full((SIDE, SIDE), 255, np.uint8)


def test_the_histogram_baseline_by_hand():
    # Black and white share no bin: |h - h'|^2 = 2, k = e = exp(-8). Labels less their mean: 1/2 and -1/2.
    # [[2, e], [e, 2]]^-1 (1/2, -1/2) = (1, -1) / (2 (2 - e)), so black scores (1 - e) / (2 (2 - e)).
    e = math.exp(-8)
    others = [scene(BLACK, 1, 0, 1), scene(WHITE, 0, 1, 1)]
    scores = histogram_baseline([scene(WHITE, 1, 1, 1), scene(BLACK, 1, 1, 1)], others)
    black = (1 - e) / (2 * (2 - e))
    # A handful of roundings of numbers below 2.
    assert scores == pytest.approx(np.array([[-black, black, 0], [black, -black, 0]]), abs=1e-15)


def test_the_histogram_baseline_does_not_see_where_a_pixel_is():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (SIDE, SIDE), dtype=np.uint8)
    shuffled = rng.permuted(image.ravel()).reshape(SIDE, SIDE)
    others = [scene(BLACK, 1, 0), scene(image // 3, 0, 1), scene(WHITE, 0, 0)]
    a, b = histogram_baseline([scene(image, 1, 0), scene(shuffled, 1, 0)], others)
    assert a.tolist() == b.tolist() and abs(a).min() > 0


LABELS = np.array([[1, 0, 0], [1, 0, 1], [0, 0, 1], [1, 0, 0]], bool)
TABLE = precision_table(LABELS, {"up": np.arange(12).reshape(4, 3), "down": -np.arange(12).reshape(4, 3)},
                        ("grass", "never", "cat"))


def test_the_table_leaves_a_class_that_is_never_seen_out_of_the_mean():
    # grass, up: ranked 1 0 1 1, best precision 1 up to recall 1/3, then 3/4; down: 1 1 0 1: 1 up to 2/3, then 3/4.
    # cat, up: 0 1 1 0: 2/3 throughout; down: 0 1 1 0 likewise.
    up, down = (4 + 7 * 3 / 4) / 11, (7 + 4 * 3 / 4) / 11
    assert TABLE["grass", "prevalence"] == 3 / 4
    assert TABLE["grass", "up"] == pytest.approx(up, rel=ROUNDING, abs=0)
    assert TABLE["grass", "down"] == pytest.approx(down, rel=ROUNDING, abs=0)
    assert math.isnan(TABLE["never", "up"]) and TABLE["never", "prevalence"] == 0
    assert TABLE["mean", "down"] == pytest.approx((down + 2 / 3) / 2, rel=ROUNDING, abs=0)
    assert TABLE["mean", "prevalence"] == (3 / 4 + 2 / 4) / 2


def test_the_table_prints_aligned_with_a_dash_where_there_is_no_number():
    assert str(TABLE) == ("class  prevalence     up   down\n"
                          "grass       0.750  0.841  0.909\n"
                          "never       0.000      -      -\n"
                          "cat         0.500  0.667  0.667\n"
                          "mean        0.625  0.754  0.788")
    assert str(Table(("what", "n"), (("longer", 2.0),))) == "what        n\nlonger  2.000"
    assert str(Table(("what", "n"), (("a", -0.0004), ("b", -0.0006)))) == "what       n\na      0.000\nb     -0.001"


def test_no_class_at_all_has_no_mean():
    table = precision_table(np.zeros((2, 1), bool), {"model": np.zeros((2, 1))}, ("cat",))
    assert math.isnan(table["mean", "model"]) and math.isnan(table["mean", "prevalence"])


def test_the_bundled_models_reach_the_committed_numbers():
    text = (resources.files("lrp_ref.data_fixtures") / "README.md").read_text(encoding="utf-8")
    lines = text.partition("class   prevalence")[2].partition("```")[0].splitlines()[1:]
    committed = {name: [float(n) for n in numbers] for name, *numbers in map(str.split, lines)}
    assert list(committed) == [*CLASSES, "mean"]
    table = evaluate({name: load_model(name) for name in ("cnn", "fv", "vit")}, bundled())
    # Printed to three decimals; another machine's rounding may swap two scenes of nearly equal score.
    columns = "prevalence", "histogram", "cnn", "fv", "vit"
    assert {name: [table[name, column] for column in columns] for name in committed} == {
        name: pytest.approx(numbers, abs=0.003) for name, numbers in committed.items()}
    prevalence, histogram, cnn, fv, _ = committed["mean"]
    assert cnn >= 0.87 and fv >= 0.83 and min(cnn, fv) > 2 * prevalence > histogram
