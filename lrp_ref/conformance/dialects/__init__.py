"""What eight libraries compute, written as rules in this package's algebra. One module each."""

from lrp_ref.conformance.dialects import (
    caffe,
    captum,
    innvestigate,
    lxt,
    relevance_propagation_jl,
    toolbox,
    torchlrp,
    zennit,
)
from lrp_ref.conformance.dialects.conventions import CANONICAL, Conventions, Dialect

DIALECTS: dict[str, Dialect] = {
    "zennit": zennit.DIALECT, "captum": captum.DIALECT, "innvestigate": innvestigate.DIALECT,
    "toolbox": toolbox.DIALECT, "caffe": caffe.DIALECT, "torchlrp": torchlrp.DIALECT, "lxt": lxt.DIALECT,
    "relevance_propagation_jl": relevance_propagation_jl.DIALECT,
}

__all__ = ["CANONICAL", "DIALECTS", "Conventions", "Dialect"]
