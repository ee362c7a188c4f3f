from torchvision.models import resnet as resnet
