"""`labels`: write the label files of faces.tsv; no image is needed."""
