"""Write tables of clean tags from Danbooru's metadata; no image is needed.

It cleans the tags of the metadata and writes those of the labelled images.
"""
