"""The dataset on disk or in an object store: ledger, outcomes, parts, manifest, places of pictures,
spools, shards, locks.
"""
