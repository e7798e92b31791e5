"""Measure what Campfire reaches on this machine, and beside it what the machine allows."""
