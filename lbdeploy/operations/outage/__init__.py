"""Measuring an outage as clients and nodes see it."""
