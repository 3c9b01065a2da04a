"""Findings about a running cluster: VIPs, servers, and the verdict."""
