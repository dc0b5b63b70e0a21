"""Originals of a run: files on the disk first, then a real source for the others."""

import asyncio
import io
import tarfile
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from dafre_fast.core.errors import OutputError
from dafre_fast.core.events import Event, Outcome
from dafre_fast.core.reasons import Reason
from dafre_fast.core.records import Fetched, Sought
from dafre_fast.dataset.ledger import Ledger
from dafre_fast.dataset.outcomes import last_outcomes
from dafre_fast.engine.observers import watching
from dafre_fast.engine.originals import (
    Originals,
    fetch_originals,
    sought,
    table_of_originals,
)
from dafre_fast.sources.choose import choose
from dafre_fast.sources.tree import Tree
from dafre_fast.testing.plays import right, status
from dafre_fast.testing.server import Exchange, Server
from tests.sources.loopback import FAST, JPEG, OTHER_JPEG, WHOLE, files, ignore

NOTHING_FETCHED = pl.LazyFrame(
    schema={
        "key": pl.String(),
        "reason": pl.String(),
        "bytes": pl.Int64(),
        "path": pl.String(),
        "source": pl.String(),
    }
)


def asked(*keys: str) -> pl.DataFrame:
    return pl.DataFrame({"key": [*keys]}, schema={"key": pl.String()})


def known(**sizes: int) -> pl.LazyFrame:
    """Sizes of originals by key (as `k7`)."""
    keys = [key.removeprefix("k") for key in sizes]
    schema = {"key": pl.String(), "extension": pl.String(), "md5": pl.String()}
    texts = pl.LazyFrame({"key": keys, "extension": "jpg", "md5": None}, schema=schema)
    return texts.with_columns(known_bytes=pl.Series([*sizes.values()], dtype=pl.Int64))


def fetched_sizes(**sizes: int) -> pl.LazyFrame:
    keys = [key.removeprefix("k") for key in sizes]
    nothing = [None] * len(keys)
    columns = {"key": keys, "bytes": [*sizes.values()]}
    columns |= dict.fromkeys(("reason", "path", "source"), nothing)
    return pl.LazyFrame(columns, schema=NOTHING_FETCHED.collect_schema())


def put(folder: Path, name: str, data: bytes = JPEG) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


@pytest.fixture
def into(tmp_path) -> Originals:
    """Originals that are fetched into a folder, from a source that is not asked here."""
    (tmp_path / "tree").mkdir()
    return Originals(Tree(tmp_path / "tree", WHOLE), tmp_path / "originals")


def found(rows: pl.DataFrame, folder: Path | None) -> dict[str, str | None]:
    names = (path and str(Path(path).relative_to(folder or "/")) for path in rows["found"])
    return dict(zip(rows["key"], names, strict=True))


# Originals that are on the disk already.


def test_files_in_their_buckets_are_found_by_id_and_the_others_are_not(into) -> None:
    for name in ("0007/7.jpg", "0008/9.jpg", "8.jpg", "0010/.10.jpg.part", "0011/eleven.jpg"):
        put(into.folder, name)
    table = table_of_originals(asked("7", "8", "9", "10", "11"), NOTHING_FETCHED, into)
    expected = {"7": "0007/7.jpg", "8": None, "9": None, "10": None, "11": None}
    assert found(table, into.folder) == expected
    assert table["row"].to_list() == [0, 1, 2, 3, 4]


def test_the_file_that_was_fetched_counts_where_an_id_has_several(into) -> None:
    for name in ("7.png", "7.jpg", "8.json", "8.png", "9.txt"):
        put(into.folder, f"{int(name[0]):04}/{name}", b"{}" if name[2] in "jt" else JPEG)
    put(into.folder, "0007/7.jpg")
    table = table_of_originals(asked("7", "8", "9"), NOTHING_FETCHED, into)
    expected = {"7": "0007/7.jpg", "8": "0008/8.png", "9": None}
    assert found(table, into.folder) == expected
    recorded = fetched_sizes(k7=len(JPEG)).with_columns(path=pl.lit("elsewhere/0007/7.png"))
    table = table_of_originals(asked("7"), recorded, into)
    assert found(table, into.folder) == {"7": "0007/7.png"}


@pytest.mark.parametrize(
    ("data", "fetched_bytes", "known_bytes", "counts", "new_bytes"),
    [
        (JPEG, None, None, True, len(JPEG)),
        (b"", None, None, False, None),
        (JPEG, len(JPEG), None, True, None),
        (JPEG, len(JPEG) - 1, None, False, None),
        (JPEG, len(JPEG), 1, True, None),
        (JPEG, None, len(JPEG), True, len(JPEG)),
        (JPEG, None, len(JPEG) + 1, False, None),
    ],
)
def test_a_file_counts_if_it_has_the_size_on_record_or_else_the_size_that_is_known(
    into, data, fetched_bytes, known_bytes, counts, new_bytes
) -> None:
    put(into.folder, "0007/7.jpg", data)
    recorded = fetched_sizes(k7=fetched_bytes) if fetched_bytes else NOTHING_FETCHED
    originals = into._replace(known=known(k7=known_bytes)) if known_bytes else into
    table = table_of_originals(asked("7"), recorded, originals)
    assert (table["found"].item() is not None) is counts
    assert table["found_bytes"].item() == new_bytes


def test_a_source_that_only_finds_files_has_nothing_on_the_disk(into) -> None:
    table = table_of_originals(asked("7"), NOTHING_FETCHED, into._replace(folder=None))
    assert table["found"].to_list() == [None]


def test_the_source_gets_the_known_facts_of_an_original(into) -> None:
    names = pl.LazyFrame({"key": ["8"], "name": ["a/8.png"]})
    originals = into._replace(known=known(k7=5), names=names)
    table = table_of_originals(asked("8", "7"), NOTHING_FETCHED, originals)
    assert [*sought(table)] == [
        Sought("8", name="a/8.png", row=0),
        Sought("7", extension="jpg", bytes=5, row=1),
    ]


# Fetching the others.


class Run:
    """A run that keeps the events and outcomes of its originals."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.taken = list[tuple[str, Fetched]]()
        self.settled = list[int]()
        """Outcomes that had been taken when the run was asked to settle."""
        self.events = list[Event]()

    async def take(self, one: Sought, fetched: Fetched) -> None:
        self.taken.append((one.key, fetched))

    async def fetch(self, originals: Originals, *keys: str) -> None:
        with Ledger(self._folder / "state") as ledger, watching("images", self.tell) as watch:
            fetched = last_outcomes(ledger.path, "fetch")
            table = table_of_originals(asked(*keys), fetched, originals)
            settle = self.settle
            await fetch_originals(table, originals, ledger, watch, self.take, settle)

    async def settle(self) -> None:
        self.settled.append(len(self.taken))

    def tell(self, event: Event) -> None:
        self.events.append(event)

    def recorded(self) -> dict[str, str | None]:
        """Reasons in the ledger, by key."""
        outcomes = last_outcomes(self._folder / "state/ledger.jsonl", "fetch").collect()
        return dict(outcomes.select("key", "reason").sort("key").iter_rows())


def over_http(server: Server, folder: Path, keys: Sequence[str]) -> Run:
    async def main() -> Run:
        run = Run(folder)
        async with server.on("127.0.0.1") as port:
            template = f"http://127.0.0.1:{port}/{{id}}.jpg"
            source = choose(template, folder / "originals", FAST, WHOLE, ignore)
            await run.fetch(Originals(source, folder / "originals"), *keys)
        return run

    return asyncio.run(main())


def test_only_what_is_not_on_the_disk_is_asked_for(tmp_path) -> None:
    put(tmp_path, "originals/0007/7.jpg")
    server = Server(right, JPEG)
    run = over_http(server, tmp_path, ["7", "8"])
    assert [request.path for request in server.requests] == ["/8.jpg"]
    assert [key for key, _ in run.taken] == ["7", "8"]
    assert {path for path in files(tmp_path) if path.endswith(".jpg")} == {
        "originals/0007/7.jpg",
        "originals/0008/8.jpg",
    }


def test_each_original_has_one_outcome_one_event_and_one_line_in_the_ledger(tmp_path) -> None:
    async def seven_is_missing(x: Exchange) -> None:
        await (status("404 Not Found") if x.path == "/7.jpg" else right)(x)

    run = over_http(Server(seven_is_missing, JPEG), tmp_path, ["7", "8", "9"])
    expected = {"7": Reason.NOT_FOUND, "8": None, "9": None}
    assert {key: fetched.reason for key, fetched in run.taken} == expected
    outcomes = [event.fetched for event in run.events if isinstance(event, Outcome)]
    assert {one.key: one.reason for one in outcomes} == expected
    assert run.recorded() == expected


def test_a_file_that_is_on_record_is_not_recorded_again(tmp_path) -> None:
    server = Server(right, JPEG)
    over_http(server, tmp_path, ["7"])
    lines = (tmp_path / "state/ledger.jsonl").read_bytes()
    run = over_http(server, tmp_path, ["7"])
    assert [fetched.path for _, fetched in run.taken] == [str(tmp_path / "originals/0007/7.jpg")]
    assert (tmp_path / "state/ledger.jsonl").read_bytes() == lines
    assert len(server.requests) == 1


def test_a_tree_is_only_read_and_just_its_missing_originals_are_recorded(tmp_path) -> None:
    put(tmp_path, "tree/0007/7.jpg")

    run = Run(tmp_path)
    asyncio.run(run.fetch(Originals(Tree(tmp_path / "tree", WHOLE), None), "7", "8"))
    assert {key: fetched.path for key, fetched in run.taken} == {
        "7": str(tmp_path / "tree/0007/7.jpg"),
        "8": None,
    }
    assert run.recorded() == {"8": Reason.MISSING_ORIGINAL}


def test_a_folder_of_originals_that_cannot_be_made_is_named(tmp_path) -> None:
    (tmp_path / "originals").touch()
    with pytest.raises(OutputError, match="originals: File exists"):
        over_http(Server(right, JPEG), tmp_path, ["7"])


def test_an_exception_of_the_taker_ends_the_fetching(tmp_path) -> None:
    put(tmp_path, "tree/0007/7.jpg")

    class Full(Run):
        async def take(self, _one: Sought, _fetched: Fetched) -> None:
            raise OutputError("full")

    with pytest.raises(OutputError, match="full"):
        asyncio.run(Full(tmp_path).fetch(Originals(Tree(tmp_path / "tree", WHOLE), None), "7"))


def test_a_second_outcome_waits_for_the_first_and_replaces_it(tmp_path) -> None:
    entries = [("7.jpg", JPEG), ("8.jpg", JPEG), ("7.jpg", OTHER_JPEG)]
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        for name, data in entries:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    run, into = Run(tmp_path), tmp_path / "originals"
    source = choose(str(tmp_path / "a.tar.gz"), into, FAST, WHOLE, ignore)
    asyncio.run(run.fetch(Originals(source, into), "7", "8"))
    assert [key for key, _ in run.taken] == ["7", "8", "7"]
    assert run.settled == [2]
    sizes = last_outcomes(tmp_path / "state/ledger.jsonl", "fetch").collect().select("key", "bytes")
    assert dict(sizes.iter_rows()) == {"7": len(OTHER_JPEG), "8": len(JPEG)}
