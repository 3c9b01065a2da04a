"""What a haproxy.cfg that somebody wrote becomes in hosts.toml."""
