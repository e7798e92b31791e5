"""Exports: a person's own data, a room, or the whole account, as files that can be read and brought back."""
