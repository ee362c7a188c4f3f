"""A claim about dense SIFT, which is floats, within a bound."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from lrp_ref.checks.claims.claim import WITHIN, Case, Claim, Found
from lrp_ref.checks.definitions import sift
from lrp_ref.layers import DenseSift
from lrp_ref.layers.example import whole_numbers

ROUNDINGS = 1 << 11   # of a sum of some hundred terms, smoothed, filtered and normalised, on the scale of 512
BOUND = 512 * ROUNDINGS * 2.0**-53
OTHER = DenseSift(3, 4, smoothing=None, window=2, flat=False, bounds=(1, 0, 16, 13))
SETTINGS = (DenseSift((3, 4), 3), OTHER, DenseSift((3, 4), 3, contrast=0.1))   # of which not all have that contrast


def is_its_loops(layer: DenseSift, seed: int) -> Found:
    pixels = whole_numbers((1, 1, 15, 18), seed + 3, 0, 255) / 255
    wanted = sift.descriptors(pixels[0, 0].tolist(), layer.sizes, layer.step, layer.smoothing, layer.window,
                              layer.contrast, layer.flat, layer.bounds)
    off = float(abs(layer(pixels)[0] - wanted).max())
    return Found(off <= BOUND, (), f"at most {off:.1g} off")


def is_rounded_down(seed: int) -> bool:
    pixels = whole_numbers((1, 1, 15, 18), seed + 3, 0, 255) / 255
    return DenseSift(3, 4, truncate=True)(pixels).tolist() == np.floor(DenseSift(3, 4)(pixels)).tolist()


def descriptors() -> Iterator[Case]:
    for seed in range(4):
        for layer in SETTINGS:
            yield Case(f"sizes {layer.sizes}, contrast {layer.contrast}, seed {seed}",
                       partial(is_its_loops, layer, seed), seed > 0)
        yield Case(f"in whole numbers, rounded down, seed {seed}", partial(is_rounded_down, seed), seed > 0)


CLAIMS = (
    Claim("descriptors", "Dense SIFT in float64 is the loops over frames, bins, pixels and orientations up to 2^-33, "
          "on a scale of 255.", "float64", descriptors, WITHIN),
)
