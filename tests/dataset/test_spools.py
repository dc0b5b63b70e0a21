"""Spools: pictures behind each other on their way into shards."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import polars as pl
import pytest

from dafre_fast.core.layout import SHARDS, STATE
from dafre_fast.core.records import Made, MadeOutput
from dafre_fast.core.settings.images import FULL_IMAGE, HEAD_CROP
from dafre_fast.dataset.ledger import NAME, Ledger
from dafre_fast.dataset.outcomes import last_outcomes
from dafre_fast.dataset.spools import Spools, all_places, clear_spools, find

OUTPUTS = (FULL_IMAGE, HEAD_CROP)
FOLDER = f"{STATE}/spools"
ASKED = pl.DataFrame({"id": range(10), "split": ["train"] * 7 + ["val"] * 3})


def output(name: str, data: bytes) -> MadeOutput:
    return MadeOutput(name, 1, 1, len(data), sha256(data).hexdigest())


def put(ledger: Ledger, spool: Path, image: int) -> None:
    """As a worker puts both pictures of an image at the end of a spool."""
    full, face = f"full {image}".encode(), f"the face of {image}".encode()
    with spool.open("ab") as file:
        offset = file.seek(0, 2)
        file.write(full + face)
    outputs = (output("full", full), output("face", face))
    ledger.append(Made(str(image), outputs=outputs, spool=spool.name, offset=offset))


@pytest.fixture
def dataset(tmp_path) -> Path:
    """Images 1 to 3 in two spools."""
    folder = tmp_path / FOLDER
    folder.mkdir(parents=True)
    with Ledger(tmp_path / STATE) as ledger:
        for image, spool in ((1, "train-00000-a"), (2, "train-00000-a"), (3, "train-00001-a")):
            put(ledger, folder / spool, image)
    return tmp_path


def recorded(dataset: Path) -> pl.DataFrame:
    """As the manifest has it."""
    made = last_outcomes(dataset / STATE / NAME, "make")
    return made.with_columns(id=pl.col("key").cast(pl.Int64)).collect()


def read(dataset: Path, name: str) -> Iterator[bytes]:
    pictures = Spools(dataset, 3).pictures(recorded(dataset))
    kind = {"full": FULL_IMAGE, "face": HEAD_CROP}[name]
    for image in (1, 2, 3):
        yield pictures.place(kind, image).read(dataset)


def shard_of(dataset: Path, *images: int) -> Path:
    """A shard and the table beside it, in which full images and faces of these images lie."""
    archive = dataset / SHARDS / "train/00000.tar"
    archive.parent.mkdir(parents=True, exist_ok=True)
    rows, data = [], b""
    for row in recorded(dataset).filter(pl.col("id").is_in(images)).iter_rows(named=True):
        full, face = f"full {row['id']}".encode(), f"the face of {row['id']}".encode()
        begins = {"offset": len(data) + 5, "face_offset": len(data) + 5 + len(full)}
        rows.append(row | begins)
        data += b"/////" + full + face
    archive.write_bytes(data)
    pl.DataFrame(rows, infer_schema_length=None).write_parquet(archive.with_suffix(".parquet"))
    for ending in (".json", "_stats.json"):
        archive.with_name(f"00000{ending}").write_text("{}")
    return archive


def test_images_of_a_shard_share_a_spool(tmp_path) -> None:
    asked = Spools(tmp_path, 3).assigned(ASKED)
    shared = asked.group_by("split", "spool").len().sort("split", "len")
    assert shared.select("split", "len").rows() == [
        ("train", 1), ("train", 3), ("train", 3), ("val", 3),
    ]  # fmt: skip
    assert {Path(spool).parent for spool in asked["spool"]} == {tmp_path / FOLDER}
    assert (tmp_path / FOLDER).is_dir()


def test_two_runs_never_have_a_spool_of_the_same_name(tmp_path) -> None:
    first, second = ({*Spools(tmp_path, 3).assigned(ASKED)["spool"]} for _ in range(2))
    assert not first & second


def test_pictures_are_read_where_the_ledger_says_that_they_lie(dataset) -> None:
    assert [*read(dataset, "full")] == [b"full 1", b"full 2", b"full 3"]
    assert [*read(dataset, "face")] == [b"the face of 1", b"the face of 2", b"the face of 3"]


def test_in_a_spool_that_is_too_short_nothing_lies(dataset) -> None:
    spool = dataset / FOLDER / "train-00000-a"
    spool.write_bytes(spool.read_bytes()[:-1])
    assert sorted(find(dataset, recorded(dataset))["id"]) == [1, 3]


def test_what_lies_there_with_other_hashes_than_are_recorded_is_not_found(dataset) -> None:
    other = pl.when(pl.col("id") == 2).then(pl.lit("ab")).otherwise("face_sha256")
    changed = recorded(dataset).with_columns(face_sha256=other)
    assert sorted(find(dataset, changed)["id"]) == [1, 3]


def test_pictures_are_read_from_the_shard_once_they_are_in_one(dataset) -> None:
    shard_of(dataset, 1, 2, 3)
    clear_spools(dataset)
    assert not (dataset / FOLDER).exists()
    assert [*read(dataset, "face")] == [b"the face of 1", b"the face of 2", b"the face of 3"]


def test_a_shard_that_is_to_be_written_anew_becomes_a_spool(dataset) -> None:
    archive = shard_of(dataset, 1, 2, 3)
    data = archive.read_bytes()
    clear_spools(dataset)
    Spools(dataset, 3).take(archive)
    assert [*archive.parent.iterdir()] == []
    (spool,) = (dataset / FOLDER).glob("*.tar")
    assert spool.read_bytes() == data
    assert [*read(dataset, "full")] == [b"full 1", b"full 2", b"full 3"]


def test_a_shard_without_its_table_is_removed_since_nothing_can_be_found_in_it(dataset) -> None:
    archive = shard_of(dataset, 1)
    archive.with_suffix(".parquet").unlink()
    Spools(dataset, 3).take(archive)
    assert [*archive.parent.iterdir()] == []
    assert [*(dataset / FOLDER).glob("*.tar")] == []


def test_a_picture_may_lie_in_a_spool_and_in_a_shard(dataset) -> None:
    shard_of(dataset, 2)
    made = last_outcomes(dataset / STATE / NAME, "make")
    places = all_places(dataset, made, OUTPUTS)
    assert sorted(places["id"]) == [1, 2, 2, 3]
    assert sorted(find(dataset, recorded(dataset))["id"]) == [1, 2, 3]


def test_each_spool_is_needed_by_the_parts_that_are_written_from_it(dataset) -> None:
    spools = Spools(dataset, 3)
    rows = recorded(dataset)
    spools.pictures(rows)
    parts = [rows.filter(pl.col("id").is_in(ids)) for ids in ([1], [2, 3], [])]
    assert spools.needed_by(parts) == {
        dataset / FOLDER / "train-00000-a": {0, 1},
        dataset / FOLDER / "train-00001-a": {1},
    }
