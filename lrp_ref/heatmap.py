"""R_p = sum_c R_pc: from the relevance of every input to one number per pixel."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrp_ref.arrays import as_numbers


def heatmap(relevance: NDArray[Any]) -> NDArray[Any]:
    """R_p = sum_c R_pc: relevance (N, C, H, W) summed over its channels, (N, H, W) of the same number type.

    The paper's Figure 1 shows this sum over the colour channels.
    """
    relevance = as_numbers(relevance, "heatmap")
    if relevance.ndim != 4 or relevance.shape[1] == 0:
        raise ValueError(
            f"heatmap got relevance of shape {relevance.shape}, but needs (N, C, H, W), C > 0: "
            "give the relevance of an image input (a single image has N = 1)"
        )
    try:
        return np.sum(relevance, axis=1)
    except ArithmeticError as error:   # of Decimals
        raise ValueError(f"heatmap's sums end in {type(error).__name__}, needed finite relevance") from None


