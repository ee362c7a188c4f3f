"""What eight libraries compute: a row each of the table of conventions. A new library is one more."""

from __future__ import annotations

from lrp_ref.conformance.dialects.bugs import batch_norm_of_innvestigate
from lrp_ref.conformance.dialects.dialect import EVERYTHING, Dialect
from lrp_ref.conventions.changes import single
from lrp_ref.conventions.table import But

MODIFIED = ("AlphaBeta", "ZPlus", "Gamma", "ZBox", "WSquare")   # rules that change weights
WITHOUT = ("AvgPool", "SumPool", "AdaptiveAvgPool", "MaxPool", "BatchNorm", "ReLU", "Tanh", "Flatten")

# Layers that libraries for chains of layers do not have
JOINS = ("Add", "Multiply", "Concat")
TRANSFORMERS = ("MatMul", "Softmax", "LayerNorm", "RMSNorm", "Embedding", "ClassToken", "Rotary")

DIALECTS: dict[str, Dialect] = {
    "zennit": Dialect(   # 1e-6 in every denominator; what it leaves to automatic differentiation goes to first winners
        "zennit", "0.5.1", "chr5tphr/zennit", {
            "start": "all scores", "default_epsilon": 1e-6, "zero_rule": But("nan", {"Add": 1e-6}),
            "stabiliser": 1e-6, "bias_w_square": "squared", "max_pool": "first", "flat_max_pool": "first",
            "batch_norm_rules": "parameters", "without_weights": "layer", "multiply": "gradient", "mat_mul": "gradient",
            "softmax": "gradient", "layer_norm": "gradient"},
        unset={"lrn": "gradient"}),
    "captum": Dialect(   # a_i w'_ij R_j / z'_j with changed weights w' and the bias as it is
        "captum", "0.9.0", "meta-pytorch/captum", {
            "default_epsilon": 1e-9, "zero_rule": 1e-9, "stabiliser": 1e-9, "alpha_beta": "one, zero",
            "activation": "pass", "max_pool": "contribution", "split": "weights", "gamma": "weights",
            "bias_alpha_beta": "whole", "bias_gamma": "kept", "without_weights": "layer"},
        lacks=("ZBox", "WSquare", "Flat", "Multiply", *TRANSFORMERS), unset={"batch_norm": "contribution"},
        read=("alpha_beta",)),
    "innvestigate": Dialect(   # a denominator of exactly 0 is 1e-7, every other is as it is
        "iNNvestigate", "2.1.2", "albermax/innvestigate", {
            "default_epsilon": 1e-7, "zero_rule": ("at 0", 1e-7), "pool_epsilon": None,
            "average": "contribution", "batch_norm": None, "other_max_pool": "winner",
            "flat_max_pool": "winner", "max_pool": "first",
            "bias_alpha_beta": But("whole", {"ZPlus": "left out"}),
            "stabiliser": But(0, dict.fromkeys(("AlphaBeta", "ZPlus", "ZBox", "WSquare"), ("at 0", 1e-7)))},
        lacks=("Gamma", "Multiply", *TRANSFORMERS), bugs={"BatchNorm": batch_norm_of_innvestigate},
        raises={"BatchNorm": "under TensorFlow 2.14 its rule for batch norm always raises a TypeError, of an axis that "
                             "is no number; the dialect gives what its formula gives with the axis mended"},
        unset={"lrn": "gradient"}, read=("average", "other_max_pool", "flat_max_pool", "stabiliser/ZPlus",
                                         "stabiliser/ZBox", "stabiliser/WSquare")),
    "toolbox": Dialect(   # pools inherit the rule; a padded image is there an image, whose frame is cropped away
        "lrp_toolbox", "Python", "sebastian-lapuschkin/lrp_toolbox", {
            "start": "chosen", "alpha_beta": "sum", "zero_rule": But(1e-16, {"AvgPool": 1e-12, "SumPool": 1e-12}),
            "stabiliser": But(1e-16, {"Flat": 0, "WSquare": "nan"}), "activation": "pass", "flatten": "pass",
            "other_max_pool": "winner", "pool_epsilon": "sum", "small_negative": "difference", "flat": "window",
            "w_square": "window"},
        lacks=("Gamma", "ZBox", "BatchNorm", "LRN", *JOINS, *TRANSFORMERS),
        read=("zero_rule/AvgPool", "zero_rule/SumPool", "stabiliser/Flat", "flat", "w_square")),
    "caffe": Dialect(   # its own layers in double; epsilon and beta are float32 whatever the type
        "lrp_toolbox", "Caffe", "sebastian-lapuschkin/lrp_toolbox", {
            "parameters": "float32", "zero_rule": ("at 0", 1), "sign_of_zero": 0, "pool_epsilon": None,
            "average": "sum", "lrn": "undivided", "other_max_pool": "winner", "flat_max_pool": "winner",
            "max_pool": "first", "groups": "first", "bias_z_box": "positive", "flat": "channel", "w_square": "window",
            "z_box": "window"},
        lacks=("Gamma", "BatchNorm", *JOINS, *TRANSFORMERS), read=("other_max_pool", "flat_max_pool")),
    "torchlrp": Dialect(   # epsilon and gamma are 0.1 there and cannot be given
        "TorchLRP", "2020", "fhvilshoj/TorchLRP", {
            "start": "chosen", "default_epsilon": 0.1, "parameters": "float32", "zero_rule": "nan",
            "sign_of_zero": -1, "pool_epsilon": None, "activation": "gradient", "average": "gradient",
            "max_pool": "first", "gamma": "squares", "bias_alpha_beta": "left out", "convolution": "padding 1",
            "stabiliser": But(0, {"AlphaBeta": ("at 0", single(1e-6)), "ZPlus": ("at 0", single(1e-6)),
                                  "Gamma": ("sign(0) = -1", single(1e-10))})},
        lacks=("ZBox", "WSquare", "Flat", "BatchNorm", *JOINS, *TRANSFORMERS), unset={"lrn": "gradient"},
        read=("average", "stabiliser/AlphaBeta", "stabiliser/ZPlus")),
    "lxt": Dialect(
        "LXT", "2.1", "rachtibat/LRP-eXplains-Transformers", {
            "start": "chosen", "epsilon_sign": "none", "sign_of_zero": None, "default_epsilon": 1e-6,
            "zero_rule": "nan", "left_out": "shared"},
        lacks=("AlphaBeta", "ZPlus", "Gamma", "ZBox", "WSquare", "Flat", "Winner"), read=("left_out",)),
    "relevance_propagation_jl": Dialect(   # 1e-9 in every denominator
        "RelevancePropagation.jl", "3.0.0", "Julia-XAI/RelevancePropagation.jl", {
            "start": "one", "default_epsilon": 1e-6, "zero_rule": ("signed float32", 1e-9), "gamma": "weights",
            "stabiliser": But(("signed float32", 1e-9), {"Flat/Linear": 0}), "flatten": "pass",
            "max_pool": "contribution"},
        lacks=("LRN", "Multiply", "MatMul", "Softmax", *(f"{rule}/{layer}" for rule in MODIFIED for layer in WITHOUT)),
        read=EVERYTHING),
}
