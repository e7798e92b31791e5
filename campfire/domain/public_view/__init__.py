"""What of an event may be seen, and by whom. The feed and webhooks show the same view.

Written out event by event, in the module of its kind: a field that is not named there never leaves the server.
"""

from campfire.domain.events import Event
from campfire.domain.public_view import integrations, messages, people, rooms
from campfire.domain.public_view.audience import NOBODY, Audience, Audiences
from campfire.domain.public_view.views import View, Views

__all__ = ["NOBODY", "Audience", "View", "audience_of", "public_view"]

_VIEWS: Views = {**people.VIEWS, **rooms.VIEWS, **messages.VIEWS, **integrations.VIEWS}
_AUDIENCES: Audiences = {**people.AUDIENCES, **rooms.AUDIENCES, **messages.AUDIENCES, **integrations.AUDIENCES}


def public_view(event: Event) -> View | None:
    """The part of an event that clients and webhook receivers see; None for private facts."""
    view = _VIEWS.get(type(event))
    return None if view is None else view(event)


def audience_of(event: Event) -> Audience:
    """Who may see `public_view(event)`."""
    audience = _AUDIENCES.get(type(event))
    return NOBODY if audience is None else audience(event)
