"""Find heads with a detector, and write faces.tsv and tagIds.tsv.

The posts with exactly one character tag are taken from Danbooru's metadata, their originals are
searched for heads, and those with exactly one head become rows.
"""
