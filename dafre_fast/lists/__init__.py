"""The command `lists`: find the images of label files in a mirror, for rsync or to download."""
