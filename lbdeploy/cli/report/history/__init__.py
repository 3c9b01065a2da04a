"""What people see of a cluster's past: a table, and a page."""
