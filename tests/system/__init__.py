"""Tests that need programs of the operating system: `make system-test`, not `make test`."""
