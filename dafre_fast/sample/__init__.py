"""The embedded sample: drawn originals, their tables, and a small server for them.

Everything follows from one seed: the sample is the same on every machine.
"""

from dafre_fast.sample.serving import served_sample

__all__ = ["served_sample"]
