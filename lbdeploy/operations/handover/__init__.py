"""Planned moves of the VIPs."""
