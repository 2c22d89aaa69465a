"""The feed of events: what has happened to the rows of the union, for systems that keep copies."""
