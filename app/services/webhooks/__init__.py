"""Webhooks: the events of the feed, sent to the systems that keep copies."""
