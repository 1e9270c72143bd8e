"""Images, mixed images and loaders."""

from hml.data.datamodule import HMixDataModule
from hml.data.demo import DemoImages, DemoMixes
from hml.data.fresh import FreshMixes
from hml.data.images import Cifar10, ImageBank, ImageSource
from hml.data.loader import Batch, MixingLoader
from hml.data.mixed import HMix, MixedSet, MixedSource

__all__ = [
    "Batch",
    "Cifar10",
    "DemoImages",
    "DemoMixes",
    "FreshMixes",
    "HMix",
    "HMixDataModule",
    "ImageBank",
    "ImageSource",
    "MixedSet",
    "MixedSource",
    "MixingLoader",
]
