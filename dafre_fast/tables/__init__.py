"""Tables as polars frames: faces.tsv, tagIds.tsv, label files, metadata, posts and bad rows."""
