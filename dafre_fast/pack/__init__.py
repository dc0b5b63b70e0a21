"""Pack a dataset into archives, shards, Parquet or a Hugging Face folder.

Every file is compared with its recorded SHA-256 first. The same images give the same bytes.
"""
