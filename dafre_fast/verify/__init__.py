"""`verify`: check that a dataset is complete and as it was recorded."""
