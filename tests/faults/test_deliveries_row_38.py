"""Row 38 of the fault table: a secret is rotated while a delivery is being retried."""

from pathlib import Path

from aiohttp import web
from outbox_support.chat import SECRET
from outbox_support.clocked import a_clocked_chat
from outbox_support.sink import Received, Sink
from standardwebhooks import Webhook, WebhookVerificationError

from campfire.domain.webhooks import decide_rotate_secret

FRESH = "whsec_" + "A" * 43 + "="
BEHIND = 120
"""Seconds that the worker's clock is behind at first: the verifier, which has the machine's, allows five minutes."""
GRACE = 60


def accepts(secret: str, received: Received) -> bool:
    try:
        Webhook(secret).verify(received.body, received.headers)
    except WebhookVerificationError:
        return False
    return True


async def test_row_38_both_secrets_sign_a_retry_until_the_grace_ends(tmp_path: Path) -> None:
    """Whichever of the two a receiver has configured, it accepts the same delivery; afterwards only the new one."""
    sink = Sink()

    async def refuse(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=503)

    sink.answer = refuse
    await sink.start()
    async with a_clocked_chat(
        tmp_path / "data", webhook_retry_schedule=(0.1,) * 5_000, webhook_breaker_seconds=0.1
    ) as scene:
        engine, webhook_id = scene.engine, await scene.chat.add_webhook(sink.url)
        scene.advance(-BEHIND)
        scene.working.start()
        await scene.post("Hello")
        await sink.until(1)
        assert (accepts(SECRET, sink.received[0]), accepts(FRESH, sink.received[0])) == (True, False)
        sealed, now = engine.sealer.seal(FRESH), scene.working.clock.now_ms()
        await engine.perform(
            lambda: decide_rotate_secret(
                engine.directory,
                webhook_id=webhook_id,
                sealed_secret=sealed,
                grace_ms=GRACE * 1000,
                actor_id=scene.chat.user_id,
                at=now,
            )
        )
        await scene.until_followed()
        seen = len(sink.received)
        await sink.until(seen + 2)
        assert all(accepts(SECRET, each) and accepts(FRESH, each) for each in sink.received[seen : seen + 2])
        scene.advance(BEHIND)
        await scene.until(lambda: scene.count("sending") == 0)
        seen = len(sink.received)
        await sink.until(seen + 2)
        late = sink.received[seen + 1]
        assert (accepts(SECRET, late), accepts(FRESH, late)) == (False, True)
        assert len({each.webhook_id for each in sink.received}) == 1
    await sink.stop()
