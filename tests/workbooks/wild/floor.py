"""What is reached: it only rises. `python -m benchmarks.workbooks --wild` prints the figures."""

# Right at once, and once all that is proposed was accepted; percent of the rows, by set of books.
RIGHT = {
    "fixed": (100.0, 100.0),
    "held out": (99.1, 100.0),
    "unseen": (100.0, 100.0),
    "unseen again": (100.0, 100.0),
    "unseen third": (97.9, 97.9),
    "unseen fourth": (93.3, 100.0),
    "unseen fifth": (100.0, 100.0),
}
# When the reader met them first, at once / accepted / silently wrong: "unseen" 27.2 / 27.2 / 1.3,
# "unseen again" 69.0 / 69.0 / 2.8, "unseen third" 49.7 / 49.7 / 1.3, "unseen fourth"
# 43.8 / 45.4 / 14.2, "unseen fifth" (the lists that one would most probably be given) 85.3 / 85.6 / 0.4.

# Books of which rows are still wrong or lost without a sign. The aim is none.
SILENT: frozenset[str] = frozenset()
