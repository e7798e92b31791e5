"""What a bare aiohttp client posts to a sink: no log, no ledger, no signing, no retries; the same bytes.

Runs as a process of its own (`python -m benchmarks.bare_poster`): a `PostLoad` as JSON on stdin, a `PostOutcome` as
JSON on stdout.
"""

import asyncio
import gc
import os
import sys
import time

import aiohttp
import msgspec
import uvloop

from benchmarks.load_http import STAMP_DIGITS, UnexpectedAnswer
from benchmarks.outbox_sink import Sample
from benchmarks.process_usage import CoreMeter


class PostLoad(msgspec.Struct, frozen=True):
    """Post `sample` `count` times in all, to `urls` side by side, one at a time to each.

    With a `rate`, so many a second instead, each with its number as stamp, whatever is still under way.
    """

    urls: list[str]
    sample: Sample
    count: int
    rate: float | None = None


class PostOutcome(msgspec.Struct, frozen=True):
    """`sent`: when each was sent (monotonic ns), by its number; only with a rate."""

    per_second: float
    sent: list[int]
    cores: float


async def post_all(load: PostLoad) -> PostOutcome:
    """Raises `UnexpectedAnswer`, `aiohttp.ClientError`."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
    ) as session:
        began, own = time.monotonic(), CoreMeter(os.getpid())
        sent = await (_in_lanes(session, load) if load.rate is None else _paced(session, load, load.rate))
        return PostOutcome(load.count / (time.monotonic() - began), sent, own.cores())


async def _in_lanes(session: aiohttp.ClientSession, load: PostLoad) -> list[int]:
    async def lane(index: int, url: str) -> None:
        for _ in range(index, load.count, len(load.urls)):
            await _post(session, url, load.sample.headers, load.sample.body)

    await asyncio.gather(*(lane(index, url) for index, url in enumerate(load.urls)))
    return []


async def _paced(session: aiohttp.ClientSession, load: PostLoad, rate: float) -> list[int]:
    loop = asyncio.get_running_loop()
    before, after = _around_stamp(load.sample.body)
    sent: list[int] = []
    began = loop.time()
    async with asyncio.TaskGroup() as group:
        for number in range(load.count):
            await asyncio.sleep(began + number / rate - loop.time())
            body = before + b"@%012d@" % number + after
            sent.append(time.monotonic_ns())
            group.create_task(_post(session, load.urls[0], load.sample.headers, body))
    return sent


def _around_stamp(body: bytes) -> tuple[bytes, bytes]:
    at = body.index(b'"@') + 1
    return body[:at], body[at + STAMP_DIGITS + 2 :]


async def _post(session: aiohttp.ClientSession, url: str, headers: dict[str, str], body: bytes) -> None:
    async with session.post(url, data=body, headers=headers, allow_redirects=False) as response:
        await response.read()
        if response.status != 201:
            raise UnexpectedAnswer(f"the sink answered {response.status}")


def main() -> None:
    load = msgspec.json.decode(sys.stdin.buffer.read(), type=PostLoad)
    gc.disable()
    try:
        outcome = uvloop.run(post_all(load))
    except (UnexpectedAnswer, aiohttp.ClientError, OSError) as error:
        sys.exit(str(error))
    sys.stdout.buffer.write(msgspec.json.encode(outcome))


if __name__ == "__main__":
    main()
