"""Buckets need the extra `s3`, which `make install-test` brings."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("obstore") else ["test_in_a_bucket.py", "test_stores.py"]
