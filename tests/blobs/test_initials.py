from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campfire.blobs.initials import PALETTE, initials, initials_svg

SVG = "{http://www.w3.org/2000/svg}"


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Ada Lovelace", "AL"),
        ("ada", "A"),
        ("Gabriel José García Márquez", "GM"),
        ("  jo   (the bear)  ", "JB"),
        ("王 小明", "王小"),
        ("محمد علي", "مع"),
        ("नमस्ते दुनिया", "नदु"),
        ("ßtraße", "ß"),
        ("e\u0301mile zola", "E\u0301Z"),
        ("👩‍👩‍👧 Family", "👩‍👩‍👧F"),
        ("🇩🇪", "🇩🇪"),
        ("2 Pac", "2P"),
        *[(nothing, "?") for nothing in ("", "  ", "\0\x1b", "...", "\u200d", "( )")],
    ],
)
def test_initials_are_the_first_of_the_first_and_last_word(name: str, shown: str) -> None:
    """Whole characters as a reader counts them, in any script."""
    assert initials(name) == shown


@pytest.mark.parametrize("colour", PALETTE)
def test_white_can_be_read_on_every_colour(colour: str) -> None:
    """Contrast of at least 4.5:1 (WCAG 2.2, 1.4.3)."""
    assert 1.05 / (luminance(colour) + 0.05) >= 4.5


def test_a_seed_keeps_its_colour() -> None:
    """On every server and after every restart; many seeds use the whole palette."""
    assert 'fill="#7040b8"' in initials_svg("Ada", "ada") and 'fill="#7040b8"' in initials_svg("Lovelace", "ada")
    assert all(any(colour in initials_svg("A", str(seed)) for seed in range(300)) for colour in PALETTE)


@given(st.text(st.characters() | st.sampled_from("<>&\"'\0\ud800\ufffe")), st.text())
def test_an_avatar_is_a_picture_and_no_program(name: str, seed: str) -> None:
    """Well-formed, with a fixed box, one rectangle and one text; no name adds an element or an attribute."""
    root = ET.fromstring(initials_svg(name, seed))
    assert root.tag == f"{SVG}svg" and root.attrib == {"viewBox": "0 0 128 128", "role": "img"}
    assert [child.tag for child in root.iter()] == [f"{SVG}svg", f"{SVG}rect", f"{SVG}text"]
    text = root.find(f"{SVG}text")
    assert text is not None and text.text == initials(name) and "style" not in text.attrib


def test_a_tower_of_accents_is_cut() -> None:
    """One letter with ten thousand accents is one grapheme."""
    assert len(initials_svg("e" + "\u0301" * 10_000, "seed")) < 600
