"""Networks as their papers describe them, small, every dimension different, with random weights.

Sums, pooling and activations are modules, so that libraries that know modules alone can be asked too; what is done by
function or method instead is in test_torch_calls.py.
"""

import torch
from torch import nn
from torch.nn import functional as F
from torch_modules import trained


class Plus(nn.Module):
    """a + b"""

    def forward(self, a, b):
        return a + b


class Times(nn.Module):
    """x times a gate"""

    def forward(self, x, gate):
        return gate * x


def normed(inputs, outputs, size, *more, act=nn.ReLU, eps=1e-5, **named):
    """Convolution, batch norm, activation."""
    layers = [nn.Conv2d(inputs, outputs, size, *more, bias=False, **named), nn.BatchNorm2d(outputs, eps)]
    return nn.Sequential(*layers, *([act()] if act else []))


# ---- He et al. 2016 ----


class Basic(nn.Module):
    """Two convolutions and a skip; where the shape changes, a convolution on the skip."""

    def __init__(self, inputs, outputs, stride, plus, eps):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs, eps)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs, eps)
        self.downsample = normed(inputs, outputs, 1, stride, act=None, eps=eps) if stride > 1 else None
        self.plus = plus()

    def forward(self, x):
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(self.plus(out, x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    """1 x 1, 3 x 3 in groups, 1 x 1, and a skip."""

    def __init__(self, inputs, width, outputs, stride, plus, eps, groups=1):
        super().__init__()
        self.conv1 = normed(inputs, width, 1, eps=eps)
        self.conv2 = normed(width, width, 3, stride, 1, groups=groups, eps=eps)
        self.conv3 = normed(width, outputs, 1, act=None, eps=eps)
        self.downsample = normed(inputs, outputs, 1, stride, act=None, eps=eps) if inputs != outputs else None
        self.plus, self.relu = plus(), nn.ReLU()

    def forward(self, x):
        out = self.conv3(self.conv2(self.conv1(x)))
        return self.relu(self.plus(out, x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    def __init__(self, *blocks, width, plus, eps):
        super().__init__()
        self.stem = normed(3, 5, (3, 2), 1, 1, eps=eps)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = nn.Sequential(*blocks)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(width, 4)

    def forward(self, x):
        return self.fc(torch.flatten(self.avgpool(self.layer1(self.maxpool(self.stem(x)))), 1))


def resnet_basic(plus=Plus, eps=1e-5):
    return ResNet(Basic(5, 5, 1, plus, eps), Basic(5, 7, 2, plus, eps), width=7, plus=plus, eps=eps)


def resnet_bottleneck(plus=Plus, eps=1e-5):
    return ResNet(Bottleneck(5, 6, 8, 1, plus, eps, groups=2), Bottleneck(8, 3, 8, 1, plus, eps),
                  Bottleneck(8, 4, 9, 2, plus, eps), width=9, plus=plus, eps=eps)


# ---- Sandler et al. 2018, Howard et al. 2019 ----


class Gate(nn.Module):
    """Squeeze-and-excitation."""

    def __init__(self, channels, squeezed, times, gate=nn.Hardsigmoid):
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1, self.relu = nn.Conv2d(channels, squeezed, 1), nn.ReLU()
        self.fc2, self.sigmoid = nn.Conv2d(squeezed, channels, 1), gate()
        self.times = times()

    def forward(self, x):
        return self.times(x, self.sigmoid(self.fc2(self.relu(self.fc1(self.avgpool(x))))))


class Inverted(nn.Module):
    """1 x 1, 3 x 3 channel by channel, a gate if any, 1 x 1, and a skip where the shape stays."""

    def __init__(self, inputs, wide, outputs, stride, act, gate, plus, times, eps):
        super().__init__()
        self.wide = normed(inputs, wide, 1, act=act, eps=eps)
        self.deep = normed(wide, wide, 3, stride, 1, groups=wide, act=act, eps=eps)
        self.gate = Gate(wide, 2, times) if gate else nn.Identity()
        self.narrow = normed(wide, outputs, 1, act=None, eps=eps)
        self.plus = plus() if stride == 1 and inputs == outputs else None

    def forward(self, x):
        out = self.narrow(self.gate(self.deep(self.wide(x))))
        return out if self.plus is None else self.plus(out, x)


def mobilenet_v2(plus=Plus, eps=1e-5):
    blocks = [Inverted(4, 6, 5, 2, nn.ReLU6, False, plus, Times, eps),
              Inverted(5, 10, 5, 1, nn.ReLU6, False, plus, Times, eps)]
    return nn.Sequential(normed(3, 4, 3, 2, 1, act=nn.ReLU6, eps=eps), *blocks, normed(5, 9, 1, act=nn.ReLU6, eps=eps),
                         nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(9, 4))


def mobilenet_v3(plus=Plus, eps=1e-5, times=Times):
    blocks = [Inverted(4, 6, 5, 2, nn.ReLU, True, plus, times, eps),
              Inverted(5, 10, 5, 1, nn.Hardswish, True, plus, times, eps)]
    return nn.Sequential(normed(3, 4, 3, 2, 1, act=nn.Hardswish, eps=eps), *blocks,
                         normed(5, 9, 1, act=nn.Hardswish, eps=eps), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                         nn.Linear(9, 8), nn.Hardswish(), nn.Dropout(0.2), nn.Linear(8, 4))


# ---- Huang et al. 2017 ----


class Grown(nn.Module):
    """All that there is, and a few channels more."""

    def __init__(self, inputs, wide, growth, eps):
        super().__init__()
        self.norm1, self.relu1 = nn.BatchNorm2d(inputs), nn.ReLU(inplace=True)
        self.conv1 = nn.Conv2d(inputs, wide, 1, bias=False)
        self.norm2, self.relu2 = nn.BatchNorm2d(wide, eps), nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(wide, growth, 3, padding=1, bias=False)

    def forward(self, features):
        x = torch.cat(features, 1)
        return self.conv2(self.relu2(self.norm2(self.conv1(self.relu1(self.norm1(x))))))


class DenseNet(nn.Module):
    def __init__(self, eps):
        super().__init__()
        self.conv0 = nn.Conv2d(3, 4, 3, 2, 1, bias=False)
        self.block = nn.ModuleDict({"layer1": Grown(4, 6, 2, eps), "layer2": Grown(6, 5, 2, eps),
                                    "layer3": Grown(8, 7, 2, eps)})
        self.transition = nn.Sequential(nn.BatchNorm2d(10), nn.ReLU(), nn.Conv2d(10, 5, 1), nn.AvgPool2d(2, 2))
        self.norm, self.relu = nn.BatchNorm2d(5), nn.ReLU()
        self.avgpool, self.classifier = nn.AdaptiveAvgPool2d((1, 1)), nn.Linear(5, 4)

    def forward(self, x):
        features = [self.conv0(x)]
        for layer in self.block.values():
            features.append(layer(features))
        x = self.relu(self.norm(self.transition(torch.cat(features, 1))))
        return self.classifier(torch.flatten(self.avgpool(x), 1))


def densenet(plus=Plus, eps=1e-5):
    return DenseNet(eps)


# ---- Ma et al. 2018 ----


def shuffled(x, groups):
    n, channels, rows, columns = x.size()
    x = x.view(n, groups, channels // groups, rows, columns)
    return torch.transpose(x, 1, 2).contiguous().view(n, channels, rows, columns)


class Shuffled(nn.Module):
    """Half of the channels goes through, or all go two ways; then they are mixed."""

    def __init__(self, channels, outputs, stride, eps):
        super().__init__()
        half, inputs = outputs // 2, channels if stride > 1 else channels // 2
        self.branch1 = nn.Sequential(
            *normed(inputs, inputs, 3, stride, 1, groups=inputs, act=None, eps=eps),
            *normed(inputs, half, 1, eps=eps)) if stride > 1 else None
        self.branch2 = nn.Sequential(*normed(inputs, half, 1, eps=eps),
                                     *normed(half, half, 3, stride, 1, groups=half, act=None, eps=eps),
                                     *normed(half, half, 1, eps=eps))

    def forward(self, x):
        if self.branch1 is None:
            x1, x2 = x.chunk(2, dim=1)
            return shuffled(torch.cat((x1, self.branch2(x2)), dim=1), 2)
        return shuffled(torch.cat((self.branch1(x), self.branch2(x)), dim=1), 2)


class ShuffleNet(nn.Module):
    def __init__(self, eps):
        super().__init__()
        self.conv1, self.maxpool = normed(3, 4, 3, 1, 1, eps=eps), nn.MaxPool2d(3, 2, 1)
        self.stage = nn.Sequential(Shuffled(4, 6, 2, eps), Shuffled(6, 6, 1, eps))
        self.conv5, self.avgpool, self.fc = normed(6, 9, 1, eps=eps), nn.AdaptiveAvgPool2d(1), nn.Linear(9, 4)

    def forward(self, x):
        x = self.avgpool(self.conv5(self.stage(self.maxpool(self.conv1(x)))))
        return self.fc(x.flatten(1))


def shufflenet_v2(plus=Plus, eps=1e-5):
    return ShuffleNet(eps)


# ---- Szegedy et al. 2015, Iandola et al. 2016, Ronneberger et al. 2015 ----


class Inception(nn.Module):
    def __init__(self, eps):
        super().__init__()
        self.stem = normed(3, 5, 3, 2, eps=eps)
        self.branch1 = normed(5, 2, 1, eps=eps)
        self.branch2 = nn.Sequential(normed(5, 3, 1, eps=eps), normed(3, 4, (1, 3), padding=(0, 1), eps=eps),
                                     normed(4, 4, (3, 1), padding=(1, 0), eps=eps))
        self.branch3 = nn.Sequential(normed(5, 2, 1, eps=eps), normed(2, 3, 5, padding=2, eps=eps))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, 1, 1, ceil_mode=True), normed(5, 3, 1, eps=eps))
        self.avgpool, self.fc = nn.AdaptiveAvgPool2d((2, 3)), nn.Linear(72, 4)

    def forward(self, x):
        x = self.stem(x)
        x = torch.cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], 1)
        return self.fc(torch.flatten(self.avgpool(x), 1))


def inception(plus=Plus, eps=1e-5):
    return Inception(eps)


class Fire(nn.Module):
    def __init__(self, inputs, squeezed, one, three):
        super().__init__()
        self.squeeze, self.act = nn.Conv2d(inputs, squeezed, 1), nn.ReLU()
        self.expand1x1, self.act1 = nn.Conv2d(squeezed, one, 1), nn.ReLU()
        self.expand3x3, self.act3 = nn.Conv2d(squeezed, three, 3, padding=1), nn.ReLU()

    def forward(self, x):
        x = self.act(self.squeeze(x))
        return torch.cat([self.act1(self.expand1x1(x)), self.act3(self.expand3x3(x))], 1)


class SqueezeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 5, 3, 2), nn.ReLU(), nn.MaxPool2d(3, 2, ceil_mode=True),
                                      Fire(5, 2, 3, 4), Fire(7, 3, 4, 2))
        self.classifier = nn.Sequential(nn.Dropout(), nn.Conv2d(6, 4, 1), nn.ReLU(), nn.AdaptiveAvgPool2d((1, 1)))

    def forward(self, x):
        return torch.flatten(self.classifier(self.features(x)), 1)


def squeezenet(plus=Plus, eps=1e-5):
    return SqueezeNet()


class UNet(nn.Module):
    """Down by a pooling, up by a transposed convolution, across by a cat; then the mean of every class's map."""

    def __init__(self, eps):
        super().__init__()
        self.down1, self.pool = normed(3, 4, 3, padding=1, eps=eps), nn.MaxPool2d(2)
        self.down2 = normed(4, 5, 3, padding=1, eps=eps)
        self.up, self.act = nn.ConvTranspose2d(5, 6, 3, 2, 1, output_padding=1), nn.ReLU()
        self.last = normed(10, 7, 3, padding=1, eps=eps)
        self.head, self.avgpool = nn.Conv2d(7, 4, 1), nn.AdaptiveAvgPool2d(1)

    def forward(self, x):
        fine = self.down1(x)
        up = self.act(self.up(self.down2(self.pool(fine))))
        up = F.pad(up, (0, fine.shape[3] - up.shape[3], 0, fine.shape[2] - up.shape[2]))
        return self.avgpool(self.head(self.last(torch.cat([fine, up], 1)))).squeeze(-1).squeeze(-1)


def unet(plus=Plus, eps=1e-5):
    return UNet(eps)


NETWORKS = {make.__name__: make for make in (resnet_basic, resnet_bottleneck, mobilenet_v2, mobilenet_v3, densenet,
                                             shufflenet_v2, inception, squeezenet, unet)}


def network(name, **options):
    """One of these, in evaluation mode and float64, every parameter and statistic drawn."""
    return trained(NETWORKS[name](**options))[0]
