"""Campfire: team chat on your own server, kept as an append-only log of events."""

__version__ = "0.1.0"
