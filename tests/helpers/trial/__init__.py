"""A capability of the tests: all that one may bring, in its own folders (tests/kernel/test_trial.py)."""
