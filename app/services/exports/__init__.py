"""Exports of whole records for other systems."""
