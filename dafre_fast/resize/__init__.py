"""`resize`: make full images of a tree of originals."""
