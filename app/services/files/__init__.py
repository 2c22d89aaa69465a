"""Files that belong to records: photos, documents.

The room is kept: nothing stands in it yet.
"""
