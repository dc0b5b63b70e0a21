"""The `stats` command: count and plot the images, tags and classes of a table.

It counts formats, sizes, tags, words and classes, and writes text, JSON, Parquet and plots.
"""
