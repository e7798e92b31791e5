"""Read models: everything that can be shown, derived from the log and made again from it at will."""

from projections import (
    account,
    imports,
    memberships,
    messages,
    presences,
    read_positions,
    rooms,
    search,
    sessions,
    users,
    webhooks,
)
from projections.projection import Projection

ALL: tuple[Projection, ...] = (
    account.PROJECTION,
    users.PROJECTION,
    sessions.PROJECTION,
    rooms.PROJECTION,
    memberships.PROJECTION,
    presences.PROJECTION,
    messages.PROJECTION,
    read_positions.PROJECTION,
    webhooks.PROJECTION,
    imports.PROJECTION,
    search.PROJECTION,  # after messages: it finds a message's position there
)
