"""Disagreements that no case can hold: they need graphs or layers that are not here, or are not linear in R."""

from __future__ import annotations

from typing import Any

HUB = "https://github.com/"


def record(id: str, title: str, question: str, answers: dict[str, str], *issues: str) -> dict[str, Any]:
    """answers: {library: what it gives}; issues: "owner/repository/number"."""
    links = [f"{HUB}{repository}/issues/{number}" for repository, number in (i.rsplit("/", 1) for i in issues)]
    return {"id": id, "title": title, "question": question, "answers": answers, "issues": links}


RECORDS: list[dict[str, Any]] = [
    record(
        "d11-zero-sum-average", "Caffe's average pooling hands down its inputs where they sum to zero",
        "An average pooling over the window 1 -1 0 0, whose sum is 0, receives R = 3. What does each input receive? "
        "Caffe's answer does not depend on R, so that it is no rule that divides R among inputs, and no case holds "
        "it.",
        {"canonical: dead": "0 0 0 0",
         "toolbox (Caffe): the inputs themselves where |sum| < 1e-6": "1 -1 0 0"}),
    record(
        "d12-shared-tensor", "Two layers that read one tensor",
        "f = [[1, -1], [0.5, 2]] with the identity rule and g = [[2, 1], [1, 3]] with epsilon read the same x = 1 2 "
        "and are added; target 0. What does x receive? captum hooks a tensor once, so that the order of evaluation "
        "decides whose rule it gets.",
        {"zennit 0.5.1, either order": "1 2",
         "captum 0.9.0, f first": "-1 0",
         "captum 0.9.0, g first": "3 0"},
        "meta-pytorch/captum/546"),
    record(
        "d15-bare-sum", "A sum that is no layer",
        "x + 2 x at x = 1 2 receives R = 3 0. What does x receive? A bare + hands the whole of R to either branch; a "
        "layer that adds shares it out.",
        {"zennit 0.5.1, bare +": "6 0",
         "captum 0.9.0, bare +": "6 0",
         "zennit 0.5.1, Sum": "3 0",
         "captum 0.9.0, Addition_Module": "3 0",
         "innvestigate 2.1.2, Add": "3 0"},
        "meta-pytorch/captum/143",
        "albermax/innvestigate/192",
        "fhvilshoj/TorchLRP/4",
        "chr5tphr/zennit/194"),
    record(
        "d15-unsigned-sum", "Epsilon without a sign in a sum of two branches",
        "The branches a = 1 -3 and b = 2 1 are added with epsilon 0.1 and receive R = 3 -2. What does the second "
        "number of a receive? Its sum is -2, which an epsilon without sign moves towards 0.",
        {"LXT 2.1, add2": "-3.157895",
         "a signed epsilon": "-2.857143"}),
    record(
        "d15b-functional-tanh", "A non-linearity that is a function and no layer",
        "tanh at x = 2, whose output 0.964028 is the score that is explained. What does x receive? Libraries that "
        "hook layers see a layer, and pass relevance through it; of a function they see the derivative.",
        {"zennit 0.5.1 and captum 0.9.0, a layer": "0.964028",
         "zennit 0.5.1 and captum 0.9.0, torch.tanh": "0.068109"}),
    record(
        "d15b-leaky-relu", "A leaky ReLU that is a layer of its own",
        "LeakyReLU(0.1) at x = -2 receives R = -0.2. What does x receive? iNNvestigate passes relevance through "
        "Activation layers alone; any other has its derivative, here 0.1.",
        {"innvestigate 2.1.2": "-0.02",
         "relevance passed through": "-0.2"}),
    record(
        "d15c-softmax", "A softmax on top",
        "softmax at x = 1 2 gives p = 0.2689 0.7311, and R = 0 0.7311 arrives. What does x receive?",
        {"toolbox (Python): passed through": "0 0.7311",
         "zennit 0.5.1: the gradient": "-0.1437 0.1437",
         "LXT 2.1: x_i (R_i - p_i sum R)": "-0.1966 0.3932",
         "captum 0.9.0": "TypeError",
         "innvestigate 2.1.2": "an exception: take the softmax off"},
        "sebastian-lapuschkin/lrp_toolbox/5"),
    record(
        "d15d-start", "Where relevance begins",
        "The scores are 1 4 and the second is explained. What is R at the scores? Every case gives R, so that none "
        "asks this.",
        {"canonical: the target's score": "0 4",
         "captum 0.9.0, target 1": "0 4",
         "zennit 0.5.1 where nothing is said": "1 4",
         "zennit 0.5.1, the README's one-hot": "0 1",
         "RelevancePropagation.jl 3.0.0": "0 1"}),
    record(
        "d16-squared-relevance", "lrp_toolbox's sum pooling under alpha-beta multiplies by R twice",
        "A sum pooling over the window 1 -1 2 2 receives R = 3 under alpha = 2, beta = -1. What does each input "
        "receive? The fast path is not linear in R, so that it is no rule that divides R among inputs, and no case "
        "holds it.",
        {"toolbox (Python), fast path": "1.2 -9 2.4 2.4",
         "toolbox (Python), slow path": "1.2 -3 2.4 2.4"},
        "sebastian-lapuschkin/lrp_toolbox/19"),
    record(
        "d16-alpha-zero", "lrp_toolbox's convolution under alpha = 0 has the stabiliser's sign wrong",
        "A single product z = -1e-16 is all that its output has, alpha = 0. What becomes of the relevance? -1e-16 + "
        "1e-16 is 0.",
        {"toolbox (Python), Convolution": "-inf",
         "toolbox (Python), Linear": "0.5"}),
    record(
        "d18-convolution", "TorchLRP's convolutions have padding, stride and groups of their own",
        "A convolution whose padding is not 1, whose stride is not 1, or that has groups: what comes back? Its "
        "backward pass writes padding=1 where the layer's own belongs.",
        {"TorchLRP: kernel 3, padding 0": "RuntimeError",
         "TorchLRP: kernel 3, stride 2": "RuntimeError",
         "TorchLRP: kernel 5, padding 2": "RuntimeError",
         "TorchLRP: kernel 1": "RuntimeError",
         "TorchLRP: groups 2": "wrong by up to 10.15, the largest R being 7.56, without a word"},
        "fhvilshoj/TorchLRP/5"),
    record(
        "d20-layer-norm", "Layer norm",
        "LayerNorm at x = 1 3 receives R = 0 1. What does x receive? zennit knows no rule for it, and takes the "
        "gradient without a word.",
        {"zennit 0.5.1: the gradient": "0 0",
         "LXT 2.1": "-0.4999995 1.4999985",
         "RelevancePropagation.jl 3.0.0, its formula": "-0.5 1.5"}),
]
