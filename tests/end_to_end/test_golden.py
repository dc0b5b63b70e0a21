"""The bytes of small outputs, compared with those on record in `golden.json`.

Tables of tags are kept, and shards of packs too, by whoever has some of the same revision: who
changes what they hold has to raise that number. With RECORD_GOLDEN=1 in the environment the bytes
as they are now go on record.

Of Parquet, whose bytes depend on polars, and of what is compressed, the content is compared.
"""

import base64
import gzip
import hashlib
import json
import os
from pathlib import Path

import polars as pl
import pytest

from dafre_fast.core.events import silent
from dafre_fast.core.layout import FACES, FULL, MANIFEST, PACKS
from dafre_fast.core.settings.tables import Selection, Splitting
from dafre_fast.core.settings.tags import TagSteps
from dafre_fast.labels.run import labels
from dafre_fast.pack.part import REVISION as PACK
from dafre_fast.pack.run import pack
from dafre_fast.pack.settings import PackRun
from dafre_fast.stats.run import stats
from dafre_fast.stats.settings import Plotting, StatsRun
from dafre_fast.tags.receipt import _REVISION as TAGS
from dafre_fast.tags.run import tags
from dafre_fast.tags.settings import TagsRun
from tests.datasets_drawn import draw_dataset, path_of

RECORD = Path(__file__).with_name("golden.json")
JPEG = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAFA3PEY8MlBGQUZaVVBfeMiCeG5uePWvuZHI////////////////////////"
    "////////////////////////////wAALCAAIAAgBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAAAP/EABQQAQAAAAAAAAAA"
    "AAAAAAAAAAD/2gAIAQEAAD8AP//Z"
)
"""Eight by eight pixels, the same whatever encoder there is."""


def contents(path: Path) -> bytes:
    match path.suffix:
        case ".parquet":
            table = pl.read_parquet(path)
            return repr((table.schema, table.rows())).encode()
        case ".gz":
            return gzip.decompress(path.read_bytes())
        case _:
            return path.read_bytes()


def digests(folder: Path) -> dict[str, str]:
    """Return a digest by path of each file that is not hidden and not made of other files."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(contents(path)).hexdigest()[:16]
        for path in sorted(folder.rglob("[!.]*.*"))
        if path.is_file() and "/." not in str(path.relative_to(folder.parent))
    }


def compare(name: str, revision: int | None, folder: Path) -> None:
    found = {"revision": revision, "files": digests(folder)}
    record = json.loads(RECORD.read_text())
    if "RECORD_GOLDEN" in os.environ:
        RECORD.write_text(json.dumps(record | {name: found}, indent=1, sort_keys=True) + "\n")
        pytest.skip(f"{name}: recorded")
    kept = record[name]
    changed = {file for file, _ in kept["files"].items() ^ found["files"].items()}
    assert not changed or kept["revision"] != revision, (
        f"{sorted(changed)} of {name} changed: where that is meant, raise the revision, if there is"
        " one, and record them with RECORD_GOLDEN=1"
    )
    assert found == kept, f"{name} has a new revision: record it with RECORD_GOLDEN=1"


def write_tables(folder: Path) -> None:
    """Write faces.tsv, tagIds.tsv and posts.json: 60 images of three classes, some rows bad."""
    ids = [(number * 7919) % 100_003 for number in range(60)]
    faces = [
        f"{one % 1000:04d}\\{one}.jpg\t{10 + number % 3}\t0.1, 0.2, 0.5, 0.{5 + number % 4}5 0.9\n"
        for number, one in enumerate(ids)
    ]
    (folder / "faces.tsv").write_text("".join([*faces[:20], "no row\n", *faces[20:], faces[3]]))
    names = 'aoi_(sample)\t10\n"quoted",_they_say\t11\nmidori/ao\t12\n\t13\n'
    (folder / "tagIds.tsv").write_text(names)
    posts = [json.dumps(post(number, one)) for number, one in enumerate(ids)]
    (folder / "posts.json").write_text("\n".join([*posts, "{", posts[5]]))


def post(number: int, image: int) -> dict[str, object]:
    general = ["1girl", "long_hair", "6+girls", "\\m/", "あ_い", "it's", f"rare_{number}"]
    shown = {"id": str(image), "rating": "seqs"[number % 4], "file_ext": "jpg"}
    size = {"image_width": 500 + number % 7, "image_height": "600", "is_deleted": number % 11 == 4}
    if number % 2:
        names = " ".join(general[: number % 8])
        return shown | size | {"tag_string_general": names, "tag_string_copyright": "a_series"}
    tags = [{"name": name, "category": "0"} for name in general[: number % 6]]
    return shown | size | {"tags": [*tags, {"name": "aoi", "category": "4"}]}


@pytest.fixture
def tables(tmp_path, monkeypatch) -> Path:
    """The folder of the tables, in which commands run: paths in their outputs are short."""
    write_tables(tmp_path)
    monkeypatch.chdir(tmp_path)
    selection = Selection(min_confidence=0.5, min_images=5, max_bad_rows=0.5)
    labels(Path("faces.tsv"), Path("tagIds.tsv"), Path("labels"), selection, Splitting(), silent)
    return tmp_path


def test_label_files_have_the_bytes_on_record(tables):
    compare("labels", None, tables / "labels")


def test_tables_of_tags_have_those_of_their_revision(tables):
    run = TagsRun(metadata=(Path("posts.json"),), labels=(Path("labels"),), output=Path("tags"))
    tags(run, TagSteps(max_bad_records=0.5))
    compare("tags", TAGS, tables / "tags")


def test_statistics_of_tables_have_the_bytes_on_record(tables):
    run = StatsRun(input=(Path("posts.json"),), output=Path("stats"), max_bad_rows=0.5)
    stats(run, Plotting(plots=False))
    compare("stats", None, tables / "stats")


@pytest.mark.parametrize("format", ["tar", "webdataset", "parquet", "hf"])
def test_packs_have_those_of_their_revision(tmp_path, format):
    folder = tmp_path / "dafre"  # whose name is the title of the card
    folder.mkdir()
    dataset = draw_dataset(folder)
    size, sha256 = len(JPEG), hashlib.sha256(JPEG).hexdigest()
    manifest = pl.read_parquet(dataset / MANIFEST)
    same = {"bytes": size, "face_bytes": size, "sha256": sha256, "face_sha256": sha256}
    made = pl.col("sha256").is_not_null()
    fixed = (pl.when(made).then(pl.lit(one)).alias(name) for name, one in same.items())
    manifest.with_columns(*fixed).cast(manifest.schema).write_parquet(dataset / MANIFEST)
    for image in manifest.filter(made)["id"]:
        for tree in (FULL, FACES):
            (dataset / tree / path_of(image)).write_bytes(JPEG)
    pack(PackRun(output=dataset, format=format, shard_size=4))
    compare(f"pack {format}", PACK, dataset / PACKS)
