"""The feed of events, and webhooks (empty so far)."""
