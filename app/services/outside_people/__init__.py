"""People who are not members: partners, guests, beneficiaries (empty so far)."""
