"""The sizes of images on pages: small ones are enlarged by whole factors, unsmoothed; large ones are reduced to fit."""

BOXES = (64, 96, 128, 160, 224, 256, 288, 320, 352, 416)
"""The sides, in CSS pixels, of the squares in which `style.css` shows images: one for each use and width of screen."""


def size_styles(width: int, height: int) -> str:
    """Return CSS that sets, for each box, the width and scaling of images in it: --w64, --r64 and so on.

    Args:
        width: The images' width, in pixels.
        height: The images' height, in pixels.
    """
    longest = max(width, height)
    styles = []
    for box in BOXES:
        shown = box // longest * width or max(1, round(box * width / longest))
        styles.append(f"--w{box}: {shown}px; --r{box}: {'pixelated' if longest <= box else 'auto'};")
    return ":root {\n  " + "\n  ".join(styles) + "\n}\n"
