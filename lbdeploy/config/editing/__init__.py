"""Changing a hosts.toml that somebody wrote: comments and order stay."""
