"""What a change means for VRRP: the nodes before and after it, and how peers come to agree on it."""
