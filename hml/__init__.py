"""Human-in-the-loop mixup: train on what people see in mixed images, and measure whether it helps.

`hml.Classifier`, `hml.HMixDataModule` and the other names in `__init__.pyi` are imported when they are first used, so
that `import hml` is quick.
"""

from importlib import import_module

from hml import offered as _offered

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Import an offered name from its module, when it is first used."""
    if name == "__all__":
        return list(_offered.modules())
    if name not in _offered.modules():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_offered.modules()[name]), name)
    return value


def __dir__() -> list[str]:
    """Name what is offered beside what is imported already."""
    return sorted({*globals(), *_offered.modules()})
