"""Transports: how the bytes of an address arrive (HTTP, object stores, files)."""
