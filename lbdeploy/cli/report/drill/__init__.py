"""What people see of a drill: a timeline, and a page."""
