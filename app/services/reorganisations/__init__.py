"""Reorganisations of units: one dated act, previewed and reversible (empty so far)."""
