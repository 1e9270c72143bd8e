"""Images, mixed images and loaders."""

from hml.data.datamodule import HMixDataModule
from hml.data.demo import DemoImages, DemoMixes
from hml.data.folder import ImageFolder
from hml.data.fresh import FreshMixes
from hml.data.hugging_face import HuggingFaceImages
from hml.data.images import Cifar10, ImageBank, ImageSource
from hml.data.loader import Batch, MixingLoader
from hml.data.mixed import HMix, MixedSet, MixedSource
from hml.data.torchvision_images import TorchvisionImages

__all__ = [
    "Batch",
    "Cifar10",
    "DemoImages",
    "DemoMixes",
    "FreshMixes",
    "HMix",
    "HMixDataModule",
    "HuggingFaceImages",
    "ImageBank",
    "ImageFolder",
    "ImageSource",
    "MixedSet",
    "MixedSource",
    "MixingLoader",
    "TorchvisionImages",
]
