"""Make a whole dataset: tables, originals, images, head crops, manifest, report.

Heads are those of --faces, or --detector finds them in the originals of --metadata. Without inputs
a small sample is drawn and served on this machine. With --table, options of img2dataset are
understood under their names.
"""
