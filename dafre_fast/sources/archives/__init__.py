"""Originals from tar and zip archives, local or remote."""
