"""What a file is, by its first bytes; neither its name nor its sender is believed.

Only types of the lists below come out. What a browser could run (HTML, SVG and other XML, scripts) is
text, and goes out as text.
"""

import codecs
from pathlib import PurePosixPath
from typing import Literal

import puremagic

Kind = Literal["image", "video", "audio", "file"]

HEAD_BYTES = 8192
"""How much of a file's beginning `sniff` wants to see."""

UNKNOWN = "application/octet-stream"

INLINE = frozenset(
    {
        "image/png",
        "image/jpeg",
        "image/gif",
        "image/webp",
        "image/avif",
        "video/mp4",
        "video/webm",
        "video/ogg",
        "video/quicktime",
        "audio/mpeg",
        "audio/mp4",
        "audio/aac",
        "audio/ogg",
        "audio/webm",
        "audio/wav",
        "audio/flac",
    }
)
"""Pictures, films and sounds that browsers show and cannot run. All else is for saving only."""

SAVED_ONLY = frozenset(
    {
        "application/epub+zip",
        "application/gzip",
        "application/msword",
        "application/pdf",
        "application/vnd.ms-excel",
        "application/vnd.ms-powerpoint",
        "application/vnd.oasis.opendocument.presentation",
        "application/vnd.oasis.opendocument.spreadsheet",
        "application/vnd.oasis.opendocument.text",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "application/vnd.rar",
        "application/x-7z-compressed",
        "application/x-bzip2",
        "application/x-sqlite3",
        "application/x-tar",
        "application/x-xz",
        "application/zip",
        "application/zstd",
        "image/bmp",
        "image/heic",
        "image/heif",
        "image/jp2",
        "image/jxl",
        "image/tiff",
        "image/vnd.adobe.photoshop",
        "video/x-matroska",
        "video/x-msvideo",
    }
)
"""Named, so that a client can show a fitting sign."""

_SPELLINGS = {
    "application/x-gzip": "application/gzip",
    "application/x-matroska": "video/x-matroska",
    "application/x-rar-compressed": "application/vnd.rar",
    "image/x-ms-bmp": "image/bmp",
    "video/avi": "video/x-msvideo",
}
"""Types that puremagic calls by older names."""

_PREFIXES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"fLaC\0", "audio/flac"),
    (b"\xff\xf1", "audio/aac"),
    (b"\xff\xf9", "audio/aac"),
    (b"ID3\x02\0", "audio/mpeg"),
    (b"ID3\x03\0", "audio/mpeg"),
    (b"ID3\x04\0", "audio/mpeg"),
)
_RIFF_FORMS = {b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}
# ISO/IEC 14496-12 §4.3; the brands are registered at mp4ra.org.
_BRANDS = {
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"mif1": "image/heif",
    b"M4A ": "audio/mp4",
    b"M4B ": "audio/mp4",
    b"qt  ": "video/quicktime",
    **dict.fromkeys(
        (b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"avc1", b"dash", b"M4V ", b"MSNV"), "video/mp4"
    ),
}
_EBML = b"\x1a\x45\xdf\xa3"
_WEBM_VIDEO = (b"V_VP8", b"V_VP9", b"V_AV1")
_WEBM_AUDIO = (b"A_OPUS", b"A_VORBIS")
_OGG_VIDEO = (b"\x80theora",)
_OGG_AUDIO = (b"\x01vorbis", b"OpusHead", b"Speex   ", b"\x7fFLAC")
_ZIP = b"PK\x03\x04"


def sniff(head: bytes, name: str) -> str:
    """The media type of a file that begins with `head` (`HEAD_BYTES` are enough) and is called `name`.

    One of `INLINE` or `SAVED_ONLY`, "text/plain" or "application/octet-stream". The name decides only between types
    that begin alike, such as a zip archive and the office documents inside one.
    """
    if head.startswith(b"%PDF-"):
        return "application/pdf"
    if _is_text(head):
        return "text/plain"
    return _by_our_signatures(head) or _by_puremagic(head, name) or UNKNOWN


def is_inline(media_type: str) -> bool:
    """Whether a browser may show it in our own pages."""
    return media_type in INLINE


def kind_of(media_type: str) -> Kind:
    """How to show it: "image", "video", "audio", or "file" for all that is not shown inline."""
    if not is_inline(media_type):
        return "file"
    if media_type.startswith("image/"):
        return "image"
    return "video" if media_type.startswith("video/") else "audio"


def _is_text(head: bytes) -> bool:
    """UTF-8 without NUL; the last character may be cut off, as the head of a longer text is."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return b"\0" not in head and head != b""


def _by_our_signatures(head: bytes) -> str | None:
    """All that is shown inline, because puremagic takes any RIFF for a WebP, and JPEG 2000 for JPEG."""
    for prefix, media_type in _PREFIXES:
        if head.startswith(prefix):
            return media_type
    if head.startswith(b"RIFF"):
        return _RIFF_FORMS.get(head[8:12], UNKNOWN)
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12])
    if head.startswith(_EBML) and b"webm" in head[:64]:
        return "audio/webm" if _has(head, _WEBM_AUDIO) and not _has(head, _WEBM_VIDEO) else "video/webm"
    if head.startswith(b"OggS"):
        return "video/ogg" if _has(head, _OGG_VIDEO) else "audio/ogg" if _has(head, _OGG_AUDIO) else None
    return "audio/mpeg" if _is_mp3_frame(head) else None


def _has(head: bytes, marks: tuple[bytes, ...]) -> bool:
    return any(mark in head for mark in marks)


def _is_mp3_frame(head: bytes) -> bool:
    """A frame header of MPEG audio layer III (ISO/IEC 11172-3 §2.4.1.3), without the values it reserves.

    Only layer III, because the mark of UTF-16 text (FF FE) would pass for layer I.
    """
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        return False
    reserved_version = head[1] & 0x18 == 0x08
    bad_rate = head[2] & 0xF0 in (0x00, 0xF0) or head[2] & 0x0C == 0x0C
    return not reserved_version and not bad_rate


def _by_puremagic(head: bytes, name: str) -> str | None:
    """What else is on our list."""
    if not head:
        return None
    try:
        matches = puremagic.magic_string(head, filename=name)
    except puremagic.PureError:
        return None
    extension = PurePosixPath(name).suffix.lower()
    # Without a signature puremagic goes by the name alone, and such a row is as good as none.
    signed = [(str(match.mime_type), match.extension) for match in matches if match.byte_match]
    known = [(_SPELLINGS.get(media_type, media_type), of) for media_type, of in signed]
    listed = [(media_type, of) for media_type, of in known if media_type in SAVED_ONLY]
    for media_type, of in listed:
        if of == extension:
            return media_type
    # All that lives in a zip archive begins alike, and puremagic would call the plainest one a text document.
    if head.startswith(_ZIP):
        return "application/zip"
    return listed[0][0] if listed else None
