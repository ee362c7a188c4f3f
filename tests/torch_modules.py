"""What the tests against torch and its libraries share: modules, and networks of them whose numbers are drawn."""

import torch
from torch import nn

# of weights: how one is made, and the shape of what it sees
MODULES = {
    "Linear": (lambda: nn.Linear(5, 4), (6, 5)),
    "Linear, no bias": (lambda: nn.Linear(5, 4, bias=False), (6, 5)),
    "Conv2d, stride": (lambda: nn.Conv2d(3, 4, (3, 2), (2, 3)), (2, 3, 7, 8)),
    "Conv2d, padding": (lambda: nn.Conv2d(3, 5, (2, 3), (1, 2), (1, 2)), (2, 3, 6, 7)),
    "Conv2d, groups": (lambda: nn.Conv2d(3, 6, 2, padding=1, groups=3), (2, 3, 5, 4)),
    "Conv2d, dilation": (lambda: nn.Conv2d(3, 2, (3, 2), dilation=(2, 3), padding=(2, 1), bias=False), (2, 3, 6, 9)),
}


def trained(*modules):
    """A Sequential in evaluation mode and float64 whose every parameter and statistic is drawn."""
    network = nn.Sequential(*modules).double().eval()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if tensor.is_floating_point():
                tensor.normal_(generator=generator)
                if name.endswith("running_var"):
                    tensor.abs_().add_(0.125)
    return network
