"""What one node is: how it is observed, and what its daemons say."""
