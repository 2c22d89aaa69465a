"""What the API says of itself is what it does."""
