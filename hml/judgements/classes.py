"""CIFAR-10's classes: their names, their indices, and pairs of them."""

import difflib

from hml.errors import InputError

CLASS_NAMES = ("Airplane", "Automobile", "Bird", "Cat", "Deer", "Dog", "Frog", "Horse", "Ship", "Truck")
"""The classes in the order of CIFAR-10's labels, spelled as H-Mix spells them."""


def class_index(name: str) -> int:
    """Return the index of a class.

    Raises:
        InputError: there is no such class; the message names the most similar one.
    """
    if name in CLASS_NAMES:
        return CLASS_NAMES.index(name)
    nearest = difflib.get_close_matches(name.capitalize(), CLASS_NAMES, n=1)
    hint = f"did you mean {nearest[0]}?" if nearest else f"the classes are {', '.join(CLASS_NAMES)}."
    raise InputError(f"unknown class {name!r}: {hint}")


def pair_name(class_1: int, class_2: int) -> str:
    """Name a pair of classes: "Cat/Dog"."""
    return f"{CLASS_NAMES[class_1]}/{CLASS_NAMES[class_2]}"


def parse_pair(text: str) -> tuple[int, int]:
    """Read a class pair, "Cat/Dog" in either order, as class indices in ascending order.

    Raises:
        InputError: it is not a pair of classes.
    """
    names = [name.capitalize() for name in text.split("/")]
    labels = sorted({CLASS_NAMES.index(name) for name in names if name in CLASS_NAMES})
    if len(names) != 2 or len(labels) != 2:
        raise InputError(f"--pairs {text!r} is no pair of classes such as Cat/Dog; they are {', '.join(CLASS_NAMES)}.")
    return labels[0], labels[1]
