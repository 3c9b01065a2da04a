"""hosts.toml: read, checked, and made into a `Cluster`."""
