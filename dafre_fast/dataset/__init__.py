"""The dataset on disk: ledger, outcomes, manifest, places of pictures, spools, shards, locks."""
