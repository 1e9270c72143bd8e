import colorsys

import pytest
from matplotlib.colors import to_rgb

from hml.reporting.palette import Color

HUES = {"red": (-15, 15), "orange": (15, 45), "yellow": (45, 70), "green": (70, 175), "blue": (175, 260)}


@pytest.mark.parametrize("color", Color)
def test_a_colours_label_is_what_people_see(color):
    hue, lightness, saturation = colorsys.rgb_to_hls(*to_rgb(color))
    name = color.label.split()[-1]
    if name == "grey":
        assert saturation < 0.05
    else:
        low, high = HUES[name]
        assert low <= 360 * hue < high
    if color.label.startswith("pale"):
        assert lightness > 0.8


def test_dark_is_darker_than_light():
    dark, light = (colorsys.rgb_to_hls(*to_rgb(color))[1] for color in (Color.DARK_ORANGE, Color.LIGHT_ORANGE))
    luminance = [
        sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), to_rgb(color), strict=True))
        for color in (Color.DARK_ORANGE, Color.LIGHT_ORANGE)
    ]
    assert luminance[0] < luminance[1]
    assert dark <= light
