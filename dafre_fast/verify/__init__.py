"""Check that everything is there and as it was recorded.

Files are compared with manifest and ledger, labels with the manifest, and the manifest with the
ledger. The exit status is 1 if anything differs.
"""
