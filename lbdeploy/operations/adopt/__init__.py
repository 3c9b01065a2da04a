"""Reading a pair that was built by hand, and saying what hosts.toml does the same."""
