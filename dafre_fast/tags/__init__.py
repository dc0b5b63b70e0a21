"""The `tags` command: write tables of tags from Danbooru's metadata, without any image.

It cleans the tags of the metadata and writes those of the labelled images.
"""
