import asyncio
import os
import stat
import struct
import sys
import time
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from campfire.blobs import thumbnailer
from campfire.blobs.images import MAX_FILE_BYTES, ImageSize, Thumbnails, probe
from campfire.errors import CampfireError

FORMATS = ["PNG", "JPEG", "GIF", "WEBP", "AVIF"]
RED, BLUE = (220, 20, 20), (20, 20, 220)
TURNED_RIGHT = 6
ORIENTATION = 0x0112
DESCRIPTION = 0x010E


def a_picture(path: Path, kind: str = "PNG", size: tuple[int, int] = (60, 40), **options: Any) -> Path:
    """Its left half is red and its right half blue."""
    picture = Image.new("RGB", size, RED)
    picture.paste(BLUE, (size[0] // 2, 0, *size))
    picture.save(path, kind, **options)
    return path


def exif(orientation: int) -> Image.Exif:
    data = Image.Exif()
    data[ORIENTATION] = orientation
    data[DESCRIPTION] = "at home"
    return data


def a_bomb(path: Path, width: int, height: int) -> Path:
    """A PNG of some dozen bytes whose header promises so many pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)
    return path


def is_near(pixel: Any, colour: tuple[int, int, int]) -> bool:
    return all(abs(one - other) < 40 for one, other in zip(pixel, colour, strict=False))


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "thumbnails" / "ab" / "small.webp"


@pytest.mark.parametrize("kind", FORMATS)
def test_a_picture_is_measured_by_its_header(tmp_path: Path, kind: str) -> None:
    """In each of the formats that browsers show."""
    assert probe(a_picture(tmp_path / "a", kind)) == ImageSize(60, 40, animated=False)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_measured_as_it_is_shown(tmp_path: Path, kind: str, orientation: int) -> None:
    """A telephone that was held upright says so in the metadata."""
    path = a_picture(tmp_path / "a", kind, exif=exif(orientation))
    shown = (60, 40) if orientation <= 4 else (40, 60)
    assert probe(path) == ImageSize(*shown, animated=False)


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP", "AVIF"])
def test_a_picture_that_moves_is_known(tmp_path: Path, kind: str) -> None:
    """So that it can be shown itself, and not its first frame."""
    frames = [Image.new("RGB", (60, 40), colour) for colour in (RED, BLUE)]
    frames[0].save(tmp_path / "a", kind, save_all=True, append_images=frames[1:], duration=100)
    assert probe(tmp_path / "a") == ImageSize(60, 40, animated=True)


def test_a_telephones_picture_with_a_second_one_inside_does_not_move(tmp_path: Path) -> None:
    """MPO is a JPEG to everybody else."""
    second = Image.new("RGB", (60, 40), BLUE)
    a_picture(tmp_path / "a", "MPO", save_all=True, append_images=[second])
    assert probe(tmp_path / "a") == ImageSize(60, 40, animated=False)


@pytest.mark.parametrize("kind", ["TIFF", "BMP", "ICO", "PPM", "TGA", "EPS", "PDF", "JPEG2000"])
def test_other_formats_are_no_pictures(tmp_path: Path, kind: str) -> None:
    """Their parsers never see the file, although Pillow has them."""
    assert probe(a_picture(tmp_path / "a.png", kind)) is None


@pytest.mark.parametrize("content", [b"", b"hello", b"<svg/>", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"\xff\xd8\xff"])
def test_what_only_begins_like_a_picture_is_none(tmp_path: Path, content: bytes) -> None:
    """And is no error."""
    (tmp_path / "a").write_bytes(content)
    assert probe(tmp_path / "a") is None


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    """It is not the same as a file that is no picture."""
    with pytest.raises(FileNotFoundError):
        probe(tmp_path / "a")


def test_a_file_too_large_to_be_read_whole_is_no_picture(tmp_path: Path) -> None:
    """Some formats are read whole to be measured."""
    path = a_picture(tmp_path / "a")
    os.truncate(path, MAX_FILE_BYTES)
    assert probe(path) is not None
    os.truncate(path, MAX_FILE_BYTES + 1)
    assert probe(path) is None


@pytest.mark.parametrize(("width", "height"), [(50_000, 50_000), (10_000, 10_001), (1, 2**31 - 1)])
def test_a_bomb_is_refused_by_its_header(tmp_path: Path, width: int, height: int) -> None:
    """Before anything is unpacked."""
    path = a_bomb(tmp_path / "a", width, height)
    assert path.stat().st_size < 200
    tracemalloc.start()
    with pytest.raises(CampfireError, match="100 million pixels") as refused:
        probe(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert refused.value.code == "VALIDATION_FAILED" and peak < 1 << 20


def test_a_webp_bomb_is_refused_by_its_header(tmp_path: Path) -> None:
    """The format for which Pillow makes room early."""
    canvas = (16_000 - 1).to_bytes(3, "little") * 2
    content = b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + canvas
    (tmp_path / "a").write_bytes(b"RIFF" + struct.pack("<I", len(content)) + content)
    with pytest.raises(CampfireError, match="100 million pixels"):
        probe(tmp_path / "a")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")  # pytest undoes what the module set
def test_a_picture_of_just_the_largest_size_is_measured(tmp_path: Path) -> None:
    """A hundred million pixels are not too many."""
    assert probe(a_bomb(tmp_path / "a", 10_000, 10_000)) == ImageSize(10_000, 10_000, animated=False)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kind=st.sampled_from(FORMATS), data=st.data())
def test_a_damaged_picture_is_measured_or_is_none(tmp_path: Path, kind: str, data: st.DataObject) -> None:
    """Whatever byte is wrong, and wherever the file ends."""
    content = bytearray(a_picture(tmp_path / "a", kind).read_bytes())
    for _ in range(data.draw(st.integers(0, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / "a").write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        assert isinstance(probe(tmp_path / "a"), ImageSize | None)
    except CampfireError as error:
        assert error.code == "VALIDATION_FAILED"


@pytest.mark.parametrize("kind", FORMATS)
async def test_a_thumbnail_fits_into_its_box(tmp_path: Path, target: Path, kind: str) -> None:
    """Whole, as WebP, for the owner only, and nothing lies beside it."""
    path = a_picture(tmp_path / "a", kind, (600, 300))
    assert await Thumbnails().make_thumbnail(path, target, 100, 100)
    with Image.open(target) as small:
        assert (small.format, small.size) == ("WEBP", (100, 50))
        assert is_near(small.getpixel((10, 25)), RED) and is_near(small.getpixel((90, 25)), BLUE)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert list(target.parent.iterdir()) == [target]


async def test_a_small_picture_stays_as_small(tmp_path: Path, target: Path) -> None:
    """Nothing is made larger than it was."""
    assert await Thumbnails().make_thumbnail(a_picture(tmp_path / "a"), target)
    with Image.open(target) as small:
        assert small.size == (60, 40)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "AVIF"])
async def test_a_thumbnail_stands_upright_and_tells_nothing(tmp_path: Path, target: Path, kind: str) -> None:
    """Turned as its metadata asks, which is then gone: where a picture was taken is nobody's business."""
    path = a_picture(tmp_path / "a", kind, (3000, 1500), exif=exif(TURNED_RIGHT))
    assert await Thumbnails().make_thumbnail(path, target, 400, 400)
    with Image.open(target) as small:
        assert small.size == (200, 400)
        assert is_near(small.getpixel((100, 50)), RED) and is_near(small.getpixel((100, 350)), BLUE)
        assert not small.getexif() and "exif" not in small.info and "xmp" not in small.info
    assert b"at home" in path.read_bytes() and b"at home" not in target.read_bytes()


async def test_a_thumbnail_of_what_moves_is_its_first_frame(tmp_path: Path, target: Path) -> None:
    """It stands still."""
    frames = [Image.new("RGB", (60, 40), colour) for colour in (RED, BLUE)]
    frames[0].save(tmp_path / "a", "GIF", save_all=True, append_images=frames[1:], duration=100)
    assert await Thumbnails().make_thumbnail(tmp_path / "a", target)
    assert probe(target) == ImageSize(60, 40, animated=False)
    with Image.open(target) as small:
        assert is_near(small.getpixel((30, 20)), RED)


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        ("1", "PNG"),
        ("L", "PNG"),
        ("LA", "PNG"),
        ("P", "PNG"),
        ("RGBA", "PNG"),
        ("I;16", "PNG"),
        ("L", "JPEG"),
        ("CMYK", "JPEG"),
        ("P", "GIF"),
        ("RGBA", "WEBP"),
    ],
)
async def test_a_thumbnail_is_made_of_every_kind_of_colour(tmp_path: Path, target: Path, mode: str, kind: str) -> None:
    """From black and white to printers' inks."""
    Image.new(mode, (300, 200)).save(tmp_path / "a", kind)
    assert await Thumbnails().make_thumbnail(tmp_path / "a", target, 100, 100)
    with Image.open(target) as small:
        assert small.size == (100, 67)


async def test_sixteen_bits_of_grey_do_not_turn_white(tmp_path: Path, target: Path) -> None:
    """Scanners and telescopes make such pictures."""
    Image.new("I;16", (30, 20), 0x8000).save(tmp_path / "a", "PNG")
    assert await Thumbnails().make_thumbnail(tmp_path / "a", target)
    with Image.open(target) as small:
        assert is_near(small.getpixel((10, 10)), (128, 128, 128))


async def test_what_is_clear_stays_clear(tmp_path: Path, target: Path) -> None:
    """A drawing without background has none in small either."""
    Image.new("RGBA", (30, 20), (255, 0, 0, 0)).save(tmp_path / "a", "PNG")
    assert await Thumbnails().make_thumbnail(tmp_path / "a", target)
    with Image.open(target) as small:
        pixel = small.convert("RGBA").getpixel((10, 10))
        assert isinstance(pixel, tuple) and pixel[3] == 0


@pytest.mark.parametrize(("size", "orientation"), [((900, 300), 1), ((300, 900), TURNED_RIGHT), ((30, 20), 1)])
async def test_an_avatar_is_the_centre_as_a_square(
    tmp_path: Path, target: Path, size: tuple[int, int], orientation: int
) -> None:
    """Of 512 pixels, whatever the picture's size was."""
    picture = Image.new("RGB", size, RED)
    wide, short = max(size), min(size)
    margin = (wide - short) // 2
    centre = (margin, 0, wide - margin, short) if size[0] > size[1] else (0, margin, short, wide - margin)
    picture.paste(BLUE, centre)
    picture.save(tmp_path / "a", "PNG", exif=exif(orientation))
    assert await Thumbnails().make_avatar(tmp_path / "a", target)
    with Image.open(target) as small:
        assert (small.format, small.size) == ("WEBP", (512, 512))
        for place in ((60, 256), (256, 60), (450, 256), (256, 450)):
            assert is_near(small.getpixel(place), BLUE)


@pytest.mark.parametrize("content", [b"", b"hello", b"<svg/>"])
async def test_what_is_no_picture_has_no_thumbnail(tmp_path: Path, target: Path, content: bytes) -> None:
    """That is no error for whoever sent it, and leaves nothing behind."""
    (tmp_path / "a").write_bytes(content)
    assert not await Thumbnails().make_thumbnail(tmp_path / "a", target)
    assert list(target.parent.iterdir()) == []


@pytest.mark.parametrize("side", [9_000, 50_000])
async def test_a_bomb_has_no_thumbnail(tmp_path: Path, target: Path, side: int) -> None:
    """Nor has a picture that breaks off."""
    assert not await Thumbnails().make_thumbnail(a_bomb(tmp_path / "a", side, side), target)
    assert list(target.parent.iterdir()) == []


async def test_a_thumbnail_that_cannot_be_made_again_stays(tmp_path: Path, target: Path) -> None:
    """It is replaced by a whole one or not at all."""
    thumbnails = Thumbnails()
    assert await thumbnails.make_thumbnail(a_picture(tmp_path / "a"), target)
    before = target.read_bytes()
    (tmp_path / "a").write_bytes(b"no more")
    assert not await thumbnails.make_thumbnail(tmp_path / "a", target)
    assert target.read_bytes() == before
    assert await thumbnails.make_thumbnail(a_picture(tmp_path / "a", size=(10, 10)), target)
    assert probe(target) == ImageSize(10, 10, animated=False)


async def test_a_picture_that_takes_too_long_is_given_up(tmp_path: Path, target: Path) -> None:
    """The process is killed, and the next picture has its turn."""
    os.mkfifo(tmp_path / "slow")  # nobody ever writes to it
    thumbnails = Thumbnails(wall_seconds=0.5)
    began = time.monotonic()
    assert not await thumbnails.make_thumbnail(tmp_path / "slow", target)
    assert time.monotonic() - began < 5
    assert list(target.parent.iterdir()) == []


async def test_two_pictures_are_made_at_once_and_no_more(tmp_path: Path, target: Path) -> None:
    """The third waits, and goes on when a turn is free; a cancelled one gives its turn back and leaves nothing."""
    os.mkfifo(tmp_path / "slow")
    thumbnails = Thumbnails()
    slow = [asyncio.create_task(thumbnails.make_thumbnail(tmp_path / "slow", target)) for _ in range(2)]
    third = asyncio.create_task(thumbnails.make_thumbnail(a_picture(tmp_path / "a"), target))
    await asyncio.sleep(1)
    assert not third.done()
    for task in slow:
        task.cancel()
    outcomes = await asyncio.gather(*slow, return_exceptions=True)
    assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes)
    assert await third
    assert list(target.parent.iterdir()) == [target]


LIMITED = """
import resource, sys
from campfire.blobs import thumbnailer
thumbnailer.limit_this_process()
print(*(resource.getrlimit(each)[0] for each in (resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_CORE)))
try:
    bytearray(thumbnailer.MEMORY_BYTES)
except MemoryError:
    print("refused")
"""


async def test_the_process_may_use_so_much_and_no_more() -> None:
    """A gigabyte and twenty seconds; a file that wants more ends that process alone, without a core file."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", LIMITED, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    assert out.decode().split() == [str(thumbnailer.MEMORY_BYTES), str(thumbnailer.PROCESSOR_SECONDS), "0", "refused"]
