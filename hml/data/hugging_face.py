"""`HuggingFaceImages`: local data sets in the format of Hugging Face's `datasets`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image
from typing_extensions import Unpack, override

from hml.data.pictures import Pictures, PictureSource, Preparation
from hml.errors import InputError
from hml.files.paths import expand
from hml.judgements import Classes


class HuggingFaceImages(PictureSource):
    """A local data set in the format of Hugging Face's `datasets`. Nothing is downloaded.

    Ids count the training images from 0, then the test images.

    Args:
        path: A folder written by `save_to_disk`, a folder with a data set's files from the Hub, or a Parquet file.
        image: The column of images.
        label: The column of labels: whole numbers, or names of classes.
        train: The split to train on.
        test: The split to evaluate on. A data set without it is split by `test_share`.
        class_names: Names of the classes in order of their labels. By default, those of the label column.
    """

    def __init__(
        self,
        path: str | Path,
        image: str = "image",
        label: str = "label",
        train: str = "train",
        test: str = "test",
        class_names: Sequence[str] | None = None,
        **preparation: Unpack[Preparation],
    ) -> None:
        super().__init__(**preparation)
        self.path = expand(path)
        self.image, self.label = image, label
        self.train, self.test = train, test
        self.class_names = class_names

    @override
    def open(self, data_dir: Path) -> Pictures:
        parts = self._read()
        classes = self._name_classes(parts)
        num_train = len(parts[0])

        def open_image(index: int) -> tuple[Image.Image, int]:
            row = parts[0][index] if index < num_train else parts[1][index - num_train]
            label = row[self.label]
            return row[self.image], classes.index(label) if isinstance(label, str) else int(label)

        return Pictures(
            title=self.path.resolve().name,
            classes=classes,
            count=sum(map(len, parts)),
            open=open_image,
            num_train=num_train if len(parts) == 2 else None,
        )

    def _read(self) -> list[Any]:
        """Read the training and the test set, or one set for both."""
        if not self.path.exists():
            raise InputError(
                f"There is no data set {self.path}. To download one from the Hub, run "
                f"`hf download NAME --repo-type dataset --local-dir {self.path}`."
            )
        try:
            import datasets  # an optional dependency
        except ImportError as error:
            raise InputError("HuggingFaceImages needs Hugging Face's datasets: pip install 'hml[hf]'.") from error
        try:
            if self.path.is_file():
                found = datasets.load_dataset("parquet", data_files=str(self.path))
            elif any((self.path / name).exists() for name in ("dataset_dict.json", "state.json")):
                found = datasets.load_from_disk(str(self.path))
            else:
                found = datasets.load_dataset(str(self.path))
        except Exception as error:  # from pyarrow, fsspec and others
            raise InputError(f"{self.path} can't be read as a data set: {error}") from error
        splits = found if isinstance(found, datasets.DatasetDict) else {self.train: found}
        if self.train not in splits:
            raise InputError(
                f"{self.path} has no split {self.train!r}, but {', '.join(splits)}: choose by `train` and `test`."
            )
        parts = [splits[name] for name in (self.train, self.test) if name in splits]
        for column in (self.image, self.label):
            if column not in (columns := parts[0].column_names):
                raise InputError(
                    f"{self.path} has no column {column!r}, but {', '.join(columns)}: choose by `image` and `label`."
                )
        return parts

    def _name_classes(self, parts: Sequence[Any]) -> Classes:
        names = self.class_names or getattr(parts[0].features[self.label], "names", None)
        if names is None and parts[0].features[self.label].dtype == "string":
            names = sorted({name for part in parts for name in part.unique(self.label)})
        if names is None:
            raise InputError(
                f"column {self.label!r} of {self.path} doesn't name its classes: list them in `class_names`, in "
                "order of their labels."
            )
        try:
            return Classes(tuple(names))
        except InputError as error:
            raise InputError(f"{self.path}, column {self.label!r}: {error}") from error
