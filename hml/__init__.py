"""Human-in-the-loop mixup: train on human labels of mixed images, and measure whether they help.

`hml.Classifier`, `hml.HMixDataModule` and the other names in `__init__.pyi` are imported on first use, so `import hml`
is fast.
"""

from importlib import import_module

from hml import offered as _offered

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Import a name of `__init__.pyi` from its module, on first use."""
    if name == "__all__":
        return list(_offered.modules())
    if name not in _offered.modules():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_offered.modules()[name]), name)
    return value


def __dir__() -> list[str]:
    """List the names of `__init__.pyi` and those already imported."""
    return sorted({*globals(), *_offered.modules()})
