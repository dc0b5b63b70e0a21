"""The embedded sample: drawn originals, their tables, and a small server for them.

Everything follows from one seed, so that the same sample comes out everywhere.
"""

from dafre_fast.sample.serving import served_sample

__all__ = ["served_sample"]
