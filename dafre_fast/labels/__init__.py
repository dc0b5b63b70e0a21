"""The command `labels`: write label files from faces.tsv. It needs no images."""
