"""Names of the files and folders of a dataset, and the paths of images in its trees."""

ORIGINALS, FULL, FACES, LABELS = "original", "fullMin256", "faces", "labels"
SMALL = "512px"
"""Danbooru's tree of images of at most 512 pixels a side, beside its tree of originals."""
MANIFEST = "manifest.parquet"
BAD_ROWS = "bad_rows.csv"
BAD_RECORDS = "bad_records.csv"
STATISTICS = "stats"
PACKS, EXPORTS = "packs", "exports"
SHARDS = f"{PACKS}/webdataset-both"
"""Shards with the full image and the head crop of each original. A dataset may have these in place
of trees.
"""
REPORT = "report"
AUDIT = "audit"
HEADS, HEADS_TABLE = "heads", "heads.parquet"
"""The folder of the tables of heads that a detector found for a dataset, and the one of all boxes
in it."""
BOXES = "boxes.parquet"
"""The record of the head box of every crop, in the folder of the ledger."""
EXCLUDE, AUDIT_SUMMARY = "exclude.csv", "summary.json"
DETECTOR = "detector.json"
FUNNEL, TAGS_FUNNEL = "funnel.json", "tags_funnel.json"
STATE = ".dafre_fast"
"""Folder of the ledger and other records of runs. If an output folder is nothing but a tree of
images, the list of bad rows goes here too, so that nobody takes it for an image.
"""


def bucket(image_id: int) -> str:
    """Return the folder of an id in every tree of Danbooru: `id % 1000` with four digits."""
    return f"{image_id % 1000:04d}"


def image_path(image_id: int, extension: str = "jpg") -> str:
    """Return the path of an id in every tree of Danbooru: `0446/332446.jpg`."""
    return f"{bucket(image_id)}/{image_id}.{extension}"
