"""A dataset on disk or in an object store: ledger, outcomes, parts, manifest, places, shards."""
