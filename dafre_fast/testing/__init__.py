"""A server for tests that shows every fault a server of originals can have. Not in the wheel."""
