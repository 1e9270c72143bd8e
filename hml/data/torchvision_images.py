"""`TorchvisionImages`: any classification data set in torchvision."""

import difflib
import inspect
import pydoc
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image
from typing_extensions import Unpack, override

from hml.data.pictures import Pictures, PictureSource, Preparation
from hml.errors import DataError, InputError
from hml.judgements import Classes

Arguments = Mapping[str, str | int | float | bool]


class TorchvisionImages(PictureSource):
    """The training and the test set of a data set in `torchvision.datasets`, such as CIFAR100 or FashionMNIST.

    Its files are in the data folder. Ids count the training images from 0, then the test images.

    Args:
        dataset: The name of a class in `torchvision.datasets`, or the path of a class with the same interface.
        class_names: Names of the classes in order of their labels. By default, the attribute `classes` of the data set.
        download: Whether to download the data set if the data folder lacks it.
        train: Arguments of the class for the training set. By default, `train: true` or `split: train`. A data set that
            accepts neither is split by `test_share`.
        test: Arguments of the class for the test set. By default, `train: false` or `split: test`.
    """

    def __init__(
        self,
        dataset: str,
        class_names: Sequence[str] | None = None,
        download: bool = False,
        train: Arguments | None = None,
        test: Arguments | None = None,
        **preparation: Unpack[Preparation],
    ) -> None:
        super().__init__(**preparation)
        self.dataset = dataset
        self.class_names = class_names
        self.download = download
        self._class = _find_class(dataset)
        parameters = inspect.signature(self._class).parameters
        if "train" in parameters:
            parts: list[Arguments] = [{"train": True}, {"train": False}]
        elif "split" in parameters:
            parts = [{"split": "train"}, {"split": "test"}]
        else:
            parts = [{}] if test is None else [{}, {}]
        given = (train, test)
        self._parts = [default if chosen is None else chosen for default, chosen in zip(parts, given, strict=False)]

    @override
    def classes(self, data_dir: Path) -> Classes:
        return self._name_classes(None if self.class_names else self._read(self._parts[-1], data_dir))

    @override
    def open(self, data_dir: Path) -> Pictures:
        parts = [self._read(part, data_dir) for part in self._parts]
        num_train = len(parts[0])

        def open_image(index: int) -> tuple[Image.Image, int]:
            image, label = parts[0][index] if index < num_train else parts[1][index - num_train]
            return image, int(label)

        return Pictures(
            title=self.dataset,
            classes=self._name_classes(parts[-1]),
            count=sum(map(len, parts)),
            open=open_image,
            num_train=num_train if len(parts) == 2 else None,
        )

    def _name_classes(self, part: Any) -> Classes:
        names = self.class_names or getattr(part, "classes", None)
        if names is None:
            raise InputError(
                f"{self.dataset} doesn't name its classes: list them in `class_names`, in order of their labels."
            )
        try:  # ImageNet's classes have several names each
            return Classes(tuple(name if isinstance(name, str) else name[0] for name in names))
        except InputError as error:
            raise InputError(f"{self.dataset}: {error} Or give names in class_names.") from error

    def _read(self, part: Arguments, data_dir: Path) -> Any:
        """Make the training or the test set. Download it only if this fails."""
        arguments = dict(part)
        if "root" in inspect.signature(self._class).parameters:
            arguments.setdefault("root", str(data_dir))
        try:
            return self._class(**arguments)
        except (ValueError, TypeError) as error:
            raise InputError(f"{self.dataset} rejects its arguments {dict(part)}: {error}") from error
        except (RuntimeError, OSError) as error:
            if not self.download:
                raise DataError(
                    f"{self.dataset} can't be read from {data_dir} ({str(error).rstrip('.')}). Copy its files there, "
                    "or let hml download them by `download: true`."
                ) from error
        try:
            return self._class(**arguments, download=True)
        except Exception as error:  # from urllib, tarfile, zipfile and others
            raise DataError(f"{self.dataset} can't be downloaded to {data_dir}: {error}") from error


def _find_class(dataset: str) -> Callable[..., Any]:
    path = dataset if "." in dataset else f"torchvision.datasets.{dataset}"
    try:
        found = pydoc.locate(path)
    except pydoc.ErrorDuringImport as error:
        raise InputError(f"dataset={dataset!r} can't be imported: {error}.") from error
    if not inspect.isclass(found):
        known = vars(pydoc.locate("torchvision.datasets"))["__all__"]
        near = difflib.get_close_matches(dataset.rpartition(".")[2], known, n=1)
        hint = f"did you mean {near[0]}?" if near else "give a class of torchvision.datasets, such as CIFAR100."
        raise InputError(f"there is no data set {dataset!r}: {hint}")
    return found
