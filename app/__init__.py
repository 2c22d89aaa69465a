"""Hội Số."""

import gc

# Before anything else is loaded, which stays: walking it again and again was a fifth of the start
# (docs/decisions/0029).
gc.set_threshold(10_000, 20, 50)
