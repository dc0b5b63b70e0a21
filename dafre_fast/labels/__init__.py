"""Write label files from faces.tsv; no image is needed.

The heads that are sure enough are kept, split as published, and listed by class.
"""
