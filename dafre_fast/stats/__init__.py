"""The command `stats`: count and plot the images and tags of a table."""
