"""List the files of a mirror that splits need, as rsync takes them.

The images of label files are looked up in the mirror's list of files. With --source they are
fetched as well.
"""
