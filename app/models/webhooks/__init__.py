"""Webhooks: where events are sent to, and what became of each try."""
