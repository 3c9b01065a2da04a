"""Logging in as `ssh` would, and running scripts on many nodes at once."""
