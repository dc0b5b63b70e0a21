"""Decoders: a module per library or fast lane, and the registry of formats that they read."""
