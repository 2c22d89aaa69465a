"""Reorganisations of units: one dated act, previewed and reversible.

The room is kept: nothing stands in it yet.
"""
