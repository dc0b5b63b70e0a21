"""Make a whole dataset: tables, originals, images, head crops, manifest, report.

Without --faces, --tag-ids and --source a small sample is drawn and served on this machine.
"""
