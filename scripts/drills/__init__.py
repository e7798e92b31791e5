"""Drills: Campfire is broken on purpose, again and again, and has to prove that it held. See `scripts/drill`."""
