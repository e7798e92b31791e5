"""Pictures among the blobs: how large they are, and small ones to show in their place."""

import asyncio
import secrets
import signal
import sys
from contextlib import suppress
from pathlib import Path

import msgspec
import structlog

from campfire.blobs.opening import NotAnImage, is_animated, is_turned, open_image
from campfire.blobs.private_directories import make_private
from campfire.blobs.threads import in_thread

MAX_FILE_BYTES = 64 << 20
"""Pillow reads WebP and AVIF whole to see their size; a larger file is a file and no picture to us."""

THUMBNAIL_WIDTH = 1200
THUMBNAIL_HEIGHT = 800
AVATAR_SIDE = 512

_AT_ONCE = 2
_WALL_SECONDS = 30

log = structlog.get_logger()


class ImageSize(msgspec.Struct, frozen=True):
    """As it is shown, in pixels: after the orientation that its metadata asks for."""

    width: int
    height: int
    animated: bool


def probe(path: Path) -> ImageSize | None:
    """The size of a PNG, JPEG, GIF, WebP or AVIF picture by its header; None for all else, and beyond `MAX_FILE_BYTES`.

    Decodes nothing, but reads the disk: call it in a thread. Raises `CampfireError` `VALIDATION_FAILED` for
    a picture of more than `opening.MAX_PIXELS`, `OSError` if the file cannot be opened.
    """
    with path.open("rb") as file:
        if path.stat().st_size > MAX_FILE_BYTES:
            return None
        try:
            image = open_image(file)
        except NotAnImage:
            return None
        width, height = (image.height, image.width) if is_turned(image) else image.size
        return ImageSize(width, height, is_animated(image))


class Thumbnails:
    """Makes small pictures, two at once, each in a process that may fail alone (`campfire.blobs.thumbnailer`)."""

    def __init__(self, *, wall_seconds: float = _WALL_SECONDS) -> None:
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._wall_seconds = wall_seconds

    async def make_thumbnail(
        self, path: Path, target: Path, max_width: int = THUMBNAIL_WIDTH, max_height: int = THUMBNAIL_HEIGHT
    ) -> bool:
        """Write the picture `path` as WebP to `target`, to fit into the box in pixels; False if it cannot be made.

        It is upright, still, without metadata and never larger than the original. `target` appears at once
        and whole, or stays as it was; its directory is made if need be. Waits for its turn.
        """
        return await self._make(path, target, max_width, max_height, "fit")

    async def make_avatar(self, path: Path, target: Path) -> bool:
        """Like `make_thumbnail`, but the centre of the picture as a square of `AVATAR_SIDE` pixels."""
        return await self._make(path, target, AVATAR_SIDE, AVATAR_SIDE, "fill")

    async def _make(self, path: Path, target: Path, width: int, height: int, shape: str) -> bool:
        async with self._turns:
            growing = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
            try:
                await in_thread(lambda: make_private(target.parent))
                code = await self._run(str(path), str(growing), str(width), str(height), shape)
                if code != 0:
                    log.warning("thumbnail_failed", blob=path.name, code=code)
                    return False
                growing.replace(target)
                return True
            finally:
                growing.unlink(missing_ok=True)

    async def _run(self, *arguments: str) -> int:
        """The exit code of the process, negative for the signal that ended it; `-SIGKILL` if it took too long."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # no module of the directory that the server happens to run in
            "-m",
            "campfire.blobs.thumbnailer",
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            async with asyncio.timeout(self._wall_seconds):
                return await process.wait()
        except TimeoutError:
            return -signal.SIGKILL
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
