"""What a keepalived.conf that somebody wrote becomes in hosts.toml."""
