"""Frozen records, closed enums, exceptions and settings; imports nothing of this package."""
