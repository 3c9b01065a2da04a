"""What the nodes should have, in which order they are changed, and what is refused before."""
