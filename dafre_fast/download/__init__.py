"""`download`: fetch the originals of a table."""
