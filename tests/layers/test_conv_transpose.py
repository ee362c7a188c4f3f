"""The transpose of a convolution: what decoders enlarge maps with."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from helpers import F, fractions, image, mixed, refused

from lrp_ref import Conv2D, ConvTranspose2D, Epsilon, Flat, Network, explain


def test_every_input_adds_its_window_of_weights() -> None:
    # x = 3 -1, w = 1 2 -2, stride 2: 3 6 -6 . . and . . -1 -2 2, and 1/2 everywhere
    layer, x = ConvTranspose2D(image("1 2 -2"), fractions("1/2"), stride=(1, 2)), image("3 -1")
    assert layer(x).tolist() == [[[[F(7, 2), F(13, 2), F(-13, 2), F(-3, 2), F(5, 2)]]]]


def test_relevance_by_contribution_and_flat() -> None:
    layer, x = ConvTranspose2D(image("1 2 -2"), None, stride=(1, 2)), image("3 -1")   # 3 6 -7 -2 2
    R = image("1 2 7 4 6")
    e = explain(Network([("up", layer)]), x, {"up": Epsilon(0)}, R)
    assert e.relevance.tolist() == [[[[1 + 2 + 6, 1 + 4 + 6]]]]   # of 7: -6 / -7 and -1 / -7
    e = explain(Network([("up", layer)]), x, {"up": Flat()}, R)
    assert e.relevance.tolist() == [[[[1 + 2 + F(7, 2), F(7, 2) + 4 + 6]]]]


def test_it_is_the_transpose_of_the_convolution() -> None:
    # <conv y, x> = <y, conv' x> for all y and x, with stride, dilation, groups and sides that differ
    w, how = mixed((4, 3, 2, 3), 3), {"stride": (2, 1), "pad": ((0, 1), (2, 1)), "dilation": (1, 2), "groups": 2}
    conv, up = Conv2D(w, None, **how), ConvTranspose2D(w, None, **how)
    y = mixed((1, 6, 7, 5), 4)
    x = mixed(conv.output_shape(y.shape), 5)
    z = up(x)
    assert z.shape[:2] == (1, 6)
    assert (conv(y[:, :, : z.shape[2], : z.shape[3]]) * x).sum() == (y[:, :, : z.shape[2], : z.shape[3]] * z).sum() != 0


def test_more_rows_and_columns_are_kept_below_and_to_the_right() -> None:
    less, more = (ConvTranspose2D(image("1 1, 1 1"), fractions("5"), 3, output_pad=k)(image("2")) for k in (0, (2, 1)))
    assert less.tolist() == [[[[7, 7], [7, 7]]]]
    assert more.tolist() == [[[[7, 7, 5], [7, 7, 5], [5, 5, 5], [5, 5, 5]]]]


@pytest.mark.parametrize(("make", "text"), [
    (lambda: ConvTranspose2D(np.ones((2, 3))),
     "ConvTranspose2D got a weight of shape (2, 3), needed (C, O / groups, kh, kw)"),
    (lambda: ConvTranspose2D(np.ones((2, 3, 1, 1)), np.ones(2)), "ConvTranspose2D got bias of shape (2,), needed (3,)"),
    (lambda: ConvTranspose2D(np.ones((2, 3, 1, 1)), groups=3),
     "ConvTranspose2D got groups=3, which does not divide 2 inputs"),
    (lambda: ConvTranspose2D(np.ones((2, 3, 1, 1)), stride=2, output_pad=2),
     "ConvTranspose2D got output_pad=(2, 2) for strides of (2, 2), needed less than the stride"),
    (lambda: ConvTranspose2D(np.ones((2, 3, 1, 1)))(np.ones((1, 3, 2, 2))),
     "ConvTranspose2D got an input of shape (1, 3, 2, 2), needed (N, 2, H, W)"),
    (lambda: ConvTranspose2D(np.ones((2, 3, 1, 1)), pad=((0, 2), (0, 0)))(np.ones((1, 2, 2, 2))),
     "ConvTranspose2D got an input of shape (1, 2, 2, 2), of which a padding of ((0, 2), (0, 0)) leaves nothing"),
    (lambda: ConvTranspose2D(np.ones((2, 3, 1, 1)), pad=((0, 2), (1,))),
     "ConvTranspose2D got pad=((0, 2), (1,)), needed an int, …"),
])
def test_what_makes_no_sense_is_refused(make: Callable[[], Any], text: str) -> None:
    with refused(text):
        make()
