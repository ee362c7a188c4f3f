"""model.explain: from a photograph, however it is given, to an explanation that shows itself."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import pytest
from helpers import refused

from lrp_ref import (
    AvgPool,
    Conv2D,
    Epsilon,
    Flatten,
    Linear,
    Model,
    Network,
    Preprocessing,
    ReLU,
    assign,
    cutoff,
    epsilon_gamma_box,
    epsilon_plus,
    explain,
    heatmap,
    load_model,
    paper_cnn,
)
from lrp_ref.models.explained import title
from lrp_ref.models.usual import DEEP, named_cutoff, usual_rules

rng = np.random.default_rng(3)
PIXELS = rng.integers(0, 256, (9, 12, 3), dtype=np.uint8)
NETWORK = Network([("conv", Conv2D(rng.normal(size=(4, 3, 3, 2)))), ("relu", ReLU()), ("pool", AvgPool((2, 3))),
                   ("flat", Flatten()), ("fc", Linear(rng.normal(size=(24, 3)), rng.normal(size=3)))])
MODEL = Model(NETWORK, ["left", "right", "both"], Preprocessing((6, 10), "rgb", mean=0.5, std=0.25, crop=0.9))
X = MODEL.prepare(PIXELS)


def pillow(path: Path) -> Any:
    from PIL import Image

    return Image.open(path)


GIVEN: dict[str, Callable[[Path], Any]] = {
    "path": lambda path: path, "text": str, "image of Pillow's": pillow, "array": lambda path: PIXELS,
    "floats": lambda path: PIXELS / 255,
}


@pytest.mark.parametrize("given", GIVEN)
def test_a_photograph_is_a_path_an_image_or_an_array(tmp_path: Path, given: str) -> None:
    path = tmp_path / "photo.png"
    iio.imwrite(path, PIXELS)
    e = MODEL.explain(GIVEN[given](path), "right")
    same = explain(NETWORK, X, paper_cnn(NETWORK), 1)
    assert (e.relevance == same.relevance).all() and (e.scores == same.scores).all() and e.target == 1
    assert (e.heatmap == heatmap(same.relevance)[0]).all() and e.classes == ["left", "right", "both"]
    assert (e.photograph == MODEL.seen(PIXELS / 255)).all() and e.photograph.shape[:2] == (6, 10)


def test_a_class_is_a_name_a_number_or_the_winner() -> None:
    best = int(NETWORK(X)[0].argmax())
    assert MODEL.explain(PIXELS).target == MODEL.explain(PIXELS, best).target == best
    with refused("got the class 'rigt', which the model does not have: did you mean 'right'? …"):
        MODEL.explain(PIXELS, "rigt")
    nameless = Model(NETWORK, [], MODEL.preprocessing)
    named = nameless.explain(PIXELS, 2)
    assert named.classes == ["0", "1", "2"] and named.title.startswith("2: ")
    with refused("got target 3, needed class indices from 0 to 2"):
        nameless.explain(PIXELS, 3)


def test_rules_are_a_preset_a_rule_a_mapping_or_the_usual_ones() -> None:
    every = {"preset": epsilon_plus, "rule": Epsilon(0.5), "mapping": assign(NETWORK, Epsilon(0.25)), "usual": None}
    wanted = {"preset": epsilon_plus(NETWORK), "rule": assign(NETWORK, Epsilon(0.5)),
              "mapping": assign(NETWORK, Epsilon(0.25)), "usual": paper_cnn(NETWORK)}
    for name, rules in every.items():
        assert MODEL.explain(PIXELS, 0, rules).rules == wanted[name], name   # type: ignore[arg-type]
        below = MODEL.explain(PIXELS, 0, rules, below="R1").rules   # type: ignore[arg-type]
        assert below == cutoff(wanted[name], "relu"), name
    with refused("explain got rules='paper', needed a preset such as paper_cnn, a rule such as Epsilon(0.01) …"):
        MODEL.explain(PIXELS, 0, "paper")   # type: ignore[arg-type]


def test_a_deep_network_has_rules_whose_maps_show_objects() -> None:
    def of(count: int) -> Network:
        return Network([(f"conv{n}", Conv2D(np.ones((1, 1, 1, 1)))) for n in range(count)])
    assert usual_rules(of(DEEP), -1.0, 2.0) == paper_cnn(of(DEEP))
    assert usual_rules(of(DEEP + 1), -1.0, 2.0) == epsilon_gamma_box(of(DEEP + 1), -1.0, 2.0)


def test_the_papers_cut_off_has_a_name_in_every_network_but_one_with_a_layer_of_that_name() -> None:
    assert [named_cutoff(NETWORK, name) for name in ("R1", "R(1)", "r1", "pool")] == ["relu", "relu", "relu", "pool"]
    assert named_cutoff(load_model("fv").chain, "R1") == "fisher"
    assert named_cutoff(Network([("conv", NETWORK["conv"]), ("relu", ReLU()), ("R1", ReLU())]), "R1") == "R1"
    with refused("got a network without a convolution that has a layer above it, needed one to cut off there: …"):
        named_cutoff(Network([("relu", ReLU())]), "R1")


def test_scores_of_another_number_than_names_are_refused_where_they_come() -> None:
    chain = Network([*NETWORK.layers[:3], ("flat", Flatten())])   # 24 scores, as only the image's size says
    with refused("got a model with 2 class names for 24 scores: give every score a name"):
        Model(chain, ["a", "b"], MODEL.preprocessing).explain(PIXELS)


def test_a_title_says_which_class_is_higher() -> None:
    assert title(["cat", "stars"], np.array([0.625, 0.25]), 0) == "cat: 0.62"
    assert title(["cat", "stars"], np.array([0.625, 0.75]), 0) == "cat: 0.62, although stars is higher: 0.75"
    assert title(["cat", "stars"], np.array([0.5, 0.5]), 1) == "stars: 0.50"   # a tie: none is higher


def test_it_shows_itself_in_a_line_and_in_a_notebook() -> None:
    e = MODEL.explain(PIXELS, "both")
    assert repr(e).startswith(f"Explained({e.title}; highest: ") and len(repr(e)) < 400
    assert "relevance (1, 3, 6, 10), of 6 tensors: input, conv, relu, pool, flat, fc;" in repr(e)
    html = e._repr_html_()
    assert html.startswith(f'<img alt="{e.title}" src="data:image/png;base64,iVBOR') and "sum |R|" in html
    odd = Model(NETWORK, ['<b>"', "right", "both"], MODEL.preprocessing).explain(PIXELS, 0)
    assert "<b>" not in odd._repr_html_()
    assert repr(MODEL).startswith("Model(Network(conv Conv2D, relu ReLU, pool AvgPool") and len(repr(MODEL)) < 400


def test_the_picture_is_that_of_what_the_model_has_seen() -> None:
    e = MODEL.explain(PIXELS, "both")
    drawn = e.picture()
    assert drawn._repr_png_().startswith(b"\x89PNG") and len(drawn.panels) == 1
    height, width = drawn.panels[0][0].height, drawn.panels[0][0].width
    assert height * 10 == pytest.approx(width * 6, abs=10)   # to a pixel: the seen part has 6 x 10
