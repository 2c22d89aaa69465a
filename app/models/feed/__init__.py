"""The feed of events: what followers ask for and get."""
