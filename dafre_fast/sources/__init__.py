"""Sources: from an image id to its original on disk. One file per kind of source."""
