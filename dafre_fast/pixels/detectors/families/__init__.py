"""A file per family of detectors: which outputs it has, and how they are read."""
