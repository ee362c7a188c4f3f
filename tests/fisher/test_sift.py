"""Dense SIFT: its numbers are VLFeat's, and its map spreads every bin over the pixels it covers."""

import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import F, assert_holds, fractions, law, mixed, total, types_in

from lrp_ref import Flat, Linear, Network, WSquare, assign, cutoff, explain
from lrp_ref.arrays import Array, ones_like, positive, same
from lrp_ref.checks.claims.by_loops import units
from lrp_ref.checks.claims.claim import Claim
from lrp_ref.checks.claims.examples import RULES
from lrp_ref.checks.claims.laws import COLUMNS
from lrp_ref.checks.definitions import flat
from lrp_ref.checks.definitions import sift as by_loops
from lrp_ref.layers.fisher import sift
from lrp_ref.layers.fisher.sift import DenseSift, fast_arctan2
from lrp_ref.relevance import through_layer
from lrp_ref.step import step

VLFEAT = Path(__file__).parents[2] / "data_fixtures" / "vlfeat_sift.npz"
PLAIN: dict[str, Any] = {"smoothing": None, "contrast": 0}


def photograph(shape: tuple[int, ...], seed: int = 0) -> Array:
    """Noise with a dark corner, in [0, 1], as a batch (N, 1, H, W)."""
    x = np.random.default_rng([seed, *shape]).random(shape)[:, None]
    x[..., :4, :5] = 0.25
    return x


# ---- What selfcheck claims ----


@law("descriptors")
def test_dense_sift_is_its_loops(claim: Claim) -> None:
    assert_holds(claim)


@law("cut-off (e)")
def test_the_cut_off_fills_the_squares_of_descriptors(claim: Claim) -> None:
    assert_holds(claim)


# ---- Descriptors worked by hand ----


@pytest.mark.parametrize(("dy", "dx", "t"), [(0, 1, 0), (1, 1, 1), (1, 0, 2), (1, -1, 3), (0, -1, 4), (-1, -1, 5),
                                             (-1, 0, 6), (-1, 1, 7)])
def test_orientations_turn_from_right_to_down(dy: int, dx: int, t: int) -> None:
    y, x = np.mgrid[:10, :11]
    descriptors = DenseSift(3, 1, window=1e9, **PLAIN)((0.5 + 0.03 * (dy * y + dx * x))[None, None])
    # all 16 bins alike: h = 1/4 each, cut to 1/5, again 1/4, times 512; 2^-23 beside the norm of 4/5 takes 1.91e-5
    wanted = np.zeros((16, 8))
    wanted[:, t] = 128
    assert descriptors.shape == (1, 2, 128) and abs(descriptors - wanted.ravel()).max() < 2e-5


def test_a_gradient_is_split_linearly_between_two_orientations() -> None:
    # angle 3/10 of the way from t = 1 to t = 2: 7 : 3. In 16 bins h = 7 and 3 over 4 sqrt(58), 0.2298 and 0.0985
    angle = 1.3 * np.pi / 4
    y, x = np.mgrid[:7, :7]
    [[d]] = DenseSift(2, 1, window=1e9, **PLAIN)((0.2 + 0.01 * (np.sin(angle) * y + np.cos(angle) * x))[None, None])
    low = 3 / (4 * 58 ** 0.5)
    wanted = np.zeros((16, 8))
    wanted[:, 1:3] = np.array([0.2, low]) / (16 * (0.2 ** 2 + low ** 2)) ** 0.5 * 512
    # 2^-23 beside the norms, as above, and that of the 0.0985 that are not cut is a sixth: 5.2e-5
    assert abs(d - wanted.ravel()).max() < 6e-5


def test_the_window_weighs_inner_bins_more_and_a_coordinate_may_exceed_a_fifth() -> None:
    # size 6: the Gaussian's means are p = .60525 and q = .89647, |h| = 2 p^2 + 2 q^2. Corner bins have p^2, inner ones
    # q^2, the others p q: over the norm .15655, .34345 and .23188, of which the last two are cut
    x = np.arange(19) * np.ones((19, 1)) / 20
    [[d]] = DenseSift(6, 1, **PLAIN)(x[None, None])
    corner, other = 105.43, 134.69
    row, inner = [corner, other, other, corner], [other] * 4
    assert abs(d.reshape(4, 4, 8)[..., 0] - [row, inner, inner, row]).max() < 0.005    # of two decimals
    assert not d.reshape(16, 8)[:, 1:].any() and d.max() > 512 / 5


def test_bins_count_along_x_before_y() -> None:
    x = np.zeros((1, 1, 13, 13))
    x[..., 3, 8] = 1      # the bin at column 8, row 4 of those at 0, 4, 8, 12
    [[d]] = DenseSift(4, 1, **PLAIN)(x)
    sums = d.reshape(16, 8).sum(axis=1)
    assert sums.argmax() == 2 + 4 * 1 and sums[2 + 4 * 3] == sums[0 + 4 * 1] == 0 < sums[2 + 4 * 0] < sums[2 + 4 * 1]


def test_frames_come_size_by_size_and_row_by_row() -> None:
    # rows 1 .. 11, columns 0 .. 10. Size 3 begins at (1, 0) and ends at (10, 9), with no room for another; size 1
    # begins 3 further inside, so that its first centre is the same
    layer = DenseSift((3, 1), 2, bounds=(0, 1, 10, 11))
    assert layer.frames((7, 1, 12, 11)).tolist() == [
        [4.5, 5.5, 3], [4.5, 5.5, 1], [6.5, 5.5, 1], [8.5, 5.5, 1], [4.5, 7.5, 1], [6.5, 7.5, 1], [8.5, 7.5, 1],
        [4.5, 9.5, 1], [6.5, 9.5, 1], [8.5, 9.5, 1]]
    assert layer.output_shape((7, 1, 12, 11)) == (7, 10, 128)


def test_the_reference_setting_has_73866_descriptors_on_a_voc_image() -> None:
    layer = DenseSift((4, 6, 8, 10), 3)
    assert [len(grid) for grid in layer.at((1, 1, 500, 375))] == [18880, 18603, 18328, 18055]
    frames = layer.frames((1, 1, 500, 375))
    assert len(frames) == 73866 and frames[0].tolist() == [15, 15, 4]
    assert [frames[frames[:, 2] == s][0, :2].tolist() for s in (6, 8, 10)] == [[15, 15]] * 3


def test_an_image_without_contrast_has_descriptors_of_zeros() -> None:
    x = np.full((2, 1, 13, 14), 0.7)
    x[1] = photograph((1, 13, 14))
    for layer in (DenseSift(4, 1), DenseSift(4, 1, flat=False, **PLAIN)):
        d = layer(x)
        assert (d[0] == 0).all() and d[1].any(axis=-1).all()


# ---- The definition by loops ----

SETTINGS: dict[str, tuple[tuple[int, ...], DenseSift]] = {
    "flat": ((2, 12, 15), DenseSift(3, 4, window=2.0, **PLAIN)),
    "Gaussian": ((1, 15, 12), DenseSift(3, 2, window=1.25, flat=False, **PLAIN)),
    "smoothed, three sizes": ((1, 12, 13), DenseSift((2, 1, 3), 2)),
    "coarse steps, bounds": ((1, 17, 16), DenseSift((2, 4), 3, 3.5, contrast=0.0, bounds=(2, 1, 14, 16))),
    "steps and sizes of a common divisor": ((1, 14, 19), DenseSift(4, 6, None)),
    "contrast": ((1, 10, 17), DenseSift((2, 3), 2, contrast=0.17)),
    "tall": ((1, 21, 9), DenseSift(2, 1, contrast=0.0)),    # more rows of frames than are normalised at a time
}


@pytest.mark.parametrize(("shape", "layer"), SETTINGS.values(), ids=SETTINGS)
def test_descriptors_are_their_definition(shape: tuple[int, ...], layer: DenseSift) -> None:
    x = photograph(shape)
    d = layer(x)
    assert d.shape == layer.output_shape(x.shape) and d.any()
    for n, image in enumerate(x[:, 0].tolist()):
        wanted = by_loops.descriptors(image, layer.sizes, layer.step, layer.smoothing, layer.window, layer.contrast,
                                      layer.flat, layer.bounds)
        # sums of a few hundred terms in another order, 1e-16 each, on a scale of 255
        assert abs(d[n] - wanted).max() < 1e-11
        if layer.contrast > 0.1:
            assert 0 < (~d[n].any(axis=1)).sum() < len(d[n])


@pytest.mark.parametrize(("shape", "layer"), SETTINGS.values(), ids=SETTINGS)
def test_frames_are_their_definition(shape: tuple[int, ...], layer: DenseSift) -> None:
    n, height, width = shape
    wanted = [(x + 1.5 * s, y + 1.5 * s, s)
              for x, y, s in by_loops.frames(height, width, layer.sizes, layer.step, layer.bounds)]
    assert list(map(tuple, layer.frames((n, 1, height, width)).tolist())) == wanted


def test_what_is_worked_on_at_a_time_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    x, layer = photograph((1, 31, 42)), DenseSift((2, 4), 1)
    wanted = layer(x)
    for name, value in (("LINES", 5), ("ROWS", 3), ("PRODUCT", 700)):
        monkeypatch.setattr(sift, name, value)
    assert abs(layer(x) - wanted).max() < 1e-11    # BLAS sums in another order: 1e-16 of 255, a few hundred terms


def test_single_precision_stays_and_is_near_double() -> None:
    x, layer = photograph((2, 21, 20)), DenseSift((4, 6), 3)
    single = layer(x.astype(np.float32))
    # 2^-24 of each of 255, some hundred terms; angles near a multiple of 1/8 turn move no further than that either
    assert single.dtype == np.float32 and abs(single - layer(x)).max() < 2e-3


def test_a_batch_is_its_images_one_by_one() -> None:
    x, layer = photograph((3, 17, 22)), DenseSift((3, 4), 2)
    assert (layer(x) == np.concatenate([layer(x[n : n + 1]) for n in range(3)])).all()


# ---- VLFeat ----

# the approximate arc tangent makes the comparison tight: float32 against float32 sums, 2e-5 of a descriptor of norm 1
VLFEAT_SETTINGS: dict[str, DenseSift] = {
    "a": DenseSift(5, 5, window=2.0, exact_angle=False, **PLAIN),
    "b": DenseSift(5, 5, window=2.0, exact_angle=False, flat=False, **PLAIN),
    "c": DenseSift(4, 3, exact_angle=False, **PLAIN),
    "d": DenseSift(6, 4, exact_angle=False, flat=False, **PLAIN),
    "e": DenseSift(6, 4, exact_angle=False, bounds=(3, 5, 34, 32), **PLAIN),
}
FILES = ["noise_a", "noise_b", "noise_d", "noise_e", "impulse_c", "camera_e"]
PHOW = DenseSift((4, 6, 8, 10), 3, exact_angle=False)


@pytest.mark.parametrize("number", [np.float32, np.float64])
@pytest.mark.parametrize("name", FILES)
def test_descriptors_and_frames_are_vlfeats(name: str, number: type) -> None:
    file = np.load(VLFEAT)
    picture, setting = name.split("_")
    x, layer = file[f"img_{picture}"][None, None].astype(number), VLFEAT_SETTINGS[setting]
    wanted = np.minimum(512 * file[f"dsift_{name}_descr"], 255)
    d = layer(x)
    assert d.dtype == number and wanted.any()
    assert (layer.frames(x.shape)[:, :2] == file[f"dsift_{name}_frames"][:, :2]).all()
    assert abs(d[0] - wanted).max() < 512 * 2e-5
    # the exact angle is up to 0.0061 (of a turn's 6.28) away from VLFeat's, and a coordinate 0.01
    exact = replace(layer, exact_angle=True)(x)
    assert abs(exact[0] - wanted).max() < 512 * 1e-2
    if picture != "impulse":    # whose gradients lie at multiples of 1/8 turn, where both angles are exact
        assert abs(exact[0] - wanted).max() > 512 * 2e-4


def test_descriptors_of_four_sizes_are_vlfeats() -> None:
    file = np.load(VLFEAT)
    x = file["img_camera"][None, None]
    bytes_ = file["phow_camera_u8_descr"].astype(float)
    whole = replace(PHOW, truncate=True)(x)[0]
    assert abs(whole - bytes_).max() <= 1 and (whole != bytes_).mean() < 2e-4    # numbers that were about to be whole
    assert abs(PHOW(x)[0, ::7] - file["phow_camera_f_descr_every_7th"]).max() < 512 * 2e-5
    assert (PHOW.frames(x.shape) == file["phow_camera_frames"][:, [0, 1, 3]]).all()
    exact = DenseSift((4, 6, 8, 10), 3, truncate=True)(x)[0]
    # the angles differ by up to 0.0061, which turns every tenth byte, and moves none by more than the 512 * 1e-2 above
    assert abs(exact - bytes_).max() <= 4 and 0.1 < (exact != bytes_).mean() < 0.13


@pytest.mark.parametrize("contrast", [0.01, 0.02, 0.03])
def test_the_contrast_is_vlfeats_norm_of_a_frame(contrast: float) -> None:
    file = np.load(VLFEAT)
    kept = replace(PHOW, contrast=contrast)(file["img_camera"][None, None])[0].any(axis=1)
    norm = file["phow_camera_frames"][:, 2]
    # no norm is so near that float32's rounding, 2e-9 of these, would decide
    assert abs(norm - contrast).min() > 1e-6 and 0 < kept.sum() < len(kept)
    assert (kept == (norm >= contrast)).all()


def test_the_approximate_angle_is_wrong_by_six_thousandths_at_most() -> None:
    angle = np.linspace(-np.pi, np.pi, 10001)
    y, x = 0.3 * np.sin(angle), 0.3 * np.cos(angle)
    assert 0.005 < abs(fast_arctan2(y, x) - np.arctan2(y, x)).max() < 0.0062
    assert fast_arctan2(y.astype(np.float32), x.astype(np.float32)).dtype == np.float32


# ---- The map: which pixels a bin covers ----


def spread(layer: DenseSift, R: Array, shape: tuple[int, int]) -> Array:
    """Flat relevance on an image of Fractions, (H, W)."""
    a, m = layer.linearize(mixed((len(R), 1, *shape)))
    return step(Flat(), m, a, R)[0][0, 0]


def coordinates(values: dict[tuple[int, int, int], Any], descriptors: int = 1) -> Array:
    """R with {(by, bx, t): number} in the first descriptor, else 0."""
    R = np.full((1, descriptors, 4, 4, 8), F(0))
    for (by, bx, t), value in values.items():
        R[0, 0, by, bx, t] = F(value)
    return R.reshape(1, descriptors, 128)


def test_a_bin_of_even_size_covers_its_outermost_pixels_by_half() -> None:
    # size 2: bins centred on 0, 2, 4, 6 of 7 pixels. The first covers 1 and 1/2, the second 1/2, 1, 1/2
    below = spread(DenseSift(2, 1), coordinates({(0, 1, 5): 12}), (7, 7))
    wanted = np.full((7, 7), F(0))
    wanted[0, 1:4], wanted[1, 1:4] = fractions("2 4 2"), fractions("1 2 1")      # (2/3, 1/3) by (1/4, 1/2, 1/4) of 12
    assert (below == wanted).all()


def test_a_bin_of_odd_size_covers_whole_pixels() -> None:
    # size 3: bins centred on 0, 3, 6, 9 of 10 rows; the last covers 8 and 9, the second 2, 3, 4
    below = spread(DenseSift(3, 1), coordinates({(3, 1, 0): 6, (3, 1, 7): 6}), (10, 10))
    wanted = np.full((10, 10), F(0))
    wanted[8:, 2:5] = F(2)
    assert (below == wanted).all()


def test_the_area_of_a_bin_is_what_lies_inside_the_image() -> None:
    a, m = DenseSift((2, 1), 9).linearize(mixed((2, 1, 8, 7)))
    areas = m.apply(ones_like(a), ones_like).reshape(2, 2, 4, 4, 8)
    side = np.array([F(3, 2), F(2), F(2), F(3, 2)])
    last = np.array([F(3, 2), F(2), F(2), F(2)])    # of 8 rows the seventh is covered by 1, the eighth by 1/2
    assert (areas[:, 0] == (last[:, None] * side)[..., None]).all() and (areas[:, 1] == 1).all()


def test_the_cutoff_spreads_relevance_evenly_over_a_descriptors_square() -> None:
    # bins of size 2 from 1 to 7: the square 0 .. 8 covers its first and last pixel by half; of size 3: 0 .. 11, in full
    R = np.full((1, 1, 128), F(64 * 5, 128))
    half = np.array([F(1, 2), *[F(1)] * 7, F(1, 2)])
    below = spread(DenseSift(2, 1, bounds=(1, 1, 7, 7)), R, (9, 10))
    assert (below[:, :9] == 5 * half[:, None] * half).all() and (below[:, 9] == 0).all()
    R = np.full((1, 1, 128), F(144, 128))
    assert (spread(DenseSift(3, 1, bounds=(1, 1, 10, 10)), R, (12, 12)) == 1).all()


def test_at_the_border_a_clipped_bin_keeps_its_sixteenth_and_is_denser() -> None:
    # along an axis 1/4 per bin: (2/3, 1/3), (1/4, 1/2, 1/4), the same mirrored; over the square's 7 pixels it were 1/7
    below = spread(DenseSift(2, 1), np.full((1, 1, 128), F(1, 128)), (7, 7))
    line = fractions("1/6 7/48 1/8 1/8 1/8 7/48 1/6")
    assert (below == line[:, None] * line).all() and total(below) == 1
    assert (line - F(1, 7)).tolist() == fractions("1/42 1/336 -1/56 -1/56 -1/56 1/336 1/42").tolist()


@pytest.mark.parametrize(("layer", "shape"), [
    (DenseSift(1, 1), (5, 6)), (DenseSift((2, 1), 2), (7, 8)), (DenseSift((1, 3), 4), (10, 12)),
    (DenseSift(2, 1, bounds=(1, 0, 8, 7)), (8, 9)),
], ids=["size 1", "sizes 2, 1", "sizes 1, 3", "bounds"])
def test_flat_relevance_is_its_definition_and_every_bit_arrives(layer: DenseSift, shape: tuple[int, int]) -> None:
    x = mixed((1, 1, *shape))
    a, m = layer.linearize(x)
    assert a is x and not m.learned and not m.gate and not m.bias.any()
    R = mixed(layer.output_shape(x.shape), 1)
    below, account = step(Flat(), m, a, R)
    wanted = flat(by_loops.coverage(units(x[0]), layer.sizes, layer.step, layer.bounds), units(x[0]), units(R[0]))
    assert units(below[0]) == wanted.relevance
    for column in COLUMNS:
        assert units(getattr(account, column)[0]) == getattr(wanted, column)
    assert total(below) == total(R) and (account.handed == R).all()


def test_forward_and_backward_are_adjoint() -> None:
    a, m = DenseSift((2, 1, 3), 2).linearize(mixed((2, 1, 11, 13), 3))
    z = m.apply(a, ones_like)
    s = mixed(z.shape, 5)
    assert z.any() and total(s * z) == total(a * m.transpose(s, ones_like, a.shape))


def test_the_8_orientations_of_a_bin_go_to_the_same_pixels() -> None:
    layer, R = DenseSift((2, 1), 3), mixed((2, 5, 128), 2)
    a, m = layer.linearize(mixed((2, 1, 8, 7)))
    swapped = R.reshape(2, 5, 16, 8)[..., ::-1].reshape(2, 5, 128)
    assert (m.transpose(R, ones_like, a.shape) == m.transpose(swapped, ones_like, a.shape)).all()


@pytest.mark.parametrize("number", [np.float32, np.float64])
def test_pixels_that_no_bin_reaches_get_exactly_nothing(number: type) -> None:
    layer, rng = DenseSift((2, 3), 17), np.random.default_rng(4)
    x = rng.random((2, 1, 40, 53)).astype(number)
    R = (rng.standard_normal(layer.output_shape(x.shape)) * 10.0 ** rng.integers(-9, 9, 128)).astype(number)
    below, account = through_layer(Flat(), layer, x, R)
    reached = np.zeros((40, 53), dtype=bool)
    for left, top, s in by_loops.frames(40, 53, layer.sizes, layer.step):
        rows, columns = (slice(max(0, first - s // 2), first + 3 * s + s // 2 + 1) for first in (top, left))
        reached[rows, columns] = True
    assert 0.2 < reached.mean() < 0.8
    assert (below[:, 0, ~reached] == 0).all() and (below[:, 0, reached] != 0).all()
    assert below.dtype == account.handed.dtype == number


def test_pieces_together_are_the_map(monkeypatch: pytest.MonkeyPatch) -> None:
    # integers and halves of halves: exact in floats
    layer = DenseSift((1, 4, 3), 2)
    x = np.random.default_rng(1).integers(-9, 9, (2, 1, 41, 19)).astype(float)
    a, m = layer.linearize(x)
    s = np.random.default_rng(2).integers(-99, 99, layer.output_shape(x.shape)).astype(float)
    z, below = m.apply(a, ones_like), m.transpose(s, ones_like, a.shape)
    monkeypatch.setattr(sift, "PIECE", 3)
    pieces = list(m.pieces(a.shape))
    outputs, inputs = np.full(z.shape, np.nan), np.zeros(a.shape)
    for above, to, piece in pieces:
        outputs[to] = piece.apply(a[above], ones_like)
        inputs[above] += piece.transpose(s[to], ones_like, a[above].shape)
    assert len(pieces) == 6 + 5 + 6 and (outputs == z).all() and (inputs == below).all()


@pytest.mark.parametrize("number", [np.float32, np.float64, F, Decimal])
def test_the_map_keeps_the_number_type(number: type) -> None:
    x = mixed((2, 1, 7, 9), 1, number)
    a, m = DenseSift((2, 1), 3).linearize(x)
    z = m.apply(ones_like(a), ones_like)
    below, account = step(Flat(), m, a, z)
    assert types_in(z) == types_in(m.bias) == types_in(m.transpose(z, ones_like, a.shape)) == {number}
    assert types_in(below) == types_in(account.handed) == types_in(account.dead) == {number}


def test_a_network_hands_relevance_from_descriptors_to_pixels() -> None:
    rng = np.random.default_rng(3)
    network = Network([("sift", DenseSift((4, 3), 2)), ("pca", Linear(rng.standard_normal((128, 5))))])
    x = photograph((1, 16, 19))
    R = rng.standard_normal(network.shapes(x.shape)[network.output])
    rules = assign(network, {DenseSift: Flat()})
    for chosen in (rules, cutoff(rules, below="pca"), cutoff(rules, below="pca", rule=WSquare())):
        e = explain(network, x, chosen, target=R)
        above = e.relevances["sift"]     # one rounding for each of its numbers, in either sum
        assert abs(e.relevance.sum() - above.sum()) <= 2 * above.size * 2.0**-53 * abs(above).sum()
        assert e.relevance.shape == x.shape and abs(e.relevance).sum() > 0.1 * abs(above).sum()
    assert (e.relevance == explain(network, x, rules, target=R).relevance).all()


# ---- What it refuses ----


@pytest.mark.parametrize("name", [name for name in RULES if name not in ("Flat", "WSquare", "Pass")])
def test_rules_that_need_weights_are_refused(name: str) -> None:
    a, m = DenseSift(2, 1).linearize(mixed((1, 1, 7, 8), 1))
    text = re.escape("DenseSift has no weights, only pixels that its bins cover: use Flat()")
    with pytest.raises(ValueError, match=f"^{text}$"):
        step(RULES[name], m, a, np.full((1, 2, 128), F(1)))
    for f in (same, positive, lambda w: w):
        with pytest.raises(ValueError, match=f"^{text}$"):
            m.apply(a, f)
        with pytest.raises(ValueError, match=f"^{text}$"):
            m.transpose(np.full((1, 2, 128), F(1)), f, a.shape)


def test_a_bin_is_no_gate() -> None:
    a, m = DenseSift(2, 1).linearize(mixed((1, 1, 7, 8), 1))
    with pytest.raises(ValueError, match=r"^Pass needs a gate"):
        step(RULES["Pass"], m, a, np.full((1, 2, 128), F(1)))


def test_exact_numbers_have_a_map_but_no_descriptors() -> None:
    text = re.escape("DenseSift has no exact form: use float64 (its map is exact)")
    with pytest.raises(ValueError, match=f"^{text}$"):
        DenseSift(2, 1)(mixed((1, 1, 7, 8)))


@pytest.mark.parametrize("shape", [(1, 1, 30, 40), (1, 1, 31, 30), (1, 1, 1, 1)])
def test_an_image_has_room_for_the_largest_descriptor(shape: tuple[int, ...]) -> None:
    layer = DenseSift((4, 10), 3)
    text = re.escape(f"DenseSift got an image of {shape[2]} x {shape[3]} (shape {shape}), but descriptors of size 10 "
                     "need 31 x 31 pixels: use a larger image or smaller sizes")
    for use in (layer, layer.linearize, lambda x: layer.output_shape(x.shape), lambda x: layer.frames(x.shape)):
        with pytest.raises(ValueError, match=f"^{text}$"):
            use(np.ones(shape))
    assert layer.output_shape((1, 1, 31, 31)) == (1, 16 + 1, 128) == layer(np.ones((1, 1, 31, 31))).shape


@pytest.mark.parametrize("bounds", [(0, 0, 9, 5), (4, 1, 9, 7), (0, 0, 10, 7), (0, 0, 9, 8)])
def test_bounds_lie_in_the_image_and_have_room_for_the_largest_descriptor(bounds: tuple[int, int, int, int]) -> None:
    text = re.escape(f"need 7 x 7 pixels within the bounds {bounds}: use")
    with pytest.raises(ValueError, match=text):
        DenseSift(2, 1, bounds=bounds)(np.ones((1, 1, 8, 10)))


@pytest.mark.parametrize("shape", [(1, 3, 40, 40), (40, 40), (1, 40, 40), (1, 40, 40, 1)])
def test_an_image_is_grey(shape: tuple[int, ...]) -> None:
    text = re.escape(f"DenseSift got an input of shape {shape}, needed grey images (N, 1, H, W): average the colours?")
    for use in (DenseSift(4, 3), DenseSift(4, 3).linearize):
        with pytest.raises(ValueError, match=f"^{text}$"):
            use(np.ones(shape))


BAD: dict[str, tuple[dict[str, Any], str]] = {
    **{f"sizes {bad}": ({"sizes": bad}, f"sizes={bad!r}, needed pixels per bin, at most 64 ints of at least 1: (4, 6)?")
       for bad in (0, (), (4, 0), 2.5, "4", None, (True, 4))},
    **{f"step {bad}": ({"step": bad}, f"step={bad!r}, needed an int of at least 1")
       for bad in (0, -3, 1.5, None, True)},
    **{f"smoothing {bad}": ({"smoothing": bad}, f"smoothing={bad!r}, needed a number of at least 0.0009765625")
       for bad in (0, -6, float("nan"), "6", True)},
    **{f"window {bad}": ({"window": bad}, f"window={bad!r}, needed a number of at least 0.0009765625")
       for bad in (0, None, float("inf"))},
    **{f"contrast {bad}": ({"contrast": bad}, f"contrast={bad!r}, needed a number of at least 0")
       for bad in (-0.1, None, float("nan"))},
    **{f"bounds {bad}": ({"bounds": bad}, f"bounds={bad!r}, needed four pixels (x0, y0, x1, y1)")
       for bad in (40, (0, 0, 40), (0, -1, 40, 40), (0.5, 0, 40, 40))},
}


@pytest.mark.parametrize(("given", "text"), BAD.values(), ids=BAD)
def test_bad_parameters_are_refused(given: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(f'DenseSift got {text}')}$"):
        DenseSift(**{"sizes": (4, 6), "step": 3, **given})


def test_sizes_may_be_one_int_or_several_of_numpys() -> None:
    assert DenseSift(4, 1).sizes == (4,) and DenseSift(np.array([4, 6]), 1).sizes == (4, 6)
    assert DenseSift(4, 1).astype(F).sizes == (4,)


def test_numpys_own_numbers_are_taken_for_step_and_bounds() -> None:
    plain = DenseSift(2, 3, bounds=(1, 0, 12, 10))
    layer = DenseSift(np.int64(2), np.int32(3), bounds=np.array([1, 0, 12, 10], np.uint8))
    assert (layer.step, layer.bounds) == (3, (1, 0, 12, 10)) and {type(b) for b in layer.bounds or ()} == {int}
    assert type(layer.step) is int
    x = np.random.default_rng(0).random((1, 1, 12, 14))
    assert (layer(x) == plain(x)).all()


def test_bounds_need_room_for_a_frame_along_either_axis() -> None:
    for bounds in ((0, 0, 6, 5), (0, 0, 5, 6), (3, 2, 8, 12)):     # 3 bins of 2 pixels are 6 apart
        with pytest.raises(ValueError, match=r"descriptors of size 2 need 7 x 7 pixels within the bounds"):
            DenseSift(2, 1, bounds=bounds).frames((1, 1, 14, 14))
    assert DenseSift(2, 1, bounds=(0, 0, 6, 6)).frames((1, 1, 14, 14)).tolist() == [[3, 3, 2]]


def test_a_tall_image_is_a_wide_one_turned() -> None:
    x, layer = np.random.default_rng(1).random((1, 1, 23, 8)), DenseSift(2, 3)
    tall, wide = layer.frames((1, 1, 23, 8)), layer.frames((1, 1, 8, 23))
    assert (tall[:, 0] == 3).all() and tall[:, 1].tolist() == [3, 6, 9, 12, 15, 18]
    assert sorted(map(tuple, tall)) == sorted((y, x, s) for x, y, s in wide)
    h = layer(x)[0].reshape(6, 4, 4, 8)                                    # bin y, bin x, orientation: 0 right, 2 down
    turned = layer(np.swapaxes(x, 2, 3))[0].reshape(1, 6, 4, 4, 8).transpose(0, 1, 3, 2, 4)[0]
    assert abs(h - turned[..., [2, 1, 0, 7, 6, 5, 4, 3]]).max() < 1e-11     # sums in another order, as above


def test_a_descriptor_of_exactly_the_contrast_stays() -> None:
    x = np.zeros((1, 1, 7, 7))
    x[0, 0, :, :] = np.arange(7) / 8
    for beyond, left in ((1.0, True), (1 + 2.0**-40, False)):
        sums = np.zeros((1, 1, 128))
        sums[..., :2] = 49, 0                                               # (3 s + 1)^2 of size 2
        DenseSift(2, 1, contrast=beyond).normalise(sums, 2)
        assert bool(sums.any()) is left


def test_the_approximate_angle_of_a_level_gradient_has_the_sign_of_plus() -> None:
    y, x = np.array([0.0, -0.0, 0.0, -0.0]), np.array([1.0, 1.0, -1.0, -1.0])
    # pi / 4 + 0.1821 - 0.9675 is -1.8e-6
    assert (np.sign(fast_arctan2(y, x)[2:]) == 1).all() and (abs(fast_arctan2(y, x)[:2]) < 2e-6).all()
