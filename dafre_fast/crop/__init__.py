"""`crop`: cut the heads out of a tree of originals."""
