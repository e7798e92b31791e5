"""What people attach: stored by its content, named and typed so that no browser runs it, and made small to look at."""
