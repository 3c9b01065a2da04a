"""What people are told about the servers behind the VIPs."""
