"""Web Push: tells people's devices of messages (RFC 8030, 8188, 8291, 8292)."""
