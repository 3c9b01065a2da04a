"""`doctor`: every preflight check at once."""
