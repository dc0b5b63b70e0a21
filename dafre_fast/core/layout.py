"""Where files stand, and how they come to stand there: whole, or not at all."""

ORIGINALS, FULL, FACES, LABELS = "original", "fullMin256", "faces", "labels"
SMALL = "512px"
"""Danbooru's own tree of images of at most 512 pixels, beside that of originals."""
MANIFEST = "manifest.parquet"
BAD_ROWS = "bad_rows.csv"
BAD_RECORDS = "bad_records.csv"
STATISTICS = "stats"
PACKS = "packs"
SHARDS = f"{PACKS}/webdataset-both"
"""Shards of both images: where there are no trees, these stand for them."""
REPORT = "report"
AUDIT = "audit"
EXCLUDE, AUDIT_SUMMARY = "exclude.csv", "summary.json"
FUNNEL, TAGS_FUNNEL = "funnel.json", "tags_funnel.json"
STATE = ".dafre_fast"
"""Folder for what a run must remember: the ledger. Where an output is a tree of images alone, the
list of bad rows stands there too, so that it is not taken for one of them.
"""


def bucket(image_id: int) -> str:
    """Return the folder of an id in every tree of Danbooru: `id % 1000` with four digits."""
    return f"{image_id % 1000:04d}"


def image_path(image_id: int, extension: str = "jpg") -> str:
    """Return the path of an id in every tree of Danbooru: `0446/332446.jpg`."""
    return f"{bucket(image_id)}/{image_id}.{extension}"
