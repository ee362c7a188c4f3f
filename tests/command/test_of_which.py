"""What descriptors without contrast lose, and what clipping at the border moves, by other ways than the code's."""

import numpy as np
import pytest
from fisher_model import fisher_model, half_flat

from lrp_ref import (
    LRN,
    DenseSift,
    Epsilon,
    FisherVector,
    Flat,
    Flatten,
    Linear,
    Network,
    PMeans,
    SignedSqrt,
    assign,
    explain,
    paper_fv,
)
from lrp_ref.checks.claims.examples import LAYERS
from lrp_ref.command.of_which import of_which


def parts(rules=None, bias=False):
    model = fisher_model(bias)
    x = model.prepare(half_flat())
    network = model.network(x.shape)
    e = explain(network, x, (rules or paper_fv)(network), 1)
    return e, {(part.layer, part.column): part for part in of_which(network, e)}


def test_the_stabiliser_takes_all_relevance_of_descriptors_without_contrast():
    e, found = parts()
    empty = ~e.activations["sift"].any(axis=2)
    assert 0 < empty.sum() < empty.size
    part = found["pca", "stabiliser"]
    # y = 0 there, so that eps / (0 + eps) = 1: what reached y_l stays
    # sums in another order
    assert part.amount[0] == pytest.approx(e.relevances["pca"][empty].sum(), rel=1e-14, abs=0)
    assert not e.relevances["sift"][empty].any()
    assert part.what == f"in {empty.sum()} of {empty.size} descriptors, which have no contrast"
    assert ("pca", "dead") not in found and ("pca", "bias") not in found


def test_without_a_stabiliser_that_relevance_is_dead():
    e, found = parts(assign)
    empty = ~e.activations["sift"].any(axis=2)
    assert ("pca", "stabiliser") not in found
    # sums in another order
    assert found["pca", "dead"].amount[0] == pytest.approx(e.relevances["pca"][empty].sum(), rel=1e-14, abs=0)


def test_a_bias_shares_it_with_the_stabiliser():
    e, found = parts(bias=True)
    empty = ~e.activations["sift"].any(axis=2)
    b, R = fisher_model(True).chain["pca"].bias, e.relevances["pca"][empty]
    wanted = (R * abs(b) / (abs(b) + 100)).sum(), (R * 100 / (abs(b) + 100)).sum()
    got = found["pca", "bias"].amount[0], found["pca", "stabiliser"].amount[0]
    assert got == pytest.approx(wanted, rel=1e-14, abs=0)   # a dozen roundings of numbers of one sign or two


def test_what_a_bin_has_outside_the_image_is_moved_inward():
    # One frame of size 4: bins centred on 0, 4, 8, 12. The square -2 .. 2 about pixel 0 has 1 + 1 + 1/2 of its 4 rows
    # inside, so the corner bin has (5/8)^2 inside and 1 - 25/64 = 39/64 outside; the next one 1 - 5/8 = 3/8; an inner
    # bin nothing.
    network = Network([("sift", DenseSift(4, 1))])
    x = np.random.default_rng(0).random((1, 1, 13, 13))
    R = np.zeros((1, 1, 128))
    R[0, 0, 0], R[0, 0, 8 + 3], R[0, 0, 8 * 5 + 7] = 64, -8, 5     # bins (0, 0), (0, 1), (1, 1)
    part, = of_which(network, explain(network, x, None, R))
    assert part.layer == "sift" and part.column == "handed" and part.amount.tolist() == [39 - 3]


def test_the_lines_are_in_per_cent_of_what_arrives_at_the_layer():
    e, found = parts()
    part = found["pca", "stabiliser"]
    size = abs(e.relevances["pca"]).sum()
    assert part.line(e) == f"  {100 * part.amount[0] / size:8.3f}% of pca's stabiliser column: {part.what}"


def test_every_sample_has_an_amount_of_its_own():
    model = fisher_model()
    x = np.concatenate([model.prepare(half_flat()), model.prepare(half_flat(seed=2)[::-1])])
    network = model.network(x.shape)
    rules = assign(network, by_name={"pca": Epsilon(100)})
    together = of_which(network, explain(network, x, rules, 0))
    for n in (0, 1):
        alone = of_which(network, explain(network, x[n : n + 1], rules, 0))
        for part, one in zip(together, alone, strict=True):
            # products of matrices of another height round otherwise
            assert part.amount[n] == pytest.approx(one.amount[0], rel=1e-12, abs=0)


def test_a_cnn_has_no_such_parts():
    from lrp_ref import Conv2D, Flatten
    network = Network([("conv", Conv2D(np.ones((2, 1, 3, 3)))), ("flat", Flatten())])
    assert of_which(network, explain(network, np.ones((1, 1, 4, 5)))) == []


@pytest.mark.parametrize("above", [
    [("fisher", FisherVector(np.ones(1), np.zeros((1, 128)), np.ones((1, 128))))], [("mean", PMeans(2))],
    [("flat", Flatten())], [("root", SignedSqrt()), ("flat", Flatten())],
    [("root", SignedSqrt()), ("mean", PMeans(1))]],
    ids=lambda above: above[0][0])
@pytest.mark.parametrize("size", [13, 23])   # 1 descriptor, and 121 of them: as many as a sample's outputs are or not
def test_descriptors_without_contrast_are_looked_for_only_where_outputs_are_descriptors(above, size):
    network = Network([("sift", DenseSift(4, 1)), *above])
    x = np.pad(np.random.default_rng(0).random((2, 1, size, size - 2))[..., 2:], ((0, 0), (0, 0), (0, 0), (2, 2)))
    e = explain(network, x, None, np.ones(network.shapes(x.shape)[network.output]))
    found = {part.layer for part in of_which(network, e)}
    assert "sift" in found and found <= ({"sift", "root"} if above[0][0] == "root" else {"sift"})


def test_the_outputs_of_a_layer_are_not_indexed_by_its_inputs_where_their_sizes_agree():
    # two empty images: two descriptors for (2, 1), and outputs (2, 1) of which none is a descriptor
    network = Network([("sift", DenseSift(4, 1)), ("mean", PMeans(2)), ("fc", Linear(np.ones((128, 1))))])
    rules = {"sift": Flat(), "mean": Epsilon(1), "fc": Epsilon(1)}
    e = explain(network, np.zeros((2, 1, 13, 13)), rules, np.ones((2, 1)))
    assert {part.layer for part in of_which(network, e)} == {"sift"}


def test_only_layers_that_work_row_by_row_say_so():
    rng = np.random.default_rng(0)
    for name, example in LAYERS.items():
        layer = example.layer.astype(np.float64)
        if layer.rowwise and len(example.shape) > 1:
            x = example.x(1, number=np.float64)
            y, other = layer(x), x.copy()
            other[:, 0] = abs(rng.normal(size=other[:, 0].shape)) + 1     # of the first rows alone
            assert y.shape[:-1] == x.shape[:-1] and (layer(other)[:, 1:] == y[:, 1:]).all(), name
    kinds = Linear(np.ones((2, 2))), SignedSqrt(), Flatten(), PMeans(2), LRN(3, 1, 1, 1)
    assert [layer.rowwise for layer in kinds] == [True, True, False, False, False]
