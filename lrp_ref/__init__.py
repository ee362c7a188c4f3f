"""Layer-wise Relevance Propagation in NumPy: layers, rules, cut-off, and a ledger of where relevance went."""

from lrp_ref import entry

if entry.as_program():
    entry.begin()

from lrp_ref.assignment import (
    ali,
    assign,
    attnlrp,
    cp_lrp,
    cutoff,
    epsilon_alpha2_beta1,
    epsilon_alpha2_beta1_flat,
    epsilon_gamma_box,
    epsilon_plus,
    epsilon_plus_flat,
    gradient_times_input,
    paper_cnn,
    paper_fv,
)
from lrp_ref.concepts import top_channels
from lrp_ref.heatmap import heatmap
from lrp_ref.layers import *  # noqa: F403
from lrp_ref.layers import LAYERS
from lrp_ref.layers.fisher.regions import regions_of
from lrp_ref.merging import merge_batchnorm
from lrp_ref.models.architectures import caffenet
from lrp_ref.models.bundled import load_model
from lrp_ref.models.files import save_model
from lrp_ref.models.model import Model, Preprocessing
from lrp_ref.network import Network, ReceptiveField, receptive_field
from lrp_ref.pictures.photograph import read_photograph
from lrp_ref.relevance import Explanation, explain
from lrp_ref.rules import *  # noqa: F403
from lrp_ref.rules import RULES
from lrp_ref.seen import Factors, Tangent, Unscaled
from lrp_ref.starts import logit_difference, of_probabilities, one_hot, softmax_gradient
from lrp_ref.version import __version__
from lrp_ref.weights import weight_relevance

__all__ = [
    "Explanation", "Factors", "Model", "Network", "Preprocessing", "ReceptiveField", "Tangent", "Unscaled",
    "__version__", "ali", "assign", "attnlrp", "caffenet", "cp_lrp", "cutoff", "epsilon_alpha2_beta1",
    "epsilon_alpha2_beta1_flat", "epsilon_gamma_box", "epsilon_plus", "epsilon_plus_flat", "explain",
    "gradient_times_input", "heatmap", "load_model", "logit_difference", "merge_batchnorm", "of_probabilities",
    "one_hot", "paper_cnn", "paper_fv", "read_photograph", "receptive_field", "regions_of", "save_model",
    "softmax_gradient", "top_channels", "weight_relevance",
]
__all__ += [*LAYERS, *RULES]
__all__.sort(key=lambda name: (not name.isupper(), not name[:1].isupper(), name))   # abbreviations, types, functions
