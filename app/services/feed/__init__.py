"""The feed of events, and webhooks.

The room is kept: nothing stands in it yet.
"""
