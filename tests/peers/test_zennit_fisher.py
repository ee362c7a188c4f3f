"""zennit's Epsilon(100) on sum pooling as a Linear of ones: Eq. 5 is that for every statistic by itself."""

import numpy as np
import pytest
from fisher_model import descriptors, mixture

from lrp_ref import Epsilon
from lrp_ref.layers.fisher.regions import regions_of
from lrp_ref.step import step

torch = pytest.importorskip("torch")
theirs = pytest.importorskip("zennit.rules")


@pytest.mark.parametrize("epsilon", [100.0, 0.5])
def test_equation_5_is_zennits_epsilon_on_sum_pooling(epsilon: float) -> None:
    count, dimensions = 40, 4
    rng = np.random.default_rng(4)
    regions = regions_of(rng.integers(0, 9, (count, 2)), (9, 9))
    layer = mixture(gaussians=5, dimensions=dimensions, regions=regions)
    x = descriptors(1, count, dimensions)
    a, m = layer.linearize(x)
    R = rng.normal(size=m(a).shape)
    ours, _ = step(Epsilon(epsilon), m, a, R)

    # one sample for every Fisher dimension: all descriptors' psi (0 outside the region), summed by weights of 1
    psi = np.moveaxis(m.weight[0], 0, -1)[None] * regions[:, None, None, None]      # (regions, 2, K, D, L)
    inputs = torch.tensor(psi.reshape(-1, count), requires_grad=True)
    pool = torch.nn.Linear(count, 1, bias=False).double()
    torch.nn.init.ones_(pool.weight)
    handle = theirs.Epsilon(epsilon).register(pool)
    pool(inputs).backward(torch.tensor(R.reshape(-1, 1)))
    handle.remove()
    wanted = inputs.grad.numpy().reshape(-1, dimensions, count).sum(axis=0).T
    # rounding: 1e-16 for each of some hundred additions of numbers no larger than the largest
    assert abs(ours[0] - wanted).max() <= 2e-14 * abs(wanted).max()
