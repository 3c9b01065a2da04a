"""hosts.toml as a command reads it: its text, and its cluster, which is parsed anew only where it has changed."""
