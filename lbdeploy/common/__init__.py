"""What every package may use: quoting for shells, masking of secrets, start-up, the version."""
