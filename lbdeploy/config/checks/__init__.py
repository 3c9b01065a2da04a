"""What must hold between the tables of hosts.toml, once each is well-formed by itself."""
