"""The formats of packs by their names: one row each."""

from collections.abc import Mapping

from dafre_fast.pack.formats import archives, huggingface, img2dataset, parquet, webdataset
from dafre_fast.pack.part import Format

FORMATS: Mapping[str, Format] = {
    "tar": archives.FORMAT,
    "webdataset": webdataset.FORMAT,
    "parquet": parquet.FORMAT,
    "hf": huggingface.FORMAT,
    "img2dataset": img2dataset.FORMAT,
}
"""Formats by the values of `PackRun.format`."""
