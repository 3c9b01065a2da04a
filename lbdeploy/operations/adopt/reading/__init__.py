"""The files of a node, read as the daemons themselves read them."""
