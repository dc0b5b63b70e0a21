"""A file per library that runs networks; each has `load`."""
