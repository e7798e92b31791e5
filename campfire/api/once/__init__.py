"""The bot API of ONCE Campfire, kept as it is, so that a bot works when only its host changes.

The key in the address is the only credential, and short numbers are the ids. Not in OpenAPI, which cannot
describe either; docs/api.md does.
"""

from campfire.api.once.routes import add_routes

__all__ = ["add_routes"]
