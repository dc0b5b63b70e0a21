"""Serve a finished dataset to a browser.

Images are found by class, tag, split, size and status.
"""
