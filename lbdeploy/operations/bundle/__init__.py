"""Everything that a colleague needs to help, in one archive. Nothing in it has not passed `common.sanitize`."""
