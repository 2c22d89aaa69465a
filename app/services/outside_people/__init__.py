"""People who are no members: partners, guests, beneficiaries.

The room is kept: nothing stands in it yet.
"""
