"""The command `tags`: write tables of clean tags from Danbooru's metadata. It needs no images."""
