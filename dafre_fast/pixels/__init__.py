"""Pixels: bytes and settings to encoded outputs. No paths, no network, no processes."""
