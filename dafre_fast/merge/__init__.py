"""Join the parts of a run (--part) to the dataset that one run makes.

The ledgers of the parts become one, then manifest, shards and report are written. Parts that went
into an object store are merged there: no shard is moved. Nothing is made again, and it can be
repeated.
"""
