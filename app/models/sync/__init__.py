"""Sync with phones."""
