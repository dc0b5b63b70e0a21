"""Transports read objects by address: over HTTP, from object stores, from files."""
