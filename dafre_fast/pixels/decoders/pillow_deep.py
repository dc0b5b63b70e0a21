"""Pillow for more than 8 bits a channel: the last resort, for what libvips does not read."""

from dafre_fast.pixels.decoders.pillow import decode, read_deep_header

read_header = read_deep_header

__all__ = ["decode", "read_header"]
