"""The story of a delivery, or of why there is none, in sentences. Pure: facts in, sentences out."""

from collections.abc import Sequence

from outbox.attempts import AttemptMade
from outbox.endpoint_past import Subscription
from outbox.facts import DeliveryFacts, Event, MissingFacts
from outbox.planning import is_among
from outbox.wording import addressee, many, moment, shown, span

_MOST_SAID = 300
"""Characters of a response within a sentence."""


def story(facts: DeliveryFacts) -> list[str]:
    """What it tells of and why, its place, everything that happened to it in order, and what it waits for."""
    told = [(each.ended_at, _attempt(each)) for each in facts.attempts]
    told += [(each.at, f"{moment(each.at)}: {shown(each.what.rstrip('.'))}.") for each in facts.meanwhile]
    if facts.parked_at is not None:
        told.append(
            (facts.parked_at, f"{moment(facts.parked_at)}: it was parked; the others of its line wait for it no more.")
        )
    return [_about(facts), _why(facts), _place(facts), *(each for _, each in sorted(told)), *_now(facts)]


def why_not(facts: MissingFacts) -> list[str]:
    """Why an endpoint was not sent an event: the first reason that there is, and what to type, if anything helps."""
    if facts.event is None:
        return [f"The log ends at position {facts.tip}: nothing has happened at position {facts.position} yet."]
    whom = addressee("webhook", None, facts.url) or f"The bot {facts.endpoint_id}"
    return [_event(facts.event), *_reason(facts, facts.event, whom)]


def _about(facts: DeliveryFacts) -> str:
    whom = addressee(facts.kind, facts.name, facts.url)
    if facts.event is None:
        return f"{facts.id} tells {whom} of {facts.event_type} at position {facts.position}, which the log has not."
    return f"{facts.id} tells {whom} of {_event(facts.event, facts.event_type)}"


def _event(event: Event, name: str | None = None) -> str:
    room = ""
    if event.room_id is not None:
        room = f" in the room {shown(event.room)} ({event.room_id})" if event.room else f" in the room {event.room_id}"
    return f"{name or event.type} at position {event.position}, which happened {moment(event.at)}{room}."


def _why(facts: DeliveryFacts) -> str:
    planned = f"It was planned {moment(facts.planned_at)}"
    if facts.cause == "test":
        return f"{planned} because somebody asked for a test."
    if facts.cause == "call":
        return f"{planned} because the bot was called there."
    because = "the endpoint's cursor was moved back" if facts.cause == "history" else "it had just happened"
    if facts.subscription is None:
        return f"{planned} because {because}."
    return f"{planned} because {because}, and the endpoint subscribed to {_subscribed(facts.subscription)}."


def _subscribed(wanted: Subscription) -> str:
    rooms = "in every room" if wanted.rooms is None else f"in {many(len(wanted.rooms), 'room')}"
    filtered = f" that fit {many(wanted.conditions, 'condition')}" if wanted.conditions else ""
    return f"{', '.join(wanted.events)} {rooms}{filtered} at {moment(wanted.at)} (position {wanted.position})"


def _place(facts: DeliveryFacts) -> str:
    if facts.sequence == 1:
        return "It is number 1 of the endpoint's stream, the first."
    before = f"the one before is {facts.previous}" if facts.previous else "the one before is not kept any more"
    return f"It is number {facts.sequence} of the endpoint's stream; {before}."


def _attempt(made: AttemptMade) -> str:
    phases = [
        f"{name} {span(ms)}"
        for name, ms in (
            ("resolving", made.resolve_ms),
            ("connecting", made.connect_ms),
            ("waiting for the response", made.first_byte_ms),
            ("reading it", made.body_ms),
        )
        if ms is not None
    ]
    took = f"took {span(made.ended_at - made.started_at)}" + (f" ({', '.join(phases)})" if phases else "")
    where = f" at {shown(made.peer)}" if made.peer else ""
    tries = f" in {made.tries} tries" if made.tries > 1 else ""
    if made.failure_class is not None:
        ended = f"failed: {made.failure_class} ({shown(made.detail)})"
    else:
        ended = f"succeeded: {shown(made.detail)}" + (f" ({made.status})" if made.status is not None else "")
    said = f" The response began {_quoted(made.excerpt)}." if made.excerpt else ""
    return f"{moment(made.started_at)}: attempt {made.number}{where} {took}{tries} and {ended}.{said}"


def _quoted(text: str) -> str:
    cut = text[:_MOST_SAID]
    return f'"{shown(cut)}{"…" if len(text) > _MOST_SAID else ""}"'


def _now(facts: DeliveryFacts) -> list[str]:
    finished = moment(facts.finished_at) if facts.finished_at is not None else "some time ago"
    match facts.state:
        case "delivered":
            late = ""
            if facts.event is not None and facts.finished_at is not None and facts.cause != "history":
                late = f", {span(max(0, facts.finished_at - facts.event.at))} after it happened"
            return [f"It was delivered {finished}{late}."]
        case "cancelled":
            return [f"It was cancelled {finished}: {shown(facts.failure or 'for no reason that is kept')}."]
        case "dead":
            return [
                f"It was given up {finished}: {facts.failure_class} ({shown(facts.failure or '')}).",
                f"To send it again: campfire-outbox dead-letters replay {facts.id}",
            ]
        case "sending":
            return ["It is being sent now.", *_worker(facts)]
    return [*_waits(facts), *_worker(facts)]


def _waits(facts: DeliveryFacts) -> list[str]:
    """Everything that has to be over before it is sent, the last word first."""
    endpoint, sentences = facts.endpoint, []
    if endpoint is None:
        return ["It waits, but the endpoint is gone."]
    if endpoint.state == "disabled":
        why = f" ({shown(endpoint.why.rstrip('.'))})" if endpoint.why else ""
        sentences.append(f"It waits because the endpoint is disabled{why}.")
    elif endpoint.state == "paused":
        sentences.append("It waits because the endpoint is paused.")
    if sentences:
        return [*sentences, f"To send again: campfire-outbox endpoints resume {facts.endpoint_id}"]
    if endpoint.breaker_until is not None:
        sentences.append(
            f"It waits for the circuit breaker, open until {moment(endpoint.breaker_until)} after"
            f" {many(endpoint.failures, 'failure')} in a row."
        )
    if facts.state == "queued":
        behind = f" behind {facts.behind}" if facts.behind else ""
        return [*sentences, f"It is queued{behind}, which goes first, and after that it is its turn."]
    if facts.next_attempt_at > facts.now:
        ahead = f"in {span(facts.next_attempt_at - facts.now)}"
        sentences.append(f"Its next attempt is due {moment(facts.next_attempt_at)}, {ahead}.")
    elif facts.ahead:
        sentences.append(f"It is due; {many(facts.ahead, 'other')} of its endpoint go first.")
    else:
        sentences.append("It is due, and next.")
    if facts.rate is not None:
        sentences.append(f"The endpoint takes at most {facts.rate:g} a second.")
    return sentences


def _worker(facts: DeliveryFacts) -> Sequence[str]:
    if facts.worker_alive:
        return ()
    return ("No worker is running, so nothing is sent. To start one: campfire-outbox run",)


def _reason(facts: MissingFacts, event: Event, whom: str) -> list[str]:
    wanted = facts.subscription
    if event.untold is not None:
        return [f"Nobody is told of it: {event.untold}."]
    if facts.position <= facts.created_position:
        made = f" {moment(facts.created_at)}" if facts.created_at is not None else ""
        return [
            f"{whom} was made{made} at position {facts.created_position}, later than this; it is sent what came after.",
            *_move(facts),
        ]
    if facts.deleted_at is not None and event.at >= facts.deleted_at:
        return [f"{whom} had been deleted {moment(facts.deleted_at)}."]
    if facts.kind == "bot":
        called = "when it is mentioned, addressed by a command, or written to in a direct room"
        return [f"A bot is called {called}; no call of this one is at position {facts.position}."]
    if wanted is not None and event.type not in wanted.events:
        return [
            f"{whom} did not subscribe to {event.type}: since {moment(wanted.at)} it wanted {_list(wanted.events)}."
        ]
    if wanted is not None and not is_among(event.room_id, wanted.rooms):
        rooms = "every room but the administrators' own" if wanted.rooms is None else _list(wanted.rooms)
        return [f"{whom} did not choose this room: since {moment(wanted.at)} it wanted {rooms}."]
    if facts.position > facts.reached and facts.state == "disabled":
        return [
            f"{whom} is disabled: what has happened since then waits in the log.",
            f"To send again: campfire-outbox endpoints resume {facts.endpoint_id}",
        ]
    if facts.position > facts.reached:
        ahead = many(facts.position - facts.reached, "event")
        return [f"It has not been reached yet: for {whom} the log is followed up to {facts.reached}, {ahead} before."]
    if wanted is not None and wanted.unmet:
        unmet = f"{wanted.unmet} of its filter's {many(wanted.conditions, 'condition')}"
        return [f"{whom} did not want it: {unmet} did not hold for it."]
    lines = [f"{whom} wanted it, but there is no delivery: it was skipped or moved over, or outbox.db is a new one."]
    lines += [f"{moment(each.at)}: {shown(each.what)}." for each in facts.meanwhile if each.at >= event.at]
    return [*lines, *_move(facts)]


def _move(facts: MissingFacts) -> list[str]:
    """How to send it after all, unless the endpoint, as it is today, would not have it."""
    wants, event = facts.wants, facts.event
    if facts.kind != "webhook" or facts.state == "deleted" or wants is None or event is None:
        return []
    if event.type not in wants.events or not is_among(event.room_id, wants.rooms) or wants.unmet:
        return []
    first = facts.position - 1
    return [f"To send it: campfire-outbox endpoints move {facts.endpoint_id} --to {first} --until {facts.position}"]


def _list(things: Sequence[str]) -> str:
    return ", ".join(things)
