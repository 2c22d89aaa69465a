"""Passwords, one-time secrets, access tokens and sealed bytes: passlib and jose are imported here alone."""
