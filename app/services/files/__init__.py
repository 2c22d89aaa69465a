"""Files that belong to records: photos, documents (empty so far)."""
