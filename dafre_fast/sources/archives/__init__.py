"""Archives as a source: tar and zip files, local or remote, read by range."""
