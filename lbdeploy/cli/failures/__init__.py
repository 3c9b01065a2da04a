"""What is shown of what went wrong, besides the message: the place in a file, the usage of a command, a log."""
