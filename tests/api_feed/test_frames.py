"""Framing, without a network."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campfire.api.feed import frames


@pytest.mark.parametrize(
    ("length", "head"),
    [
        (0, b"\x81\x00"),
        (125, b"\x81\x7d"),
        (126, b"\x81\x7e\x00\x7e"),
        (65_535, b"\x81\x7e\xff\xff"),
        (65_536, b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
    ],
)
def test_a_text_frame_has_the_head_of_rfc_6455(length: int, head: bytes) -> None:
    """Final, unmasked, with the shortest form of its length."""
    assert frames.text_frame(b"x" * length) == head + b"x" * length


@given(st.text())
def test_an_event_fits_on_one_line_of_an_event_source(text: str) -> None:
    """JSON escapes what would end a line, so that no message can forge an event."""
    assert b"\n" not in frames.encode(text) and b"\r" not in frames.encode(text)
