"""Offline checks of what would be written."""
