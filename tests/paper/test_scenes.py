"""Scenes: their grey levels, their shapes, their masks, and the same bytes everywhere."""

import hashlib

import imageio.v3 as iio
import numpy as np
import pytest

from lrp_ref.paper.precision import SEED
from lrp_ref.paper.scenes import (
    BACKGROUNDS,
    CLASSES,
    SIDE,
    _place,
    bundled_photographs,
    ellipse,
    endless,
    generate,
    rectangle,
    relit,
)

SCENE = 136   # scenes/scene.png, of SEED


def grains(seed, h=150, w=141):
    """A photograph of noise: 8-bit grey, h x w, from integers that are the same everywhere."""
    words = np.random.PCG64(seed).random_raw(h * w)
    return (words >> np.uint64(56)).astype(np.uint8).reshape(h, w)


PHOTOGRAPHS = {name: grains(number, 90 + number, 113) for number, name in enumerate(CLASSES)}
BACKS = {"left": grains(11), "right": grains(12, 128, 170)}


def test_relit_gives_the_mean_and_the_deviation_asked_for():
    crop = np.array([[10, 14, 10], [14, 10, 14]], np.uint8)   # mean 12, deviation 2, gain 5 / 2
    assert relit(crop, 100, 5).tolist() == [[95, 105, 95], [105, 95, 105]]


def test_relit_raises_contrast_no_more_than_threefold():
    crop = np.array([[10, 14, 10], [14, 10, 14]], np.uint8)   # deviation 40 would need a gain of 20
    assert relit(crop, 100, 40).tolist() == [[94, 106, 94], [106, 94, 106]]


def test_relit_cuts_at_black_and_white():
    crop = np.array([[0, 255], [255, 0]], np.uint8)           # deviation 127.5: gain 255 / 127.5 = 2
    assert relit(crop, 100, 255).tolist() == [[0, 255], [255, 0]]


def test_relit_moves_a_crop_without_contrast_to_the_mean():
    assert relit(np.full((2, 3), 7, np.uint8), 90, 30).tolist() == [[90] * 3] * 2


def test_the_ellipse_holds_the_pixels_whose_centres_lie_in_it():
    # 25 (2y - 2)^2 + 9 (2x - 4)^2 <= 225: the middle row has all five, the outer ones |2x - 4| <= 3.7
    assert ellipse(3, 5).astype(int).tolist() == [[0, 1, 1, 1, 0], [1, 1, 1, 1, 1], [0, 1, 1, 1, 0]]
    assert rectangle(2, 3).tolist() == [[True] * 3] * 2


def test_a_region_may_hide_a_fifth_of_an_earlier_one_and_no_more():
    masks = np.zeros((2, SIDE, SIDE), bool)
    masks[1] = True                                           # 16384 pixels, a fifth is 3276.8
    assert _place(rectangle(52, 63), masks, lambda low, high: low) == (slice(0, 52), slice(0, 63))   # 3276
    assert _place(rectangle(29, 113), masks, lambda low, high: low) is None                          # 3277


def test_a_mask_holds_what_is_visible_of_its_region_and_nothing_else():
    # Photographs of one grey level stay so when relit: inside a mask one level, outside all masks one level.
    plain = {name: np.full((80, 80), 9 * number, np.uint8) for number, name in enumerate(CLASSES)}
    for scene in generate(plain, {"back": np.full((128, 128), 200, np.uint8)}, 60, 5):
        assert scene.masks.sum(axis=0).max() == 1
        for mask in (*scene.masks[scene.labels], ~scene.masks.any(axis=0)):
            assert np.unique(scene.image[mask]).size == 1


def test_one_to_three_classes_are_visible_and_each_of_them_well():
    scenes = generate(PHOTOGRAPHS, BACKS, 200, 8)
    counts = {int(scene.labels.sum()) for scene in scenes}
    assert counts == {1, 2, 3}
    # 40 is the shortest side, pi / 4 the ellipse's part of its box; two later regions leave (4/5)^2 of it.
    assert min(m.sum() for s in scenes for m in s.masks[s.labels]) > 0.64 * 0.78 * 40 * 40


def test_text_is_never_mirrored_and_the_others_are():
    ramp = np.tile(np.arange(0, 240, 2, dtype=np.uint8), (90, 1))
    falling = dict.fromkeys(CLASSES, 0)
    for scene in generate(dict.fromkeys(CLASSES, ramp), {"back": grains(3)}, 60, 2):
        for name, mask in zip(CLASSES, scene.masks, strict=True):
            steps = np.diff(scene.image.astype(int), axis=1)[mask[:, 1:] & mask[:, :-1]]
            falling[name] += bool((steps < 0).any())
    assert falling.pop("text") == 0
    assert min(falling.values()) > 0


def test_the_same_seed_gives_the_same_bytes_everywhere():
    scenes = generate(PHOTOGRAPHS, BACKS, 20, 3)
    digest = hashlib.sha256(b"".join(s.image.tobytes() + np.packbits(s.masks).tobytes() for s in scenes))
    assert digest.hexdigest() == "3bf5fa7cd85009b685dfc3b279eaef4d38511b24b495166df5570dc0457cf13f"


def test_a_longer_run_begins_with_the_shorter_and_another_seed_differs():
    short, long, other = (generate(PHOTOGRAPHS, BACKS, n, seed) for n, seed in ((2, 4), (5, 4), (2, 5)))
    assert len(long) == 5
    for a, b, c in zip(short, long, other, strict=False):
        assert (a.image == b.image).all() and (a.masks == b.masks).all()
        assert (a.image != c.image).any()


def test_fewer_classes_than_regions_are_no_error():
    scenes = generate({"grass": PHOTOGRAPHS["grass"]}, BACKS, 6, 1)
    assert [scene.labels.tolist() for scene in scenes] == [[True]] * 6


def test_a_photograph_too_small_or_not_8_bit_grey_is_refused_by_name():
    with pytest.raises(ValueError, match=r"photograph 'cat' is uint8 of shape \(79, 99\).*at least 80x80"):
        generate({"cat": grains(0, 79, 99)}, BACKS, 1, 0)
    with pytest.raises(ValueError, match=r"photograph 'sky' is uint8 of shape \(130, 127\).*at least 128x128"):
        generate(PHOTOGRAPHS, {"sky": grains(0, 130, 127)}, 1, 0)
    with pytest.raises(ValueError, match=r"photograph 'cat' is float64"):
        generate({"cat": grains(0) / 255}, BACKS, 1, 0)
    with pytest.raises(ValueError, match="got no backgrounds"):
        next(endless(PHOTOGRAPHS, {}, 0))


def test_the_bundled_photographs_are_those_the_readme_names():
    from importlib import resources

    photographs, backgrounds = bundled_photographs()
    assert (tuple(photographs), tuple(backgrounds)) == (CLASSES, BACKGROUNDS)
    folder = resources.files("lrp_ref.data_fixtures")
    files = sorted(file.name for file in (folder / "photographs").iterdir())
    assert files == sorted(f"{name}.png" for name in CLASSES + BACKGROUNDS)
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert [name for name in files if f"`{name}`" not in readme] == []


def test_the_bundled_scene_is_a_scene_of_the_bundled_photographs():
    from importlib import resources

    scene = generate(*bundled_photographs(), SCENE + 1, SEED)[SCENE]
    file = resources.files("lrp_ref.data_fixtures") / "scenes" / "scene.png"
    assert (iio.imread(file.read_bytes(), extension=".png") == scene.image).all()
    assert [name for name, there in zip(CLASSES, scene.labels, strict=True) if there] == ["cat", "stars"]
