"""Handovers: planned moves of the VIPs."""
