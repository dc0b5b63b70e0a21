"""A dataset on disk or in an object store: ledger, outcomes, manifest, places, spools, shards."""
