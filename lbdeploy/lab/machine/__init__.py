"""The hosts of a lab: nodes, servers, their network and their keys."""
