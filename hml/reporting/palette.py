"""Colours of figures, which colour-blind people can distinguish, and their names in captions."""

from enum import StrEnum


class Color(StrEnum):
    """A colour for matplotlib. Captions use its `label`, so that they match the figure.

    Source: Okabe and Ito, "Color Universal Design", 2008. Shapes and positions show the same as the colours.
    """

    BLUE = "#0072b2"
    DARK_ORANGE = "#d55e00"
    GREEN = "#009e73"
    LIGHT_ORANGE = "#e69f00"
    GREY = "#707070"
    PALE_BLUE = "#cfe4f1"

    @property
    def label(self) -> str:
        """The colour's name, such as `dark orange`."""
        return self.name.lower().replace("_", " ")


PEOPLE, MIXUP = Color.BLUE, Color.DARK_ORANGE
"""The colours of people's answers and of mixup's assumption."""
