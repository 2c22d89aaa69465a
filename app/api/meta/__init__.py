"""What the API says of itself over HTTP."""
