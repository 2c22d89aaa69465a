"""Sync with phones: a plan, operations, a verdict for each (empty so far)."""
