"""What every shape is made of."""

from typing import Annotated

import msgspec
from msgspec import Meta

Password = Annotated[
    str, Meta(min_length=8, max_length=200, description="8 to 200 characters", examples=["correct horse battery"])
]
Name = Annotated[str, Meta(min_length=1, max_length=100, examples=["Grace"])]
Email = Annotated[str, Meta(min_length=3, max_length=254, examples=["grace@example.com"])]
Id = Annotated[str, Meta(min_length=1, max_length=100)]
Time = Annotated[str, Meta(description="ISO 8601, UTC, milliseconds", examples=["2026-11-23T20:28:00.000Z"])]
Position = Annotated[int, Meta(ge=0, description="a place in the log")]


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a client sends; a field that is not known is refused rather than ignored."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the server sends."""
