"""A bound for what aiohttp (3.14) has none for: responses before the response, as early hints are (RFC 9110, 15.2).

It takes in as many as come, and a read of 256 KiB may hold ten thousand: hundreds of megabytes of objects.
"""

from typing import Any

from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import HttpProcessingError

MOST = 16
"""Interim responses before the real one."""
_PIECE = 8 * 1024
"""Bytes that are parsed at once until the response's head is there, so that not many hide in them."""


class PatientHandler(ResponseHandler):
    """The connection's protocol; one that hints more than `MOST` times is closed, as any that speaks no HTTP."""

    _interim = 0
    _has_head = False

    def set_response_params(self, **options: Any) -> None:  # a request is about to be sent
        self._interim, self._has_head = 0, False
        super().set_response_params(**options)

    def data_received(self, data: bytes) -> None:
        while len(data) > _PIECE and not self._has_head and not self._is_tiresome:
            super().data_received(data[:_PIECE])
            data = data[_PIECE:]
        if not self._is_tiresome:
            super().data_received(data)

    def feed_data(self, data: Any, size: int = 0) -> None:
        message, _ = data
        if message.code >= 200 or message.code == 101:
            self._has_head = True
        else:
            self._interim += 1
        if not self._is_tiresome:
            super().feed_data(data, size)
        elif self.exception() is None:
            self.set_exception(HttpProcessingError(message=f"more than {MOST} interim responses"))
            if self.transport is not None:
                self.transport.close()

    @property
    def _is_tiresome(self) -> bool:
        return self._interim > MOST
