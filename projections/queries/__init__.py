"""What the API asks of the read models."""
