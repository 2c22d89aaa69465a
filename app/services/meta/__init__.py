"""What the API says of itself, read from its schemas and manifests."""
