"""Sync with the phones: a plan, operations, a verdict for each.

The room is kept: nothing stands in it yet.
"""
