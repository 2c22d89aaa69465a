"""Exports of whole records for other systems (empty so far)."""
