"""Work on the servers behind the VIPs."""
