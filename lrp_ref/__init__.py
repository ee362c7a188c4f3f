"""Layer-wise Relevance Propagation in NumPy: layers, rules, cut-off, and a ledger of where relevance went."""

from lrp_ref.assignment import (
    assign,
    cutoff,
    epsilon_alpha2_beta1,
    epsilon_alpha2_beta1_flat,
    epsilon_gamma_box,
    epsilon_plus,
    epsilon_plus_flat,
    paper_cnn,
    paper_fv,
)
from lrp_ref.heatmap import heatmap
from lrp_ref.layers import (
    LRN,
    AdaptiveAvgPool,
    AvgPool,
    BatchNorm,
    ChiSquareSVM,
    Conv2D,
    DenseSift,
    ExponentialChiSquareSVM,
    FisherVector,
    Flatten,
    GaussianSVM,
    IntersectionSVM,
    L2Norm,
    Linear,
    MaxPool,
    NegativeChiSquareSVM,
    PMeans,
    RegionMean,
    ReLU,
    SignedSqrt,
    SpreadLinear,
    SumPool,
    Tanh,
)
from lrp_ref.layers.fisher.regions import regions_of
from lrp_ref.models.architectures import caffenet
from lrp_ref.models.files import load_model, save_model
from lrp_ref.models.model import Model, Preprocessing
from lrp_ref.network import Network, ReceptiveField, merge_batchnorm, receptive_field
from lrp_ref.relevance import Explanation, explain
from lrp_ref.rules import AlphaBeta, Epsilon, Flat, Gamma, Pass, Winner, WSquare, ZBox, ZPlus
from lrp_ref.version import __version__

__all__ = [
    "LRN", "AdaptiveAvgPool", "AlphaBeta", "AvgPool", "BatchNorm", "ChiSquareSVM", "Conv2D", "DenseSift", "Epsilon",
    "Explanation", "ExponentialChiSquareSVM", "FisherVector", "Flat", "Flatten", "Gamma", "GaussianSVM",
    "IntersectionSVM", "L2Norm", "Linear", "MaxPool", "Model", "NegativeChiSquareSVM", "Network", "PMeans", "Pass",
    "Preprocessing", "ReLU", "ReceptiveField", "RegionMean", "SignedSqrt", "SpreadLinear", "SumPool", "Tanh", "WSquare",
    "Winner", "ZBox", "ZPlus", "__version__", "assign", "caffenet", "cutoff", "epsilon_alpha2_beta1",
    "epsilon_alpha2_beta1_flat", "epsilon_gamma_box", "epsilon_plus", "epsilon_plus_flat", "explain", "heatmap",
    "load_model", "merge_batchnorm", "paper_cnn", "paper_fv", "receptive_field", "regions_of", "save_model",
]
