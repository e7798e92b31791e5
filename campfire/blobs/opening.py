"""Letting Pillow look at a file that anybody may have made."""

import warnings
from typing import BinaryIO

from PIL import AvifImagePlugin, Image, ImageFile

from campfire.errors import CampfireError

MAX_PIXELS = 100_000_000
"""Of one picture. A hundred megapixels take 400 MB when they are decoded."""

FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "AVIF")
"""No other parser of Pillow ever sees a byte."""

_ORIENTATION = 0x0112
_TURNED = (5, 6, 7, 8)

# Pillow refuses what has more than twice this, and WebP before it makes room for the canvas. At the value
# itself it only warns, which is nothing to us.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2
warnings.simplefilter("ignore", Image.DecompressionBombWarning)
# One thread for each processor would not fit into the address space that the thumbnailer may have.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1


class NotAnImage(Exception):
    """None of `FORMATS`, or damaged."""


def open_image(file: BinaryIO) -> ImageFile.ImageFile:
    """The picture in `file` by its header, not decoded.

    Raises `NotAnImage`, and `CampfireError` `VALIDATION_FAILED` for more than `MAX_PIXELS`.
    """
    try:
        image = Image.open(file, formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise _too_large() from error
    except Exception as error:  # Pillow does not say what its parsers raise, and damaged files find it all
        raise NotAnImage from error
    if image.width * image.height > MAX_PIXELS:
        raise _too_large()
    return image


def is_turned(image: ImageFile.ImageFile) -> bool:
    """Whether the orientation in its metadata swaps width and height. Does not decode it."""
    try:
        # The method of PNG would decode the picture to find metadata behind it.
        orientation = Image.Image.getexif(image).get(_ORIENTATION, 1)
    except Exception:  # as above; a picture with damaged metadata is shown as it lies
        return False
    return orientation in _TURNED


def is_animated(image: ImageFile.ImageFile) -> bool:
    """Whether it has more than one frame to play. Does not decode it."""
    try:
        # MPO is the JPEG of telephones and cameras with a second picture behind the first: nothing that moves.
        return image.format != "MPO" and bool(getattr(image, "is_animated", False))
    except Exception:  # as above: GIF looks for its second frame only now
        return False


def _too_large() -> CampfireError:
    return CampfireError("VALIDATION_FAILED", f"The picture has more than {MAX_PIXELS // 1_000_000} million pixels.")
