"""`tags`: write tables of clean tags from Danbooru's metadata; no image is needed."""
