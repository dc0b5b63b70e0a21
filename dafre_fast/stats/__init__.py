"""Count and draw what a table of images and their tags holds.

Formats, sizes, tags, words and classes are counted; text, JSON, Parquet and plots are written.
"""
