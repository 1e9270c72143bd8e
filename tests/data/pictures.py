"""Folders of small pictures of classes with awkward names, and what they hold."""

import numpy as np
from PIL import Image

FOLDERS = ("ankle_boot 2", "benign", "Ünklar")  # in order of code points; a folder's name holds no slash


def draw(label, number, size=(16, 12)):
    """Draw a picture, width and height given, of a colour of its own: red is the label, green the number."""
    pixels = np.zeros((size[1], size[0], 3), dtype=np.uint8)
    pixels[..., 0], pixels[..., 1] = 80 * label + 10, number
    return Image.fromarray(pixels)


def fill(folder, count, classes=FOLDERS, size=(16, 12)):
    """Write pictures into one folder per class."""
    for label, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            draw(label, number, size).save(folder / name / f"{number}.png")
    return folder
