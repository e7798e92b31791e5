"""`campfire-outbox status`."""

import click
import msgspec

from campfire.clock import SystemClock
from campfire.command_line import EXIT_CODES_HELP, data_option, json_option, print_json, settings_from, telling_errors
from campfire.config import Settings
from campfire.errors import CampfireError
from outbox.commands.options import typeable
from outbox.push.queries import PushStatus, push_status
from outbox.status import EndpointStatus, OutboxStatus, outbox_status
from outbox.wording import addressee, for_programs, many, moment, shown, span


@click.command(epilog=EXIT_CODES_HELP)
@json_option
@data_option
@telling_errors
def status(as_json: bool, data: str | None) -> None:
    """How far the outbox is, what waits, which endpoints fail and why, and what to type about it.

    A line for each endpoint: its state, how far it is behind, what waits for it. "Parked" deliveries failed for so
    long that the others of their room do not wait for them any more; "queued" ones wait for an earlier one.

    In --json, spans are in milliseconds and times in ISO 8601.
    """
    settings = settings_from(data)
    found = look(settings)
    push = push_status(settings.outbox_path)
    if as_json:
        print_json(for_programs(found) | {"push": msgspec.to_builtins(push)})
        return
    for line in told(found, push):
        click.echo(typeable(line, data))


def look(settings: Settings) -> OutboxStatus:
    """Raises `CampfireError` `NOT_FOUND` if there is no outbox yet."""
    found = outbox_status(
        settings.outbox_path,
        SystemClock().now_ms(),
        log=settings.events_path,
        breaker_ms=round(settings.webhook_breaker_seconds * 1000),
    )
    if found is None:
        raise CampfireError("NOT_FOUND", f"No worker has run on {settings.data} yet. Is it the right directory?")
    return found


def told(found: OutboxStatus, push: PushStatus) -> list[str]:
    """What a person is told: the whole, each endpoint, and what to type next."""
    lines = [_worker(found), _position(found), _counts(found), _push(push)]
    if found.standing_by is not None:
        lines.append(f"Waiting to take over: {found.standing_by}.")
    lines += [f"Alarm: {alarm}." for alarm in push.alarms]
    if found.answers.waiting:
        lines.append(f"{many(found.answers.waiting, 'answer')} of bots wait for the server to post them.")
    if found.answers.dropped:
        lines.append(
            f"{many(found.answers.dropped, 'answer')} of bots were not posted;"
            f" of the last: {shown(found.answers.last_reason or 'no reason')}"
        )
    for endpoint in found.endpoints:
        lines += ["", *endpoint_lines(endpoint)]
    advice = _advice(found)
    return [*lines, "", "What to type next:", *(f"  {each}" for each in advice)] if advice else lines


def _worker(found: OutboxStatus) -> str:
    if not found.worker_alive:
        return "Worker not running: nothing is sent."
    since = f", since {moment(found.worker_since)}" if found.worker_since is not None else ""
    lease = f" (lease epoch {found.worker_epoch})" if found.worker_epoch else ""
    return f"Worker running with pid {found.worker_pid}{lease}{since}."


def _position(found: OutboxStatus) -> str:
    sentence = f"The log is followed up to position {found.position}"
    if not found.lag_events:
        return f"{sentence}, its end."
    return f"{sentence} of {found.tip}: {many(found.lag_events, 'event')} and {span(found.lag_ms)} behind."


def _counts(found: OutboxStatus) -> str:
    return (
        f"{found.pending} waiting, {found.queued} queued, {found.sending} being sent, {found.delivered} delivered,"
        f" {found.dead} dead letters, {found.cancelled} cancelled."
    )


def _push(push: PushStatus) -> str:
    dropped = ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in push.dropped.items())
    return (
        f"Notifications: {push.waiting + push.pending} waiting, {push.sending} being sent,"
        f" {push.delivered} delivered, {sum(push.dropped.values())} dropped{f' ({dropped})' if dropped else ''}."
    )


def endpoint_lines(each: EndpointStatus) -> list[str]:
    state = f"{each.state}: {shown(each.why.rstrip('.'))}" if each.why else each.state
    lines = [f"{addressee(each.kind, each.name, each.url)}  [{each.id}]", f"  {state}; {_backlog(each)}"]
    if each.breaker == "open" and each.breaker_until is not None:
        lines.append(
            f"  breaker open until {moment(each.breaker_until)} after {many(each.failures, 'failure')} in a row"
        )
    elif each.breaker == "half-open":
        lines.append(f"  breaker half-open after {many(each.failures, 'failure')} in a row: one probe goes next")
    if each.failing_since is not None:
        lines.append(f"  nothing but failures since {moment(each.failing_since)}")
    if each.last_failure is not None:
        last = each.last_failure
        lines.append(f"  last failure {moment(last.at)}: {last.failure_class} ({shown(last.detail)})")
    return lines


def _backlog(each: EndpointStatus) -> str:
    dead = f"; {many(each.dead, 'dead letter')}" if each.dead else ""
    if not each.waiting and not each.sending:
        if each.lag_events:
            return f"{many(each.lag_events, 'event')} still to be looked at, {span(each.lag_ms)} behind{dead}"
        return f"nothing waits{dead}"
    parts = [f"{each.pending} waiting"]
    parts += [f"{count} {word}" for count, word in ((each.queued, "queued"), (each.parked, "parked")) if count]
    parts += [f"{each.sending} being sent"] if each.sending else []
    return f"{many(each.lag_events, 'event')} and {span(each.lag_ms)} behind ({', '.join(parts)}){dead}"


def _advice(found: OutboxStatus) -> list[str]:
    advice = []
    if not found.worker_alive:
        advice.append("campfire-outbox run    (the server runs one by itself, unless CAMPFIRE_OUTBOX=external)")
    for each in found.endpoints:
        if each.state in ("paused", "disabled") and each.kind == "webhook":
            advice.append(f"campfire-outbox endpoints resume {each.id}    when its receiver is well again")
        if each.oldest is not None and (each.breaker != "closed" or each.parked):
            advice.append(f"campfire-outbox explain {each.oldest}    why it waits")
        if each.dead:
            advice.append(f"campfire-outbox dead-letters list --webhook {each.id}    what was given up")
    if found.dead:
        advice.append("campfire-outbox dead-letters replay --all --dry-run    what would be sent again")
    return advice
