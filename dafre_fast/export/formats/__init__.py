"""Formats of exports: one file each."""
