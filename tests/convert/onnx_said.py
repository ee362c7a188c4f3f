"""What from_onnx says where it refuses a model."""

import pytest

from lrp_ref.convert.from_onnx import converted


def said(made, *given, **more):
    """What is said where a model is refused: one line of at most 500 letters."""
    with pytest.raises(ValueError) as caught:
        converted(made, *given, **more)
    text = str(caught.value)
    assert len(text) <= 500 and "\n" not in text and text.startswith("from_onnx")
    return text
