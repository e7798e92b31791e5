"""Who may do what: for each endpoint, what each kind of person is answered. Written from what is right.

A route may have several rows, one for each thing that makes a difference (another's message or one's own,
a closed room or a direct one).
"""

from access_support.expected import (
    ADMINISTRATORS,
    ANOTHERS_DEVICE,
    IN_DIRECT,
    IN_ROOM,
    LOOKS_AFTER_ROOM,
    NOBODY,
    NOT_A_CASE,
    NOT_MINE,
    OK,
    PEOPLE,
    SIGNED_IN,
    SOMEBODY_ELSES,
    Row,
    everybody,
    members,
    signed_in,
)
from access_support.things import picture, subscription
from access_support.world import PASSWORD

_ROOM = "/api/v1/rooms/{room_id}"
_OWN_ROOM = "/api/v1/rooms/{own_room}"
_DIRECT = "/api/v1/rooms/{direct_room}"
_ARCHIVED = "/api/v1/rooms/{archived_room}"
_OPEN = "/api/v1/rooms/{open_room}"
_MESSAGE = "/api/v1/messages/{message_id}"
_OWN_MESSAGE = "/api/v1/messages/{own_message}"
_DIRECT_MESSAGE = "/api/v1/messages/{direct_message}"
_ARCHIVED_MESSAGE = "/api/v1/messages/{archived_message}"
_USER = "/api/v1/users/{user_id}"
_MYSELF = "/api/v1/users/{me}"
_FILE = "/api/v1/attachments/{attachment_id}"
_BOT = "/api/v1/bots/{bot_id}"
_HOOK = "/api/v1/webhooks/{webhook_id}"
_ENDPOINT = "/api/v1/endpoints/{endpoint_id}"
_DEVICES = "/api/v1/me/push-subscriptions"
_DEVICE = f"{_DEVICES}/{{subscription_id}}"
_OWN_DEVICE = f"{_DEVICES}/{{own_device}}"
_SAYS = {"body": "hello"}

MESSAGES = (
    Row(f"POST {_ROOM}/messages", IN_ROOM, body=_SAYS),
    Row(f"POST {_ROOM}/messages", IN_DIRECT, "direct", f"{_DIRECT}/messages", _SAYS),
    Row(f"POST {_ROOM}/messages", members("ROOM_ARCHIVED"), "archived", f"{_ARCHIVED}/messages", _SAYS),
    Row(f"POST {_ROOM}/messages", IN_ROOM, "my file", body={"uploads": ["{own_upload}"]}),
    Row(
        f"POST {_ROOM}/messages", members("UPLOAD_NOT_FOUND"), "another's file", body={"uploads": ["{upload_of_owner}"]}
    ),
    Row(f"POST {_ROOM}/messages", IN_ROOM, "reply", body={"body": "hello", "reply_to": "{message_id}"}),
    Row(
        f"POST {_ROOM}/messages",
        members("MESSAGE_NOT_FOUND"),
        "reply to what one cannot see",
        body={"body": "hello", "reply_to": "{message_elsewhere}"},
    ),
    Row(f"GET {_ROOM}/messages", IN_ROOM, path=f"{_ROOM}/messages?around={{message_id}}"),
    Row(f"GET {_ROOM}/messages", IN_DIRECT, "direct", f"{_DIRECT}/messages?after={{direct_message}}"),
    Row(f"GET {_ROOM}/messages", IN_ROOM, "archived", f"{_ARCHIVED}/messages"),
    Row(
        f"GET {_ROOM}/messages",
        members("MESSAGE_NOT_FOUND"),
        "around what one cannot see",
        f"{_ROOM}/messages?around={{message_elsewhere}}",
    ),
    Row(f"GET {_MESSAGE}", IN_ROOM),
    Row(f"GET {_MESSAGE}", IN_DIRECT, "direct", _DIRECT_MESSAGE),
    Row(f"GET {_MESSAGE}", IN_ROOM, "one's own", _OWN_MESSAGE),
    Row(f"PATCH {_MESSAGE}", NOT_MINE, body=_SAYS),
    Row(f"PATCH {_MESSAGE}", IN_ROOM, "one's own", _OWN_MESSAGE, _SAYS),
    Row(
        f"PATCH {_MESSAGE}",
        signed_in(
            "ROOM_ACCESS_DENIED", "PERMISSION_DENIED", "ROOM_ARCHIVED", "ROOM_ACCESS_DENIED", "PERMISSION_DENIED"
        ),
        "archived",
        _ARCHIVED_MESSAGE,
        _SAYS,
    ),
    Row(f"GET {_MESSAGE}/history", NOT_MINE),
    Row(f"GET {_MESSAGE}/history", IN_ROOM, "one's own", f"{_OWN_MESSAGE}/history"),
    Row("GET /api/v1/sounds", everybody()),
    Row(f"DELETE {_MESSAGE}", NOT_MINE),
    Row(f"DELETE {_MESSAGE}", IN_ROOM, "one's own", _OWN_MESSAGE),
    Row(f"GET {_MESSAGE}/thread", IN_ROOM),
    Row(f"POST {_MESSAGE}/thread/read", IN_ROOM, body={"position": 1 << 40}),
    Row(f"POST {_MESSAGE}/boosts", IN_ROOM, body={"content": "👏"}),
    Row(f"POST {_MESSAGE}/boosts", IN_DIRECT, "direct", f"{_DIRECT_MESSAGE}/boosts", {"content": "👏"}),
    Row(f"DELETE {_MESSAGE}/boosts/{{boost_id}}", members("PERMISSION_DENIED")),
    Row(f"DELETE {_MESSAGE}/boosts/{{boost_id}}", IN_ROOM, "one's own", f"{_MESSAGE}/boosts/{{own_boost}}"),
    Row(f"PUT {_MESSAGE}/pin", IN_ROOM),
    Row(f"PUT {_MESSAGE}/pin", members("ROOM_ARCHIVED"), "archived", f"{_ARCHIVED_MESSAGE}/pin"),
    Row(f"DELETE {_MESSAGE}/pin", IN_ROOM),
    Row(f"GET {_ROOM}/pins", IN_ROOM, path=f"{_ROOM}/pins?{{message_id}}"),
    Row(f"PUT {_MESSAGE}/save", IN_ROOM),
    Row(f"DELETE {_MESSAGE}/save", IN_ROOM),
    Row("GET /api/v1/saved", SIGNED_IN, path="/api/v1/saved?limit=50&_={message_id}"),
    Row(f"DELETE {_MESSAGE}/link-previews", NOT_MINE),
    Row(f"DELETE {_MESSAGE}/link-previews", IN_ROOM, "one's own", f"{_OWN_MESSAGE}/link-previews"),
    Row("GET /api/v1/link-previews/{preview_id}/image", IN_ROOM),
    Row("GET /api/v1/links/{room_number}/{message_number}", members(outside="ROOM_NOT_FOUND")),
)

ROOMS = (
    Row("GET /api/v1/rooms", SIGNED_IN, path="/api/v1/rooms?_={room_id}"),
    Row("GET /api/v1/rooms", SIGNED_IN, "joinable", "/api/v1/rooms?joinable=true&_={room_id}"),
    Row("POST /api/v1/rooms", SIGNED_IN, body={"name": "Mine", "kind": "closed", "members": ["{user_id}"]}),
    Row("POST /api/v1/rooms", SIGNED_IN, "direct", body={"kind": "direct", "members": ["{user_id}"]}),
    Row(f"GET {_ROOM}", IN_ROOM),
    Row(f"GET {_ROOM}", IN_DIRECT, "direct", _DIRECT),
    Row(f"GET {_ROOM}", IN_ROOM, "open", _OPEN),
    Row(f"PATCH {_ROOM}", LOOKS_AFTER_ROOM, body={"name": "Other"}),
    Row(f"PATCH {_ROOM}", IN_ROOM, "one's own", _OWN_ROOM, {"kind": "open"}),
    Row(f"PATCH {_ROOM}", members("PERMISSION_DENIED", outside="ROOM_NOT_FOUND"), "direct", _DIRECT, {"name": "Other"}),
    Row(f"DELETE {_ROOM}", LOOKS_AFTER_ROOM),
    Row(f"DELETE {_ROOM}", IN_ROOM, "one's own", _OWN_ROOM),
    Row(f"DELETE {_ROOM}", IN_DIRECT, "direct", _DIRECT),
    Row(f"POST {_ROOM}/archive", LOOKS_AFTER_ROOM),
    Row(f"POST {_ROOM}/archive", IN_ROOM, "one's own", f"{_OWN_ROOM}/archive"),
    Row(f"DELETE {_ROOM}/archive", LOOKS_AFTER_ROOM, path=f"{_ARCHIVED}/archive"),
    Row(f"PUT {_ROOM}/involvement", IN_ROOM, body={"involvement": "nothing"}),
    Row(f"GET {_ROOM}/members", IN_ROOM),
    Row(f"GET {_ROOM}/members", IN_DIRECT, "direct", f"{_DIRECT}/members"),
    Row(f"POST {_ROOM}/members", members("USER_NOT_FOUND"), "somebody gone", body={"user_id": "{gone_user}"}),
    Row(f"POST {_ROOM}/members", IN_ROOM, "somebody", body={"user_id": "{newcomer}"}),
    Row(f"POST {_ROOM}/members", IN_ROOM, "oneself", body={"user_id": "{me}"}),
    Row(f"POST {_ROOM}/members", SIGNED_IN, "oneself, open", f"{_OPEN}/members", {"user_id": "{me}"}),
    Row(f"POST {_ROOM}/members", IN_ROOM, "somebody, open", f"{_OPEN}/members", {"user_id": "{newcomer}"}),
    Row(
        f"POST {_ROOM}/members",
        members("PERMISSION_DENIED", outside="ROOM_NOT_FOUND"),
        "somebody, direct",
        f"{_DIRECT}/members",
        {"user_id": "{newcomer}"},
    ),
    Row(f"DELETE {_ROOM}/members/{{user_id}}", LOOKS_AFTER_ROOM, path=f"{_ROOM}/members/{{user_id}}"),
    Row(f"DELETE {_ROOM}/members/{{user_id}}", IN_ROOM, "one's own room", f"{_OWN_ROOM}/members/{{user_id}}"),
    # Leaving twice is leaving once.
    Row(f"DELETE {_ROOM}/members/{{user_id}}", SIGNED_IN, "oneself", f"{_ROOM}/members/{{me}}"),
    Row(
        f"DELETE {_ROOM}/members/{{user_id}}",
        members("PERMISSION_DENIED", outside="ROOM_NOT_FOUND"),
        "oneself, direct",
        f"{_DIRECT}/members/{{me}}",
    ),
    Row(
        f"DELETE {_ROOM}/members/{{user_id}}",
        signed_in(OK, "ROOM_ARCHIVED", "ROOM_ARCHIVED", OK, "ROOM_ARCHIVED"),
        "oneself, archived",
        f"{_ARCHIVED}/members/{{me}}",
    ),
    Row(f"POST {_ROOM}/read", IN_ROOM, body={"message_id": "{message_id}"}),
    Row(f"POST {_ROOM}/read", IN_ROOM, "by position", body={"position": 1 << 40}),
    Row(
        f"POST {_ROOM}/read",
        members("MESSAGE_NOT_FOUND"),
        "by what one cannot see",
        body={"message_id": "{message_elsewhere}"},
    ),
    Row(f"GET {_ROOM}/presence", IN_ROOM),
    Row(f"PUT {_ROOM}/presence", IN_ROOM),
    Row(f"DELETE {_ROOM}/presence", IN_ROOM),
    Row(f"PUT {_ROOM}/typing", IN_ROOM),
    Row(f"DELETE {_ROOM}/typing", IN_ROOM),
    Row(f"GET {_ROOM}/export", LOOKS_AFTER_ROOM),
    Row(f"GET {_ROOM}/export", IN_ROOM, "one's own", f"{_OWN_ROOM}/export"),
    Row(f"GET {_ROOM}/export", IN_DIRECT, "direct", f"{_DIRECT}/export"),
)

FILES_AND_SEARCH = (
    Row("POST /api/v1/uploads", SIGNED_IN, body=b"words"),
    Row("GET /api/v1/attachments/{attachment_id}/thumbnail", IN_ROOM, path="/api/v1/attachments/{picture}/thumbnail"),
    Row("GET /api/v1/attachments/{attachment_id}/{name}", IN_ROOM, path=f"{_FILE}/notes.txt"),
    Row(
        "GET /api/v1/attachments/{attachment_id}/{name}",
        SOMEBODY_ELSES,
        "not posted yet",
        "/api/v1/attachments/{upload_of_owner}/notes.txt",
    ),
    Row(
        "GET /api/v1/attachments/{attachment_id}/{name}",
        SIGNED_IN,
        "one's own, not posted yet",
        "/api/v1/attachments/{own_upload}/notes.txt",
    ),
    Row("GET /api/v1/search", SIGNED_IN, path="/api/v1/search?q=quicksilver&_={message_id}"),
    Row("GET /api/v1/search", SIGNED_IN, "relevance", "/api/v1/search?q=quicksilver&order=relevance&_={message_id}"),
    Row("GET /api/v1/search", SIGNED_IN, "in a room by name", "/api/v1/search?q=in:Room&_={message_id}"),
    Row("GET /api/v1/search", SIGNED_IN, "a direct room", "/api/v1/search?q=quicksilver&_={direct_message}"),
    Row("GET /api/v1/search", IN_ROOM, "in a room", "/api/v1/search?q=quicksilver&room_id={room_id}&_={message_id}"),
    Row("GET /api/v1/searches", SIGNED_IN),
    Row("POST /api/v1/searches", SIGNED_IN, body={"text": "bug"}),
    Row("DELETE /api/v1/searches", SIGNED_IN),
)

ACCOUNT = (
    Row(
        "POST /api/v1/setup",
        everybody("SETUP_ALREADY_DONE"),
        body={"account": "Mine", "name": "Me", "email": "new@example.com", "password": PASSWORD},
    ),
    Row(
        "POST /api/v1/join/{join_code}",
        everybody(),
        body={"name": "New", "email": "new.{secret}@example.com", "password": PASSWORD},
    ),
    Row(
        "POST /api/v1/join/{join_code}",
        everybody("JOIN_CODE_INVALID"),
        "a wrong code",
        "/api/v1/join/guess",
        {"name": "New", "email": "new@example.com", "password": PASSWORD},
    ),
    Row("GET /api/v1/join/{join_code}", everybody()),
    Row("GET /api/v1/join/{join_code}", everybody("JOIN_CODE_INVALID"), "a wrong code", "/api/v1/join/guess"),
    Row("GET /api/v1/welcome", everybody()),
    Row("GET /api/v1/account", SIGNED_IN),
    Row("PATCH /api/v1/account", ADMINISTRATORS, body={"name": "Other"}),
    Row("GET /api/v1/account/styles.css", everybody()),
    Row("POST /api/v1/account/join-code", ADMINISTRATORS),
    Row("GET /api/v1/account/logo", everybody(), path="/api/v1/account/logo?{logo}"),
    Row("PUT /api/v1/account/logo", ADMINISTRATORS, body=picture()),
    Row("DELETE /api/v1/account/logo", ADMINISTRATORS),
    Row("GET /api/v1/account/export", ADMINISTRATORS),
    Row("POST /api/v1/webhooks", ADMINISTRATORS, body={"url": "https://example.com/", "events": ["message.posted"]}),
    Row("GET /api/v1/webhooks", ADMINISTRATORS),
    Row(f"GET {_HOOK}", ADMINISTRATORS),
    Row(f"DELETE {_HOOK}", ADMINISTRATORS),
    Row(f"PATCH {_HOOK}", ADMINISTRATORS, body={"events": ["message.edited"]}),
    Row(f"POST {_HOOK}/pause", ADMINISTRATORS),
    Row(f"POST {_HOOK}/resume", ADMINISTRATORS),
    Row(f"POST {_HOOK}/rotate-secret", ADMINISTRATORS),
    Row(f"POST {_HOOK}/test", ADMINISTRATORS),
    Row(f"GET {_HOOK}/deliveries", ADMINISTRATORS),
    Row(f"GET {_HOOK}/deliveries/{{delivery_id}}", ADMINISTRATORS),
    Row("GET /api/v1/dead-letters", ADMINISTRATORS),
    Row("POST /api/v1/dead-letters/replay", ADMINISTRATORS, body={"all": True}),
    Row("POST /api/v1/dead-letters/drop", ADMINISTRATORS, body={"all": True, "reason": "old"}),
    Row(f"POST {_HOOK}/cursor", ADMINISTRATORS, body={"after": 0}),
    # The receiver's own key is no kind of person; tests/api/test_endpoint_stream.py has it.
    Row(f"GET {_ENDPOINT}/events", ADMINISTRATORS),
    Row(f"POST {_ENDPOINT}/cursor", ADMINISTRATORS, body={"after": 0}),
    Row("POST /api/v1/bots", ADMINISTRATORS, body={"name": "Bender"}),
    Row("GET /api/v1/bots", ADMINISTRATORS),
    Row(f"GET {_BOT}", ADMINISTRATORS),
    Row(f"PATCH {_BOT}", ADMINISTRATORS, body={"name": "Bender"}),
    Row(f"DELETE {_BOT}", ADMINISTRATORS),
    Row(f"POST {_BOT}/key", ADMINISTRATORS),
    Row(f"PUT {_BOT}/commands", ADMINISTRATORS, body={"commands": []}),
    Row(
        f"PUT {_BOT}/commands",
        signed_in("USER_NOT_FOUND", "USER_NOT_FOUND", "USER_NOT_FOUND", "USER_NOT_FOUND", OK, OK),
        "oneself",
        "/api/v1/bots/{me}/commands",
        {"commands": []},
    ),
    Row("GET /api/v1/commands", SIGNED_IN),
    Row("GET /up", everybody()),
    Row("GET /health/live", everybody()),
    Row("GET /health/ready", everybody()),
    Row("GET /health", everybody()),
)

PERSONS = (
    Row(
        "POST /api/v1/sessions",
        everybody(gone="INVALID_CREDENTIALS", bot=NOT_A_CASE),
        body={"email": "{my_email}", "password": PASSWORD},
    ),
    Row(
        "POST /api/v1/sessions",
        everybody("INVALID_CREDENTIALS", bot=NOT_A_CASE),
        "a wrong password",
        body={"email": "{my_email}", "password": "guess"},
    ),
    Row("GET /api/v1/sessions", PEOPLE),
    Row("DELETE /api/v1/sessions", PEOPLE),
    Row(f"DELETE {_USER}/sessions", ADMINISTRATORS),
    Row("DELETE /api/v1/sessions/current", PEOPLE),
    Row(
        "DELETE /api/v1/sessions/{session_id}",
        PEOPLE._replace(bot=NOT_A_CASE, outside_bot=NOT_A_CASE),
        "one's own",
        "/api/v1/sessions/{own_session}",
    ),
    Row(
        "DELETE /api/v1/sessions/{session_id}",
        signed_in("SESSION_NOT_FOUND", "SESSION_NOT_FOUND", OK, OK, "PERMISSION_DENIED", "PERMISSION_DENIED"),
    ),
    Row("POST /api/v1/me/transfers", PEOPLE),
    Row("POST /api/v1/transfers/{token}", everybody(), path="/api/v1/transfers/{transfer}"),
    Row(
        "POST /api/v1/transfers/{token}",
        everybody(gone="SIGN_IN_LINK_INVALID", bot=NOT_A_CASE),
        "one's own",
        "/api/v1/transfers/{own_transfer}",
    ),
    Row(f"POST {_USER}/password-resets", ADMINISTRATORS),
    Row(
        "POST /api/v1/password-resets/{token}",
        everybody(),
        path="/api/v1/password-resets/{reset}",
        body={"password": PASSWORD},
    ),
    Row("GET /api/v1/users", SIGNED_IN),
    Row(f"GET {_USER}", SIGNED_IN),
    Row(f"PATCH {_USER}", ADMINISTRATORS, body={"role": "administrator"}),
    Row(f"PATCH {_USER}", ADMINISTRATORS, "oneself", _MYSELF, {"role": "member"}),
    Row(f"DELETE {_USER}", ADMINISTRATORS),
    Row(f"DELETE {_USER}", ADMINISTRATORS, "with what they said", f"{_USER}?messages=remove"),
    Row(f"DELETE {_USER}", PEOPLE, "oneself", _MYSELF),
    Row(f"PUT {_USER}/ban", ADMINISTRATORS),
    Row(f"PUT {_USER}/active", ADMINISTRATORS, path="/api/v1/users/{gone_user}/active"),
    Row("GET /api/v1/me", SIGNED_IN),
    Row("PATCH /api/v1/me", SIGNED_IN, body={"bio": "hello"}),
    Row("PUT /api/v1/me/email", PEOPLE, body={"email": "other.{secret}@example.com", "password": PASSWORD}),
    Row("PUT /api/v1/me/password", PEOPLE, body={"current": PASSWORD, "new": PASSWORD + "!"}),
    Row(f"GET {_USER}/avatar", SIGNED_IN),
    Row("PUT /api/v1/me/avatar", SIGNED_IN, body=picture()),
    Row("DELETE /api/v1/me/avatar", SIGNED_IN),
    Row(f"PUT {_USER}/avatar", NOBODY, "a person", body=picture()),
    Row("GET /api/v1/presence", SIGNED_IN),
    Row("GET /api/v1/push/key", PEOPLE),
    Row(f"PUT {_DEVICES}", PEOPLE, body=subscription("{secret}")),
    Row(f"GET {_DEVICES}", PEOPLE),
    Row(f"DELETE {_DEVICE}", PEOPLE._replace(bot=NOT_A_CASE, outside_bot=NOT_A_CASE), "one's own", _OWN_DEVICE),
    Row(f"DELETE {_DEVICE}", ANOTHERS_DEVICE),
    Row(
        f"POST {_DEVICE}/test",
        PEOPLE._replace(bot=NOT_A_CASE, outside_bot=NOT_A_CASE),
        "one's own",
        f"{_OWN_DEVICE}/test",
    ),
    Row(f"POST {_DEVICE}/test", ANOTHERS_DEVICE),
    Row("GET /api/v1/me/export", SIGNED_IN),
)

_UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}

FEEDS = (
    Row("GET /feed", SIGNED_IN, path="/feed?since=0&_={message_id}{preview_id}"),
    Row("GET /feed", SIGNED_IN, "direct", "/feed?since=0&_={direct_message}"),
    Row("GET /feed", SIGNED_IN, "Server-Sent Events", headers={"Accept": "text/event-stream"}),
    Row("GET /ws", SIGNED_IN, headers=_UPGRADE),
)

ROWS: tuple[Row, ...] = (*MESSAGES, *ROOMS, *FILES_AND_SEARCH, *ACCOUNT, *PERSONS, *FEEDS)
