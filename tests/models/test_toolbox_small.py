"""Two small networks that lrp_toolbox itself computed: convolutions, either pooling, dense layers, seven rules each.

lrp_toolbox's stabiliser in sum pooling is 1e-12 on the plain sum; its other layers use 1e-16, far below rounding.
"""


import numpy as np
import pytest
from helpers import distance
from toolbox_small import RULES, as_lrp_toolbox, case

from lrp_ref import explain


@pytest.mark.parametrize("pooling", ["sumpool", "maxpool"])
def test_scores_agree_with_lrp_toolbox(pooling):
    network, x, numbers = case(pooling)
    assert network(x).shape == numbers["scores"].shape == (4, 3)
    # Sums of at most 20 products round by less than 20 * 1.1e-16 of their sizes, which are near 1, layer after layer.
    assert np.abs(network(x) - numbers["scores"]).max() < 1e-14


@pytest.mark.parametrize("pooling", ["sumpool", "maxpool"])
@pytest.mark.parametrize("key", RULES)
def test_relevance_agrees_with_lrp_toolbox(pooling, key):
    network, x, numbers = case(pooling)
    wanted = numbers[f"relevance_{key}"].transpose(0, 3, 1, 2)
    rules = RULES[key](network)
    target = numbers["target"]
    # Rounding alone is left: a few 1e-16 per layer, over denominators down to a hundredth of the terms in them.
    assert distance(explain(network, x, as_lrp_toolbox(network, rules), target).relevance, wanted) < 2e-13
    # Without the stabiliser what a sum passes on changes by 1e-12 / sum; every sum here is 0 or above 0.004.
    assert distance(explain(network, x, rules, target).relevance, wanted) < 2.5e-10


@pytest.mark.parametrize("pooling", ["sumpool", "maxpool"])
def test_every_number_in_the_file_is_compared(pooling):
    _, _, numbers = case(pooling)
    assert set(numbers) == {"scores", "target"} | {f"relevance_{key}" for key in RULES}


@pytest.mark.parametrize("pooling", ["sumpool", "maxpool"])
def test_the_rules_differ_from_each_other_by_far_more_than_the_tolerance(pooling):
    _, _, numbers = case(pooling)
    maps = [numbers[f"relevance_{key}"] for key in RULES]
    for n, one in enumerate(maps):
        assert all(distance(one, other) > 0.01 for other in maps[:n])
