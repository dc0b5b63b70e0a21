"""Servers for tests: every fault that a server of originals can show. Not in the wheel."""
