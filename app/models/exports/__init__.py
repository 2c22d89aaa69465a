"""Exports of whole records: what was asked for, and the files that were made."""
