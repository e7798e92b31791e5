"""What the server does by itself, in the background: it takes away what has to go."""
