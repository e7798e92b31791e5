import unicodedata

import pytest
from aiohttp.multipart import parse_content_disposition
from hypothesis import example, given
from hypothesis import strategies as st

from campfire.blobs.file_names import clean_file_name, content_disposition

BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
HARD = st.text(st.characters() | st.sampled_from("\r\n\0\t\";\\/%=.,'é語😀\u2028\ud800" + BIDI))


@pytest.mark.parametrize(
    ("given_name", "cleaned"),
    [
        ("report.pdf", "report.pdf"),
        ("Übersicht (2).xlsx", "Übersicht (2).xlsx"),
        ("/etc/passwd", "passwd"),
        ("C:\\Users\\jo\\photo.jpg", "photo.jpg"),
        ("../..\\../a.txt", "a.txt"),
        ("a\r\nSet-Cookie: x.txt", "aSet-Cookie: x.txt"),
        ("invoice\u202egpj.exe", "invoicegpj.exe"),
        ("a\0b\x7f\x85.txt", "ab.txt"),
        ("  spaced .txt  ", "spaced .txt"),
        (".env", ".env"),
        ("می‌خواهم.txt", "می‌خواهم.txt"),
        ("👩‍👩‍👧.png", "👩‍👩‍👧.png"),
        *[(empty, "file") for empty in ("", ".", "..", "....", " . . ", "a/", "\0", "\u202e", "/")],
    ],
)
def test_a_name_is_the_last_part_on_one_line(given_name: str, cleaned: str) -> None:
    """As people know it, whatever system it comes from, and without what deceives a reader."""
    assert clean_file_name(given_name) == cleaned


def test_a_long_name_keeps_its_extension() -> None:
    """200 characters are left; what only looks like an extension is cut as well."""
    assert clean_file_name("a" * 500 + ".jpeg") == "a" * 195 + ".jpeg"
    assert clean_file_name("a." + "b" * 500) == "a." + "b" * 198
    assert clean_file_name("語" * 500) == "語" * 200


@given(HARD)
@example("." * 250 + "x")
@example("a" * 199 + " b")
def test_a_clean_name_is_harmless(name: str) -> None:
    """One line, no path, no more than 200 characters, never nothing; and to clean it again changes nothing."""
    cleaned = clean_file_name(name)
    assert 1 <= len(cleaned) <= 200 and cleaned.strip(". ")
    assert not any(character in "/\\" + BIDI for character in cleaned)
    assert not any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in cleaned)
    assert clean_file_name(cleaned) == cleaned


@given(HARD, st.booleans())
def test_a_header_says_the_name_and_nothing_else(name: str, inline: bool) -> None:
    """A client that parses it gets the whole name back, and finds no parameter that somebody smuggled in."""
    value = content_disposition(name, inline=inline)
    assert all(" " <= character <= "~" for character in value)
    kind, parameters = parse_content_disposition(value)
    assert kind == ("inline" if inline else "attachment")
    assert set(parameters) == {"filename", "filename*"}
    assert parameters["filename*"] == clean_file_name(name)


@given(HARD)
def test_an_old_client_finds_a_name_in_plain_ascii(name: str) -> None:
    """One character for each, quoted, with nothing inside that would need to be escaped."""
    value = content_disposition(name, inline=False)
    fallback = value.removeprefix('attachment; filename="').partition('"; filename*=')[0]
    assert len(fallback) == len(clean_file_name(name))
    assert not any(character in '"\\%' for character in fallback)


def test_the_header_is_as_its_rfcs_give_it() -> None:
    """RFC 6266 §5 and RFC 8187 §3.2.2."""
    assert content_disposition("€ rates.txt", inline=False) == (
        "attachment; filename=\"_ rates.txt\"; filename*=UTF-8''%E2%82%AC%20rates.txt"
    )
    assert content_disposition('a"b;c%41.png', inline=True) == (
        "inline; filename=\"a_b;c_41.png\"; filename*=UTF-8''a%22b%3Bc%2541.png"
    )
