"""What the Kubernetes cluster says of its own API servers, beside hosts.toml."""
