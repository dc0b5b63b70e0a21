"""Files in which a dataset is handed on: written so that the same images give the same bytes."""
