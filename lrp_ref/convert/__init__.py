"""Networks of other libraries to ours."""

from lrp_ref.convert.from_onnx import from_onnx
from lrp_ref.convert.from_sklearn import from_sklearn
from lrp_ref.convert.from_torch import from_torch

__all__ = ["from_onnx", "from_sklearn", "from_torch"]
