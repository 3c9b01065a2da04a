"""What is wrong with a hosts.toml, for people: where it stands, which of it follows from the rest, and its repair."""
