"""Label files in the published form: no header, no quoting, `class_id,path` and `class_id,name`."""

from pathlib import Path

import polars as pl

from dafre_fast.model.files import replacing
from dafre_fast.tables.catalogue import SPLITS


def write_labels(kept: pl.DataFrame, folder: Path) -> None:
    """Write train.csv, val.csv, test.csv and classid_classname.csv into `folder`.

    `kept` is `Catalogue.kept`. Raises OutputError where the folder cannot be written.
    """
    for split in SPLITS:
        _write(kept.lazy().filter(split=split).select("class_id", "path"), folder / f"{split}.csv")
    classes = kept.lazy().select("class_id", "class_name").unique(maintain_order=True)
    _write(classes, folder / "classid_classname.csv")


def _write(rows: pl.LazyFrame, path: Path) -> None:
    # Names with commas or quotes stand as they are: the second field runs to the end of the line.
    with replacing(path) as temporary:
        rows.collect().write_csv(temporary, include_header=False, quote_style="never")
