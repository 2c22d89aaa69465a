"""The peer: the same endpoints as most teams would write them in Django REST Framework."""
