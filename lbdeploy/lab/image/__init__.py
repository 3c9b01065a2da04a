"""The disk image under the lab's nodes, and its packages."""
