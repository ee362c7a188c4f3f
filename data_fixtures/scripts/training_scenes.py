"""The scenes that the bundled models are trained on, and the table of how well a model does on others.

Of one seed every model sees the same scenes in the same order. After eight batches the photographs are warped anew
(turned, zoomed, sheared a little, with some noise).
"""

from collections.abc import Iterator, Mapping

import numpy as np
from scipy import ndimage

from lrp_ref import Model
from lrp_ref.paper.precision import COUNT, OTHERS, SEED, Table, histogram_baseline, precision_table, predictions
from lrp_ref.paper.scenes import BACKGROUNDS, CLASSES, Grey, Scene, generate

BATCH, CHUNK = 64, 8  # scenes per batch; batches between two warps
Photographs = Mapping[str, Grey]


def warped(photograph: Grey, rng: np.random.Generator) -> Grey:
    """Turned by up to 10 degrees, zoomed by 0.8 to 1.2, sheared, with noise of up to 4 grey levels."""
    angle, zoom = np.deg2rad(rng.uniform(-10, 10)), np.exp(rng.uniform(-0.25, 0.2))
    c, s, shear = np.cos(angle), np.sin(angle), rng.uniform(-0.1, 0.1)
    matrix = np.array([[c, shear - s], [s, c]]) / zoom
    centre = (np.array(photograph.shape) - 1) / 2
    pixels = ndimage.affine_transform(photograph.astype(float), matrix, centre - matrix @ centre,
                                      mode="reflect")
    pixels += rng.normal(0, rng.uniform(0, 4), pixels.shape)
    return np.rint(pixels).clip(0, 255).astype(np.uint8)


def scenes(photographs: Photographs, count: int, seed: int) -> list[Scene]:
    return generate({name: photographs[name] for name in CLASSES},
                    {name: photographs[name] for name in BACKGROUNDS}, count, seed)


def batches(photographs: Photographs, rng: np.random.Generator, count: int) -> Iterator[list[Scene]]:
    """So many batches of BATCH scenes, every scene fresh."""
    for n in range(count):
        if n % CHUNK == 0:
            fresh = {name: warped(photograph, rng) for name, photograph in photographs.items()}
            made = scenes(fresh, CHUNK * BATCH, int(rng.integers(2 ** 32)))
        yield made[n % CHUNK * BATCH:][:BATCH]


def half(photograph: Grey, part: int) -> Grey:
    """Part 0 or 1 of a photograph, cut across its longer side."""
    return np.array_split(photograph, 2, axis=int(photograph.shape[1] > photograph.shape[0]))[part]


def report(name: str, model: Model, photographs: Photographs) -> Table:
    """Average precision on the scenes that `lrp-ref evaluate` regenerates, beside the baselines."""
    asked, others = scenes(photographs, COUNT, SEED), scenes(photographs, OTHERS, SEED + 1)
    columns = {"histogram": histogram_baseline(asked, others),
               name: predictions(model, [scene.image for scene in asked])}
    return precision_table(np.stack([scene.labels for scene in asked]), columns)
