"""Writes figures as PNG and PDF with a CSV file of their data, and as TensorBoard events."""

import io
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

from hml.files.atomic import write_atomically
from hml.files.spreadsheets import to_csv
from hml.files.strict_json import read_json_object
from hml.reporting.drawing import to_pdf, to_png
from hml.reporting.sections import Exhibit

_DPI = 120
_ENDINGS = ("png", "pdf", "csv")
_EVENTS = "events.out.tfevents.percepts"


def write_exhibit(exhibit: Exhibit, folder: Path) -> bytes:
    """Write a figure's PNG, PDF and CSV, and return the PNG's bytes."""
    figure, dpi = exhibit.figure, exhibit.figure.get_dpi()
    figure.set_dpi(_DPI)
    png = to_png(figure)
    write_atomically(folder / f"{exhibit.name}.png", png)
    figure.set_layout_engine("none")  # keeps the layout: computing it again takes longer than drawing
    figure.set_dpi(dpi)
    write_atomically(folder / f"{exhibit.name}.pdf", to_pdf(figure))
    data = exhibit.data.astype(object).where(exhibit.data.notna(), None)
    write_atomically(folder / f"{exhibit.name}.csv", to_csv(data.columns, data.itertuples(index=False)))
    return png


def name_exhibits(result: Path) -> set[str]:
    """Return the names of the figures in an existing percepts.json. Without such a file, return an empty set."""
    named = (read_json_object(result) or {}).get("figures")
    if not isinstance(named, list):
        return set()
    return {name for name in named if isinstance(name, str) and name.isidentifier()}  # names, not paths


def remove_exhibits(names: Iterable[str], folder: Path) -> None:
    """Remove the files of figures that `write_exhibit` wrote, by their names."""
    for name in names:
        for ending in _ENDINGS:
            (folder / f"{name}.{ending}").unlink(missing_ok=True)


def write_events(images: Mapping[str, bytes], folder: Path) -> None:
    """Write PNG images as TensorBoard events named percepts/<name>. Existing ones are replaced."""
    content = io.BytesIO()
    records = RecordWriter(content)  # TensorBoard's writers use a different file name each time
    records.write(Event(file_version="brain.Event:2").SerializeToString())
    for name, png in images.items():
        width, height = (int.from_bytes(png[at : at + 4], "big") for at in (16, 20))  # PNG's header
        image = Summary.Image(encoded_image_string=png, width=width, height=height, colorspace=4)
        event = Event(summary=Summary(value=[Summary.Value(tag=f"percepts/{name}", image=image)]), step=0)
        records.write(event.SerializeToString())
    write_atomically(folder / _EVENTS, content.getvalue())


def to_json(value: object) -> str:
    r"""Write JSON with null for numbers that are not finite.

    Examples:
        >>> to_json({"a": float("nan")})
        '{\n  "a": null\n}\n'
    """
    return json.dumps(_finite(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _finite(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value.item() if hasattr(value, "item") else value
