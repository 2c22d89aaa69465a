"""Exports of whole records over HTTP."""
