"""What a node's firewall does with a packet, by its rules."""
