"""The outbox: turns events of the log into webhook deliveries, in a process and a database of its own."""
