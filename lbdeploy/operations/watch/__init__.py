"""Looking at clusters again and again: what nodes are now, what has changed, and how numbers went."""
