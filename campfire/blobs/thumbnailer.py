"""Makes one small picture in a process of its own: `python -m campfire.blobs.thumbnailer IN OUT WIDTH HEIGHT fit|fill`.

The file may be made to exhaust whoever decodes it. This process may use so much memory and time and no
more, and when it dies nobody else does. It ends with 0 if OUT is there.
"""

import os
import resource
import sys
from pathlib import Path
from typing import Literal

from PIL import Image, ImageFile, ImageOps

from campfire.blobs.opening import is_turned, open_image

Shape = Literal["fit", "fill"]
"""`fit` makes it small enough for the box and never larger than it was; `fill` cuts its centre to the box."""

MEMORY_BYTES = 1 << 30
PROCESSOR_SECONDS = 20
OUTPUT_BYTES = 16 << 20

_NICENESS = 10
_QUALITY = 80
_DRAFT_GAP = 2
"""How much larger than wanted a picture is decoded at least, so that making it smaller has something to average."""


def write_thumbnail(source: Path, target: Path, width: int, height: int, shape: Shape) -> None:
    """Write `source` as WebP to `target`, a new file of mode 600: upright, first frame only, without metadata.

    Durable when it returns. Raises `NotAnImage`, `CampfireError` for too many pixels, and what Pillow raises
    for a picture that breaks off or is damaged.
    """
    with source.open("rb") as file:
        image = _reduced(open_image(file), width, height, shape)
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            # The profile stays, or the colours of most telephones' pictures would fade.
            profile = image.info.get("icc_profile", b"")
            image.save(out, "WEBP", quality=_QUALITY, icc_profile=profile, exif=b"", xmp=b"")
            out.flush()
            os.fsync(out.fileno())


def main(arguments: list[str]) -> int:
    """Run under the limits of this module; 0 if the picture was written, 1 if it cannot be."""
    source, target, width, height, shape = arguments
    limit_this_process()
    try:
        write_thumbnail(Path(source), Path(target), int(width), int(height), "fill" if shape == "fill" else "fit")
    except Exception as error:  # whatever it was, there is no picture; the reason is for who runs this by hand
        print(f"{type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def limit_this_process() -> None:
    """From here on, until it ends. A process that asks for more memory gets `MemoryError`, or dies."""
    os.nice(_NICENESS)
    for limit, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, PROCESSOR_SECONDS),
        (resource.RLIMIT_FSIZE, OUTPUT_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (most, most))


def _reduced(image: ImageFile.ImageFile, width: int, height: int, shape: Shape) -> Image.Image:
    box = (height, width) if is_turned(image) else (width, height)
    ratios = (image.width / box[0], image.height / box[1])
    ratio = max(ratios) if shape == "fit" else min(ratios)
    if ratio > _DRAFT_GAP:
        # A JPEG is then decoded at a half, a quarter or an eighth of its size; other formats ignore it.
        image.draft(None, (int(image.width / ratio * _DRAFT_GAP), int(image.height / ratio * _DRAFT_GAP)))
    coloured = _in_colour(image)
    if shape == "fit":
        coloured.thumbnail(box)
        return ImageOps.exif_transpose(coloured)
    return ImageOps.exif_transpose(ImageOps.fit(coloured, box))


def _in_colour(image: ImageFile.ImageFile) -> Image.Image:
    """As RGB or RGBA, decoded. A profile that was for other channels goes."""
    if image.mode in ("RGB", "RGBA"):
        image.load()
        return image
    if image.mode.startswith("I;16"):
        # To convert alone would cut off all above 255, and leave white.
        coloured = image.point(lambda value: value / 256).convert("L").convert("RGB")
    else:
        coloured = image.convert("RGBA" if image.has_transparency_data else "RGB")
    coloured.info.pop("icc_profile", None)
    return coloured


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
