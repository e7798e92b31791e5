"""The append-only log: what was acknowledged, in the order in which it happened."""
