"""Fetch the originals of the kept rows of faces.tsv."""
