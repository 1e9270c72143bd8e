"""`hml labels`: writes a strategy's labels of mixed images to a file that any framework can train on."""

import hashlib
import io
import json
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

import hml
from hml.command_line.labels import FORMATS, Options
from hml.data import HMixDataModule
from hml.errors import InputError
from hml.files import spreadsheets
from hml.files.atomic import write_atomically
from hml.labels import label_checked
from hml.training.flags import parse as parse_run
from hml.training.run import instantiate, make_record


@dataclass(frozen=True)
class LabelTable:
    """L soft labels over C classes, of S mixed images."""

    classes: tuple[str, ...]
    images: pd.DataFrame
    """A row per image: filename, id_1, class_1, id_2, class_2, lambda_f."""
    image: np.ndarray[tuple[int], np.dtype[np.int64]]
    """The row of each label's image, shape (L,)."""
    soft_labels: np.ndarray[tuple[int, int], np.dtype[np.float32]]
    """The labels, shape (L, C)."""


def run(options: Options) -> int:
    """Label the images. Write the labels, and a second file with their provenance.

    Returns:
        The exit code, 0.

    Raises:
        HmlError: the data are invalid, the strategy can't label them, or a file can't be written.
    """
    command = parse_run(["fit", *options.flags])
    record = make_record(command)
    data: HMixDataModule = instantiate(command).data
    data.prepare_data()
    data.setup("fit")
    table = tabulate(data)
    to_content: Callable[[LabelTable], bytes] = pkgutil.resolve_name(FORMATS[options.out.suffix])
    content = to_content(table)
    provenance = {
        "scheme": record.scheme,
        "seed": record.seed,
        "recipe": {"data": record.recipe.data, "code": record.recipe.code},
        "data": data.provenance,
        "code": record.code,
        "hml": hml.__version__,
        "images": len(table.images),
        "labels": len(table.image),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    beside = options.out.with_name(f"{options.out.name}.provenance.json")
    write_atomically(options.out, content)
    write_atomically(beside, json.dumps(provenance, indent=2) + "\n")
    print(f"{len(table.image):,} labels of {len(table.images):,} mixed images: {options.out}. Provenance: {beside}")
    return 0


def tabulate(data: HMixDataModule) -> LabelTable:
    """Label all mixed images of a data module that has been set up.

    Raises:
        InputError: there are no mixed images, or the strategy's labels aren't probabilities.
    """
    examples, classes = data.examples, data.bank.classes
    if not examples:
        raise InputError(
            "There are no mixed images to label. Images mixed on the fly differ every epoch: use --data.mixed HMix."
        )
    images = []
    for example in examples:
        first, second = example.stimulus.endpoints
        names = {"class_1": classes[first.label], "class_2": classes[second.label]}
        ids = {"id_1": first.image_id, "id_2": second.image_id}
        images.append({"filename": example.stimulus.filename} | ids | names | {"lambda_f": example.lambda_f})
    labels = [label_checked(data.strategy, example).float() for example in examples]
    count = [len(label) for label in labels]
    return LabelTable(
        tuple(classes),
        pd.DataFrame(images),
        np.repeat(np.arange(len(examples)), count),
        torch.cat(labels).numpy(),
    )


def _columns(table: LabelTable) -> pd.DataFrame:
    """Return a row per label, with its image. The labels' columns are `p_<class>`."""
    labels = pd.DataFrame(table.soft_labels, columns=[f"p_{name}" for name in table.classes])
    return pd.concat([table.images.iloc[table.image].reset_index(drop=True), labels], axis=1)


def to_csv(table: LabelTable) -> bytes:
    """Return CSV in UTF-8, with a row per label."""
    columns = _columns(table)
    rows = columns.astype(object).map(lambda cell: f"{cell:.9g}" if isinstance(cell, float) else cell)
    return spreadsheets.to_csv(columns.columns, rows.itertuples(index=False)).encode()


def to_npz(table: LabelTable) -> bytes:
    """Return an NPZ file of arrays, for `numpy.load`."""
    file = io.BytesIO()
    images: dict[str, Any] = {str(name): column.to_numpy() for name, column in table.images.items()}
    texts = {name: images[name].astype(str) for name in ("filename", "class_1", "class_2")}
    classes = np.array(table.classes)
    np.savez(file, **images | texts, image=table.image, soft_labels=table.soft_labels, classes=classes)
    return file.getvalue()


def to_parquet(table: LabelTable) -> bytes:
    """Return a Parquet file, with a row per label.

    Raises:
        InputError: pyarrow isn't installed.
    """
    try:
        content: bytes = _columns(table).to_parquet(index=False)
    except ImportError as error:
        raise InputError("Parquet files need pyarrow: pip install pyarrow, or write .csv or .npz.") from error
    return content
