"""The kernel's part in noticing peers that are gone."""

import asyncio
import socket as sockets

_DEAF_SECONDS = 60


def notice_silence(transport: asyncio.Transport) -> None:
    """Have the kernel give up a peer that acknowledges nothing, heartbeats included; costs no timers of ours."""
    socket = transport.get_extra_info("socket")
    if socket is not None and hasattr(sockets, "TCP_USER_TIMEOUT") and socket.family != sockets.AF_UNIX:
        socket.setsockopt(sockets.IPPROTO_TCP, sockets.TCP_USER_TIMEOUT, _DEAF_SECONDS * 1000)
