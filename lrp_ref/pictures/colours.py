"""One colour for each relevance: the paper's, and one for every colour vision."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrp_ref.hints import listed, shown

# Colours at R / limit = -1 .. 1, straight lines between them.
COLOURS: dict[str, tuple[tuple[float, int, int, int], ...]] = {
    # The paper's: blue, neutral green, yellow to dark red.
    "paper": (
        (-1.0, 0, 0, 120),
        (-0.6, 0, 70, 230),
        (-0.25, 30, 180, 245),
        (0.0, 110, 215, 120),
        (0.25, 250, 235, 30),
        (0.6, 245, 80, 0),
        (1.0, 120, 0, 0),
    ),
    # For every colour vision: blue, white, orange to brown. R and -R are equally light (CIE L*), the larger
    # the darker.
    "safe": (
        (-1.0, 24, 72, 127),
        (-0.75, 45, 124, 182),
        (-0.5, 76, 175, 234),
        (-0.25, 172, 215, 246),
        (0.0, 247, 247, 247),
        (0.25, 248, 202, 146),
        (0.5, 234, 145, 50),
        (0.75, 185, 94, 28),
        (1.0, 121, 53, 12),
    ),
}


def limit_of(*maps: NDArray[Any], percentile: float = 100.0) -> float:
    """max |R| of all maps (H, W), which then share a scale; or a percentile of |R|, clipping larger ones."""
    if not 0 < percentile <= 100:
        raise ValueError(f"percentile {percentile:g} is not above 0 and at most 100: 99 clips 1 in 100")
    sizes = np.concatenate([np.abs(plane(values)).ravel() for values in maps])
    limit = float(np.percentile(sizes, percentile))
    if limit == 0 and sizes.any():
        zeros = 100 * float(np.mean(sizes == 0))
        raise ValueError(
            f"percentile {percentile:g} of |relevance| is 0, as {zeros:.4g} % of it is 0: take a higher one"
        )
    return limit


def parts(values: NDArray[Any], limit: float) -> NDArray[np.float64]:
    """clip(R / limit, -1, 1) of a map (H, W); where nothing is relevant, limit 0, all 0."""
    if not 0 <= limit < np.inf:
        raise ValueError(f"limit {limit:g} is no scale, needed 0 or a positive number: limit_of(map) finds one")
    values = plane(values)
    return np.clip(values / limit, -1, 1) if limit > 0 else 0 * values


def colour(values: NDArray[Any], limit: float, colours: str = "paper") -> NDArray[np.uint8]:
    """The colour of each R / limit: a map (H, W) of any number type to bytes (H, W, 3)."""
    if not isinstance(colours, str) or colours not in COLOURS:
        raise ValueError(f"colours {shown(colours)} are not known: choose one of {listed(sorted(COLOURS))}")
    at, *channels = np.array(COLOURS[colours]).T
    mixed = [np.interp(parts(values, limit), at, channel) for channel in channels]
    return np.rint(np.stack(mixed, axis=-1)).astype(np.uint8)


def plane(values: NDArray[Any]) -> NDArray[np.float64]:
    """A map (H, W) as float64, every number finite."""
    floats = np.asarray(values, dtype=np.float64)
    if floats.ndim != 2 or floats.size == 0:
        raise ValueError(f"got a map of shape {floats.shape}, but needs (H, W), not empty: give one image's")
    wrong = np.argwhere(~np.isfinite(floats))
    if len(wrong):
        row, column = wrong[0]
        raise ValueError(
            f"the map holds {floats[row, column]} at row {row}, column {column} ({len(wrong)} such pixels), "
            "but every relevance must be finite: look for NaN or infinity in the image and the weights"
        )
    return floats
