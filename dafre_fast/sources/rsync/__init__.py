"""Originals from an rsync daemon."""
