"""Images of three classes with awkward names, and networks that suit them or don't, for the command line to name."""

import torch
from torch import nn
from torchvision.models import resnet18
from typing_extensions import override

from hml.data import ImageBank, ImageSource
from hml.judgements import Classes

NAMES = ("benign", "T-shirt/top", "ankle_boot 2")


class ThreeClasses(ImageSource):
    """Grey noise, lighter from class to class; nobody was asked what they see."""

    def __init__(self, size: int = 24, num_test: int = 30, names: list[str] | None = None) -> None:
        self.size, self.num_test = size, num_test
        self.names = Classes(tuple(names or NAMES))

    @override
    def remote_files(self, data_dir):
        return []

    @override
    def classes(self, data_dir):
        return self.names

    @override
    def load(self, data_dir):
        num_train, num_classes = 20 * len(self.names), len(self.names)
        labels = torch.arange(num_train + self.num_test) % num_classes
        noise = torch.randint(
            0, 128, (len(labels), 3, self.size, self.size), generator=torch.Generator().manual_seed(0)
        )
        shade = labels * 127 // (num_classes - 1)
        return ImageBank(
            images=(noise + shade[:, None, None, None]).to(torch.uint8),
            classes=self.names,
            labels=labels,
            train_ids=torch.arange(num_train),
            test_ids=torch.arange(num_train, len(labels)),
        )


class Linear(nn.Module):
    """A linear network of pixels' means, whose number of classes has no default."""

    def __init__(self, num_classes: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.drop = nn.Dropout(dropout)
        self.head = nn.Linear(3, num_classes)

    def forward(self, image):
        return self.head(self.drop(image.mean((2, 3))))


class TenLogits(Linear):
    """One that can't be told how many classes there are."""

    def __init__(self) -> None:
        super().__init__(10)


class FixedSize(nn.Sequential):
    """One for images of 32 × 32."""

    def __init__(self, num_classes: int = 10) -> None:
        super().__init__(nn.Flatten(), nn.Linear(3072, num_classes))


class TwoOutputs(Linear):
    """One that returns more than logits, as those with auxiliary classifiers do."""

    def forward(self, image):
        return super().forward(image), image


_MODELS = {"linear": Linear, "resnet18": resnet18}


def create_model(model_name: str, pretrained: bool = False, **kwargs) -> nn.Module:
    """Make a network by its name, with a signature like timm's function of this name."""
    return _MODELS[model_name](**kwargs)
