"""Campfire over HTTP and WebSocket."""
