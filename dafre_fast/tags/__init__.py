"""Write tables of tags from Danbooru's metadata; no image is needed.

The tags of the metadata are cleaned, and those of the images in the labels are written.
"""
