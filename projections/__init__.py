"""Read models: everything that can be shown, derived from the log and made again from it at will."""

from projections import (
    account,
    attachments,
    boosts,
    bots,
    email_claims,
    imports,
    link_previews,
    memberships,
    mentions,
    messages,
    presences,
    push_subscriptions,
    read_positions,
    rooms,
    saved_messages,
    search,
    searches,
    sessions,
    sign_in_links,
    thread_reads,
    users,
    webhooks,
)
from projections.projection import Projection

ALL: tuple[Projection, ...] = (
    account.PROJECTION,
    users.PROJECTION,
    bots.PROJECTION,
    email_claims.PROJECTION,
    sessions.PROJECTION,
    sign_in_links.PROJECTION,
    rooms.PROJECTION,
    memberships.PROJECTION,
    presences.PROJECTION,
    messages.PROJECTION,
    mentions.PROJECTION,  # after messages: it finds an edited message's position there
    boosts.PROJECTION,
    attachments.PROJECTION,
    link_previews.PROJECTION,
    saved_messages.PROJECTION,
    thread_reads.PROJECTION,
    searches.PROJECTION,
    read_positions.PROJECTION,
    webhooks.PROJECTION,
    push_subscriptions.PROJECTION,  # after sessions: it asks there whether one is over
    imports.PROJECTION,
    search.PROJECTION,  # after messages: it finds a message's position there
)
