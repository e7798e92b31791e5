"""The whole account, exported and brought into an empty data directory."""

import gzip
import io
import tarfile
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from exports_support.content import (
    PASSWORD,
    admin_beside,
    fill,
    lines,
    must,
    refit,
    refused,
    say,
    seen,
    unpacked,
    upload,
)
from projections_support.digests import digests

from campfire.domain.events import WebhookCreated
from campfire.eventlog.reader import LogReader
from campfire.eventlog.verification import verify
from campfire.housekeeping.scrubber import Scrubber
from outbox import signing

if TYPE_CHECKING:
    from tests.api.conftest import Chat, Client, OpenChat


PICTURE = b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")


@pytest.fixture
async def full(chat: "Chat", ada: "Client", bob: "Client", eve: "Client") -> "Chat":
    """A server with something of everything, some of it deleted, some of that scrubbed."""
    await fill(chat, ada, bob, eve, chat.first_room)
    file = await upload(bob, b"forget this", "secret.txt")
    message = await say(bob, chat.first_room, "take this", uploads=[file])
    await must(bob.delete(f"/api/v1/messages/{message['id']}"))
    await Scrubber(chat.engine).sweep(at_once=True)
    room = (await must(ada.post("/api/v1/rooms", {"name": "Den", "kind": "closed"})))["id"]
    await fill_more(chat, ada, bob, room)
    return chat


async def fill_more(chat: "Chat", ada: "Client", bob: "Client", room: str) -> None:
    await must(ada.post(f"/api/v1/rooms/{room}/members", {"user_id": bob.user["id"]}))
    gone = await say(bob, room, "deleted, and not scrubbed yet")
    await must(bob.delete(f"/api/v1/messages/{gone['id']}"))
    await must(ada.patch(f"/api/v1/rooms/{room}", {"name": "The Den"}))
    await must(ada.post(f"/api/v1/rooms/{room}/archive"))
    webhook = {"url": "https://example.com/hook", "events": ["message.posted"]}
    await must(ada.post("/api/v1/webhooks", webhook))
    await must(ada.post("/api/v1/webhooks", {**webhook, "signature": "v1a"}))
    await must(ada.post("/api/v1/me/transfers"))
    await must(ada.put("/api/v1/me/avatar", PICTURE))
    await must(bob.patch("/api/v1/me", {"name": "Robert", "bio": "keeps the lights on"}))


def webhooks_made(chat: "Chat") -> list[WebhookCreated]:
    history = chat.engine.reader.read(0, 9_999)
    return [each.event for each in history if isinstance(each.event, WebhookCreated)]


async def test_an_imported_account_is_the_same_account(
    full: "Chat", ada: "Client", open_chat: "OpenChat", tmp_path: Path
) -> None:
    """Every read model has the same digest, the chain verifies, and everybody is still signed in."""
    data, export, other = full.engine.settings.data, tmp_path / "export", tmp_path / "other"
    manifest = await admin_beside("export", "account", export, "--with-key", "--data", data)
    before = await seen(ada, full.first_room)
    imported = await admin_beside("import", "account", export, "--data", other)
    assert imported["events"] == manifest["log"]["position"] == full.engine.position
    assert digests(other) == digests(data)
    reader = LogReader(other / "events.db")
    verify(reader)
    assert [each.recorded_at for each in reader.read(0, 9_999)] == [
        each.recorded_at for each in full.engine.reader.read(0, 9_999)
    ]
    assert reader.imported_upto() == full.engine.position
    reader.close()
    async with open_chat(data=other) as again:
        again.clock.advance(3600)
        same_ada = again.with_token(ada.token or "")
        assert await seen(same_ada, full.first_room) == before
        known = {"email": "bob@example.com", "password": PASSWORD}
        assert (await again.nobody().post("/api/v1/sessions", known)).status == 201
        first, second = webhooks_made(again)
        assert again.engine.sealer.open(first.sealed_secret).startswith("whsec_")
        assert again.engine.sealer.open(second.sealed_secret).startswith("whsk_")
        assert await Scrubber(again.engine).sweep(at_once=True) == 1
        verify(again.engine.reader)


async def test_only_files_of_deleted_messages_are_named_otherwise(chat: "Chat", ada: "Client", tmp_path: Path) -> None:
    """Until the scrub comes: their names have not left the server."""
    file = await upload(ada, b"forget this", "secret.txt")
    message = await say(ada, chat.first_room, "", uploads=[file])
    await must(ada.delete(f"/api/v1/messages/{message['id']}"))
    data, export, other = chat.engine.settings.data, tmp_path / "export", tmp_path / "other"
    await admin_beside("export", "account", export, "--data", data)
    await admin_beside("import", "account", export, "--data", other)
    before, after = digests(data), digests(other)
    assert [table for table in before if before[table] != after[table]] == ["attachments"]


async def test_an_administrators_export_gives_the_account_without_its_secrets(
    full: "Chat", ada: "Client", open_chat: "OpenChat", tmp_path: Path
) -> None:
    """All that was said is there; nobody is signed in, and a password is chosen by a link of the operator's."""
    export = await unpacked(ada, "/api/v1/account/export", tmp_path / "export")
    other = tmp_path / "other"
    await admin_beside("import", "account", export, "--data", other)
    data = full.engine.settings.data
    different = [table for table, digest in digests(data).items() if digest != digests(other)[table]]
    assert set(different) <= {"users", "sessions", "sign_in_links", "webhooks"}
    link = await admin_beside("people", "reset-password", "ada@example.com", "--data", other)
    async with open_chat(data=other) as again:
        assert (await again.with_token(ada.token or "").get("/api/v1/me")).status == 401
        withheld = {"email": "ada@example.com", "password": PASSWORD}
        assert (await again.nobody().post("/api/v1/sessions", withheld)).status == 401
        chosen = await again.nobody().post(f"/api/v1/password-resets/{link['token']}", {"password": "another good one"})
        assert chosen.status < 300, chosen.text
        first, second = webhooks_made(again)
        assert again.engine.sealer.open(first.sealed_secret).startswith("whsec_")
        # Another key, whose halves belong together; and nobody is let in by a mark that stands for a pull key.
        private = again.engine.sealer.open(second.sealed_secret)
        signature = signing.headers("m", 1, b"{}", [private])["webhook-signature"].removeprefix("v1a,")
        public = b64decode((second.public_key or "").removeprefix("whpk_"))
        Ed25519PublicKey.from_public_bytes(public).verify(b64decode(signature), b"m.1.{}")
        assert second.public_key != webhooks_made(full)[1].public_key
        assert [each.pull_key_hash for each in again.engine.directory.webhooks.values()] == [None, None]


Damage = Callable[[Path], None]


def _cut(export: Path) -> None:
    path = export / "events.ndjson"
    path.write_bytes(path.read_bytes()[:-100])


def _another_text(export: Path) -> None:
    path = export / "events.ndjson"
    path.write_bytes(path.read_bytes().replace(b"hello", b"HELLO"))


def _another_file(export: Path) -> None:
    next((export / "blobs").iterdir()).write_bytes(b"something else")


def _no_file(export: Path) -> None:
    next((export / "blobs").iterdir()).unlink()


def _a_link(export: Path) -> None:
    blob = next((export / "blobs").iterdir())
    (export / "elsewhere").write_bytes(blob.read_bytes())
    blob.unlink()
    blob.symlink_to(export / "elsewhere")


def _rewritten(change: Callable[[list[dict]], list[dict]]) -> Damage:  # type: ignore[type-arg]
    """Changed by somebody who knows how to make the manifest fit."""

    def damage(export: Path) -> None:
        refit(export, "events.ndjson", change(lines(export, "events.ndjson")))

    return damage


def _with(number: int, **changes: object) -> Damage:
    return _rewritten(lambda all_lines: [each | changes if n == number else each for n, each in enumerate(all_lines)])


def _only(topic: str) -> Damage:
    def change(all_lines: list[dict]) -> list[dict]:  # type: ignore[type-arg]
        kept = [each for each in all_lines if each["topic"] == topic]
        return [each | {"position": number} for number, each in enumerate(kept, 1)]

    return _rewritten(change)


def _the_same_version_twice(export: Path) -> None:
    all_lines = lines(export, "events.ndjson")
    all_lines[5] |= {name: all_lines[4][name] for name in ("stream_id", "version")}
    refit(export, "events.ndjson", all_lines)


def _no_manifest(export: Path) -> None:
    (export / "manifest.json").unlink()


def _newer_form(export: Path) -> None:
    path = export / "manifest.json"
    path.write_text(path.read_text().replace('"format": 1', '"format": 2'))


DAMAGES = {
    "cut short": (_cut, "changed or cut short"),
    "another text": (_another_text, "changed or cut short"),
    "another file": (_another_file, "does not hold what its name says"),
    "a file missing": (_no_file, "It should hold"),
    "a file that is a link": (_a_link, "cannot be read"),
    "no manifest": (_no_manifest, "There is no manifest.json"),
    "a newer form": (_newer_form, "It has form 2"),
    "an unknown event": (_with(5, topic="user.possessed"), "line 6"),
    "fields that make no sense": (_with(5, data={"at": "yesterday"}), "line 6: no"),
    "a gap": (_rewritten(lambda all_lines: all_lines[:7] + all_lines[8:]), "it should be position 8"),
    "an event twice": (_the_same_version_twice, "An event is in it twice"),
    "a version that is none": (_with(5, version=0), "no event has such a stream, version or time"),
    "a time before the last": (_with(8, recorded_at=1), "in the order of time"),
    "a stream that is none": (_with(5, stream_id="../../etc/passwd"), "no event has such a stream, version or time"),
    "no beginning": (_only("user.created"), "no account was created in it"),
}


@pytest.mark.parametrize(("damage", "said"), DAMAGES.values(), ids=DAMAGES.keys())
async def test_a_damaged_export_is_refused_and_nothing_is_changed(
    full: "Chat", tmp_path: Path, damage: Damage, said: str
) -> None:
    """In a sentence that says what is wrong; the directory is as empty as before."""
    export, other = tmp_path / "export", tmp_path / "other"
    await admin_beside("export", "account", export, "--data", full.engine.settings.data)
    damage(export)
    result = await refused("import", "account", export, "--data", other)
    assert result.exit_code == 1 and result.stderr.startswith("EXPORT_UNUSABLE: "), result.output
    assert said in result.stderr
    assert not other.exists() or {path.name for path in other.iterdir()} <= {"server.lock"}


async def test_a_tar_does_as_well_as_a_directory(full: "Chat", tmp_path: Path) -> None:
    """As the API gives it, zipped or not."""
    export, other = tmp_path / "export", tmp_path / "other"
    await admin_beside("export", "account", export, "--data", full.engine.settings.data)
    with tarfile.open(tmp_path / "plain.tar", "w") as tar:
        for name in ("manifest.json", "events.ndjson", "messages.ndjson"):
            tar.add(export / name, name)
        for blob in (export / "blobs").iterdir():
            tar.add(blob, f"blobs/{blob.name}")
    (tmp_path / "zipped.tar.gz").write_bytes(gzip.compress((tmp_path / "plain.tar").read_bytes()))
    await admin_beside("import", "account", tmp_path / "zipped.tar.gz", "--data", other)
    assert digests(other) == digests(full.engine.settings.data)
    whole = (tmp_path / "plain.tar").read_bytes()
    (tmp_path / "cut.tar").write_bytes(whole[: len(whole) // 2])
    result = await refused("import", "account", tmp_path / "cut.tar", "--data", tmp_path / "third")
    assert result.exit_code == 1 and result.stderr.startswith("EXPORT_UNUSABLE: ")
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith("campfire-import")) == []


@pytest.mark.parametrize("name", ["../evil", "{outside}/evil", "blobs/../../evil", "events.ndjson/x", "server.key"])
async def test_a_hostile_tar_writes_nothing(chat: "Chat", ada: "Client", tmp_path: Path, name: str) -> None:
    """No name in it leads anywhere but to the files that an export has."""
    export, outside = tmp_path / "export", tmp_path / "outside"
    outside.mkdir()
    await admin_beside("export", "account", export, "--data", chat.engine.settings.data)
    events = (export / "events.ndjson").read_bytes()
    with tarfile.open(tmp_path / "evil.tar", "w") as tar:
        tar.add(export / "manifest.json", "manifest.json")
        entry = tarfile.TarInfo(name.format(outside=outside))  # as it is: `add` would take the first slash away
        entry.size = len(events)
        tar.addfile(entry, io.BytesIO(events))
    before = {path.name for path in tmp_path.iterdir()}
    result = await refused("import", "account", tmp_path / "evil.tar", "--data", tmp_path / "other")
    assert result.exit_code == 1 and "which no export has at that place" in result.stderr
    assert {path.name for path in tmp_path.iterdir()} == before and not any(outside.iterdir())


async def test_a_data_directory_that_holds_something_is_left_alone(chat: "Chat", ada: "Client", tmp_path: Path) -> None:
    """Neither a running server's nor one that only rests; an account is never mixed with another."""
    export, other, data = tmp_path / "export", tmp_path / "other", chat.engine.settings.data
    await admin_beside("export", "account", export, "--data", data)
    in_use = await refused("import", "account", export, "--data", data)
    assert in_use.exit_code == 4 and "DATA_DIRECTORY_IN_USE" in in_use.stderr
    await admin_beside("import", "account", export, "--data", other)
    before = digests(other)
    twice = await refused("import", "account", export, "--data", other)
    assert twice.exit_code == 1 and "holds an account already" in twice.stderr
    assert digests(other) == before
    again = await refused("export", "account", export, "--data", data)
    assert again.exit_code == 1 and "is there already" in again.stderr


async def test_an_export_is_for_its_owner_only(chat: "Chat", ada: "Client", tmp_path: Path) -> None:
    """Nobody else on the machine can read the files."""
    await admin_beside("export", "account", tmp_path / "export", "--data", chat.engine.settings.data)
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "export").rglob("*") if path.is_file()}
    assert modes == {0o600} and (tmp_path / "export").stat().st_mode & 0o777 == 0o700
