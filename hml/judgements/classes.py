"""The classes of a data set: their names, in the order of its labels, and pairs of them."""

import difflib
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hml.errors import InputError


@dataclass(frozen=True)
class Classes:
    """Names of classes in the order of their labels, from 0.

    Args:
        names: The names, two or more. They may hold spaces, punctuation and letters of any alphabet.

    Raises:
        InputError: there are fewer than two names, a name is empty, has surrounding blanks or control characters, or
            two names differ only in case.

    Examples:
        >>> classes = Classes(("Cat", "Dog", "Frog"))
        >>> classes[1], classes.index("Frog"), classes.name_pair(0, 2), len(classes.pairs)
        ('Dog', 2, 'Cat/Frog', 3)
    """

    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.names) < 2:
            raise InputError(f"there must be two classes or more, and there is {', '.join(self.names) or 'none'}.")
        for name in self.names:
            if not name or name != name.strip() or not name.isprintable():
                raise InputError(f"{name!r} can't name a class: use printable characters, without blanks around them.")
        known: dict[str, str] = {}
        for name in self.names:
            if (folded := name.casefold()) in known:
                raise InputError(f"{known[folded]!r} and {name!r} differ in case at most: rename one, or join them.")
            known[folded] = name

    @classmethod
    def collect(cls, found: Iterable[str], file: str) -> "Classes":
        """Return the classes that a file of judgements names, in alphabetical order.

        Raises:
            InputError: there is only one class, or the names can't be classes.
        """
        names = tuple(sorted(set(found)))
        if len(names) == 1:
            raise InputError(
                f"All judgements in {file} are of blends of two images of one class, {names[0]}: add judgements of "
                "blends of two classes."
            )
        return cls(names)

    def __len__(self) -> int:
        return len(self.names)

    def __str__(self) -> str:
        return ", ".join(self.names[:20]) + (", …" if len(self) > 20 else "")

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __getitem__(self, label: int) -> str:
        return self.names[label]

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """All pairs of different classes, the lower label first."""
        return list(itertools.combinations(range(len(self)), 2))

    def index(self, name: str) -> int:
        """Return a class's label.

        Raises:
            InputError: there is no such class; the message names the most similar one.
        """
        if name in self.names:
            return self.names.index(name)
        folded = {known.casefold(): known for known in self.names}
        nearest = difflib.get_close_matches(name.casefold(), folded, n=1)
        hint = f"did you mean {folded[nearest[0]]}?" if nearest else f"the classes are {self}."
        raise InputError(f"unknown class {name!r}: {hint}")

    def name_pair(self, class_1: int, class_2: int) -> str:
        """Name a pair of classes: "Cat/Dog"."""
        return f"{self[class_1]}/{self[class_2]}"

    def parse_pair(self, text: str) -> tuple[int, int]:
        """Read a pair of classes, "Cat/Dog" in either order and any case, as labels in ascending order.

        Raises:
            InputError: it is not a pair of classes.
        """
        folded = [name.casefold() for name in self.names]
        parts = text.casefold().split("/")
        for cut in range(1, len(parts)):  # the name of a class may contain a slash
            ends = "/".join(parts[:cut]).strip(), "/".join(parts[cut:]).strip()
            if ends[0] != ends[1] and all(end in folded for end in ends):
                low, high = sorted(map(folded.index, ends))
                return low, high
        raise InputError(f"{text!r} is not a pair of classes such as {self.name_pair(0, 1)}: the classes are {self}.")


CIFAR10 = Classes(("Airplane", "Automobile", "Bird", "Cat", "Deer", "Dog", "Frog", "Horse", "Ship", "Truck"))
"""CIFAR-10's classes in the order of its labels, spelled as H-Mix spells them."""
