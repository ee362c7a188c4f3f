"""Every layer and every rule, unit by unit: loops over outputs j and inputs i, straight from the formulas.

A unit is a tuple, (c, y, x) in an image and (i,) in a vector, and an array of one sample is a dict from units
to numbers. What lies outside the image is no unit, so padding needs no number. Sizes, strides, pads and
dilations are pairs (height, width); weights, biases and statistics are nested lists.

Numbers may be ints, Fractions, floats or Decimals (Python does not mix the second with the last). Ints and
Fractions stay exact: two ints divide to a Fraction.

A layer at an image is a `Map`, z_j = sum_i c_ij a_i w_ij + b_j. A rule turns a map, its inputs a and the
relevance R of its outputs into a `Step`: the messages R_i<-j, their sums R_i, and what became of each R_j.
"""

from lrp_ref.checks.definitions.activations import relu, tanh
from lrp_ref.checks.definitions.layers import (
    adaptive_avg_pool,
    avg_pool,
    batch_norm,
    conv2d,
    linear,
    lrn,
    max_pool,
    starts,
    sum_pool,
)
from lrp_ref.checks.definitions.otherwise import (
    descend,
    gradient_times_input,
    matrix_form,
    paths,
    receptive_field,
    walk,
)
from lrp_ref.checks.definitions.rules import (
    Step,
    alpha_beta,
    epsilon,
    equation_1,
    flat,
    gamma,
    passed,
    w_square,
    winner,
    z_box,
    z_plus,
)
from lrp_ref.checks.definitions.shapes import flatten
from lrp_ref.checks.definitions.units import (
    Connections,
    Map,
    Number,
    Pair,
    Unit,
    Units,
    affine,
    gate,
    lists,
    shape,
    units,
)

__all__ = [
    "Connections", "Map", "Number", "Pair", "Step", "Unit", "Units", "adaptive_avg_pool", "affine", "alpha_beta",
    "avg_pool", "batch_norm", "conv2d", "descend", "epsilon", "equation_1", "flat", "flatten", "gamma", "gate",
    "gradient_times_input", "linear", "lists", "lrn", "matrix_form", "max_pool", "passed", "paths", "receptive_field",
    "relu", "shape", "starts", "sum_pool", "tanh", "units", "w_square", "walk", "winner", "z_box", "z_plus",
]
