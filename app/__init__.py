"""Hội Số."""

import gc

# Before anything else is loaded, which stays for ever: walking it again and again was a fifth of
# the start, and of the time of a request at the 99th percentile (docs/decisions/0005).
gc.set_threshold(10_000, 20, 50)
