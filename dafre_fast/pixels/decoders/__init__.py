"""Decoders: the bytes of one format become rows of pixels."""
