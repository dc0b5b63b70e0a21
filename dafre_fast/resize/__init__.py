"""Make a full image of every original in a folder or list.

The relative paths of the originals are kept; bytes of names that are not UTF-8 become `\\xhh`. With
--table, outputs are named by ids, as those of `full`.
"""
