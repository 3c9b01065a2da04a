"""What each command does on the nodes."""
