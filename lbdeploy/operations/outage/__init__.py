"""Measuring an outage: as clients see it, by probes and streams, and as nodes see it, by VIPs and VRRP states."""
