"""What `campfire-outbox` can do, a module for each concern."""
