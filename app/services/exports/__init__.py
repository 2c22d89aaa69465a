"""Exports of whole records for other systems.

The room is kept: nothing stands in it yet.
"""
