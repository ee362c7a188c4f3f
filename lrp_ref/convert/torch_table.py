"""The one table of what is taken over: torch's modules, functions and methods, and what they are here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lrp_ref.convert import torch_attention as attention
from lrp_ref.convert import torch_laid_calls as laid
from lrp_ref.convert import torch_layers as layer
from lrp_ref.convert import torch_parts as parts
from lrp_ref.convert import torch_shapes as shape

# names of modules, then of functions and methods, without a last "_", which only says that it is done in place; by the
# first of those a layer is named that is no module
ROWS: tuple[tuple[str, Callable[..., Any]], ...] = (
    ("Linear linear", layer.linear),
    ("Conv2d conv2d", layer.conv2d),
    ("transformers.pytorch_utils.Conv1D", layer.transposed_linear),
    ("Conv1d conv1d", layer.conv1d),
    ("ConvTranspose2d conv_transpose2d", layer.conv_transpose2d),
    ("BatchNorm1d BatchNorm2d batch_norm", layer.batch_norm),
    ("LocalResponseNorm local_response_norm", layer.lrn),
    ("MaxPool2d max_pool2d", layer.max_pool),
    ("MaxPool1d max_pool1d", layer.max_pool1d),
    ("AvgPool2d avg_pool2d", layer.avg_pool),
    ("AvgPool1d avg_pool1d", layer.avg_pool1d),
    ("AdaptiveAvgPool2d adaptive_avg_pool2d", layer.adaptive_avg_pool2d),
    ("AdaptiveAvgPool1d adaptive_avg_pool1d", layer.adaptive_avg_pool1d),
    ("AdaptiveMaxPool2d adaptive_max_pool2d", layer.adaptive_max_pool2d),
    ("ReLU relu", layer.relu),
    ("ReLU6 relu6", layer.relu6),
    ("Hardtanh hardtanh", layer.hardtanh),
    ("clamp clip clamp_min", layer.clamp),
    ("clamp_max", layer.clamp_max),
    ("LeakyReLU leaky_relu", layer.leaky_relu),
    ("PReLU prelu", layer.prelu),
    ("ELU elu", layer.elu),
    ("GELU gelu", layer.gelu),
    ("transformers.activations.NewGELUActivation transformers.activations.FastGELUActivation", layer.gelu_by_tanh),
    ("SiLU silu", layer.silu),
    ("Sigmoid sigmoid", layer.sigmoid),
    ("Tanh tanh", layer.tanh),
    ("Hardswish hardswish", layer.hardswish),
    ("Hardsigmoid hardsigmoid", layer.hardsigmoid),
    ("Upsample UpsamplingNearest2d interpolate upsample", layer.interpolate),
    ("Identity contiguous clone detach to float double type type_as", layer.identity),
    ("Dropout Dropout1d Dropout2d Dropout3d AlphaDropout FeatureAlphaDropout dropout dropout1d dropout2d dropout3d "
     "alpha_dropout feature_alpha_dropout", layer.dropout),
    ("stochastic_depth", layer.stochastic_depth),
    ("Softmax softmax", attention.softmax),
    ("LogSoftmax log_softmax", attention.log_softmax),
    ("add iadd", shape.add),
    ("sub isub subtract", shape.sub),
    ("mul imul multiply", shape.mul),
    ("div truediv itruediv divide true_divide", shape.div),
    ("neg negative", shape.neg),
    ("pow square", shape.squared),
    ("rsqrt", shape.inverse_root),
    ("matmul mm bmm", attention.matmul),
    ("addmm", attention.addmm),
    ("baddbmm", attention.baddbmm),
    ("einsum", laid.einsum),
    ("normalize", attention.normalize),
    ("scaled_dot_product_attention", attention.scaled_dot_product_attention),
    ("masked_fill", attention.masked_fill),
    ("where", attention.where),
    ("MultiheadAttention", attention.multi_head),
    ("TransformerEncoderLayer", attention.encoder_layer),
    ("TransformerEncoder", attention.encoder),
    ("LayerNorm layer_norm", attention.layer_norm),
    ("RMSNorm rms_norm", attention.rms_norm),
    ("Embedding embedding", attention.embedding),
    ("expand expand_as broadcast_to", shape.expand),
    ("mean", shape.mean),
    ("sum", shape.summed_up),
    ("Flatten flatten", shape.flatten),
    ("Unflatten reshape view view_as reshape_as squeeze unsqueeze unflatten ravel", shape.reshape),
    ("transpose swapaxes swapdims", shape.transpose),
    ("permute", shape.permute),
    ("getattr", shape.attribute),
    ("cat concat concatenate", shape.cat),
    ("stack", laid.stack),
    ("chunk tensor_split", parts.chunk),
    ("split", parts.split),
    ("unbind", parts.unbind),
    ("getitem", parts.getitem),
    ("roll", parts.roll),
    ("pad", parts.pad),
    ("ZeroPad1d ZeroPad2d ConstantPad1d ConstantPad2d", parts.constant_pad),
    ("ChannelShuffle channel_shuffle", parts.channel_shuffle),
    ("PixelShuffle pixel_shuffle", parts.pixel_shuffle),
)

TORCH: dict[str, Callable[..., Any]] = {name: make for names, make in ROWS for name in names.split()}
CALLED = {name: next(filter(str.islower, names.split()), name) for names, _ in ROWS for name in names.split()}

# what depends on the shape of a tensor alone, and is a constant
SIZES = {"size", "dim", "ndimension", "numel", "nelement", "shape", "ndim", "dtype", "device", "is_cuda", "get_device",
         "is_floating_point", "zeros_like", "ones_like", "full_like", "new_zeros", "new_ones", "new_full"}

LIKE = {"expand_as", "view_as", "reshape_as", "type_as"}   # of their second argument

NO_LAYER = (", for which there is no layer: explain the part of the network before it or after it (docs/from-torch.md "
            "lists what there are layers for)")

# modules around the one that is meant
INSIDE = {"DataParallel": "module.module", "DistributedDataParallel": "module.module",
          "OptimizedModule": "module._orig_mod", "ScriptModule": "the module that the script was made of",
          "RecursiveScriptModule": "the module that the script was made of"}
