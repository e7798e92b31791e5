"""The rules of chat: events, and decisions that turn a command plus state into events. No I/O, no clock, no chance."""
