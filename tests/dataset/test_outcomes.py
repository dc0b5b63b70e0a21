from pathlib import Path

import msgspec
import polars as pl
import pytest
from msgspec.structs import replace

from dafre_fast.core.reasons import Note, Proof, Reason
from dafre_fast.core.records import Fetched, Made, MadeOutput
from dafre_fast.core.settings.images import FULL_IMAGE, HEAD_CROP, Bounds, Recipe
from dafre_fast.dataset.ledger_lines import encode
from dafre_fast.dataset.manifest import build_manifest, manifest_of_originals, write_manifest
from dafre_fast.dataset.outcomes import last_outcomes, settled, standing_refusals

PASSING = {
    Reason.BAD_INDEX,
    "unauthorized",
    "server_error",
    "network_error",
    "dns_error",
    "bad_certificate",
    "download_timeout",
    "too_slow",
    "host_down",
    "wrong_size",
    "wrong_hash",
    "missing_original",
    "unreadable_original",
    "out_of_memory",
    "worker_crashed",
    "timeout",
}

FULL, FACE = MadeOutput("full", 256, 300, 9, "ab"), MadeOutput("face", 7, 8, 5, "cd")


@pytest.fixture
def ledger(tmp_path):
    def write(*entries: Made | Fetched) -> Path:
        path = tmp_path / "ledger.jsonl"
        path.write_bytes(b"".join(encode(entry) + b"\n" for entry in entries))
        return path

    return write


def keys(outcomes: pl.LazyFrame) -> list[str]:
    return outcomes.collect()["key"].to_list()


def test_the_last_line_of_a_key_counts(ledger):
    lines = [
        Made("1", reason=Reason.TIMEOUT),
        Made("2"),
        Made("1"),
        Made("2", reason=Reason.CORRUPT),
    ]
    outcomes = last_outcomes(ledger(*lines), "make").collect()
    assert {*outcomes.select("key", "reason").iter_rows()} == {("1", None), ("2", "corrupt")}


def test_stages_are_kept_apart(ledger):
    path = ledger(Made("1"), Fetched("1", reason=Reason.NOT_FOUND), Fetched("2"), Made("3"))
    assert keys(last_outcomes(path, "make")) == ["1", "3"]
    assert keys(last_outcomes(path, "fetch")) == ["1", "2"]


def test_an_outcome_has_what_its_record_has(ledger):
    made = Made("a/ü.png", "cafe", Reason.CORRUPT, "no end: 'x\ny'", "/o/ü.png", "png", 3, 2, 2**40)
    made = replace(made, notes=(Note.TRUNCATED,), outputs=(FULL,))
    not_of_a_make = dict.fromkeys({*Fetched.__struct_fields__} - {*Made.__struct_fields__})
    row = last_outcomes(ledger(made), "make").collect().row(0, named=True)
    expected = msgspec.structs.asdict(made) | {"stage": "make", "notes": ["truncated"]}
    del expected["outputs"]
    full = {"width": 256, "height": 300, "bytes": 9, "sha256": "ab"}
    face = dict.fromkeys(f"face_{field}" for field in full)
    assert row == expected | not_of_a_make | full | face


@pytest.mark.parametrize("stage", ["make", "fetch"])
@pytest.mark.parametrize("create", [lambda _: None, Path.touch], ids=["missing", "empty"])
def test_a_ledger_without_lines_has_no_outcomes(tmp_path, stage, create):
    create(tmp_path / "ledger.jsonl")
    outcomes = last_outcomes(tmp_path / "ledger.jsonl", stage)
    assert keys(settled(outcomes, recipes=["cafe"], retry_failed=False)) == []


@pytest.mark.parametrize(
    ("recipe", "standing"), [("cafe", ["1"]), ("beef", ["2"]), (None, ["1", "2"])]
)
def test_only_outcomes_of_the_recipe_asked_for_stand(ledger, recipe, standing):
    outcomes = last_outcomes(ledger(Made("1", "cafe"), Made("2", "beef")), "make")
    assert keys(settled(outcomes, recipes=recipe and [recipe], retry_failed=False)) == standing


def test_an_outcome_of_another_recipe_takes_the_place_of_an_earlier_one(ledger):
    outcomes = last_outcomes(ledger(Made("1", "cafe"), Made("1", "beef")), "make")
    assert keys(settled(outcomes, recipes=["cafe"], retry_failed=False)) == []


@pytest.fixture
def one_outcome_per_reason(ledger):
    entries = [Made(reason.value, "cafe", reason) for reason in Reason]
    return last_outcomes(ledger(Made("success", "cafe"), *entries), "make")


def test_a_refusal_stands_and_a_passing_failure_does_not(one_outcome_per_reason):
    standing = settled(one_outcome_per_reason, recipes=["cafe"], retry_failed=False)
    assert {*keys(standing)} == {"success", *Reason} - PASSING


def test_no_refusal_stands_where_they_are_to_be_retried(one_outcome_per_reason):
    assert keys(settled(one_outcome_per_reason, recipes=["cafe"], retry_failed=True)) == ["success"]


NOT_FOUND = Fetched("lost", Reason.NOT_FOUND, url="http://a/lost", source="a")
GIVEN = Fetched("given", path="/o", url="http://a/given", source="a")
OF_OLD = Fetched("old", path="/o", url="http://a/old")


@pytest.mark.parametrize(
    ("lines", "standing"),
    [
        ([NOT_FOUND, GIVEN], ["lost"]),
        ([NOT_FOUND], []),
        ([NOT_FOUND, replace(GIVEN, source="b")], []),
        ([NOT_FOUND, OF_OLD], ["lost"]),
        ([NOT_FOUND, Fetched("lay there", path="/o", bytes=5)], []),
        ([replace(NOT_FOUND, source="b"), GIVEN], []),
        ([replace(NOT_FOUND, source=None), GIVEN], []),
        ([replace(NOT_FOUND, reason=Reason.TOO_SLOW), GIVEN], []),
        ([replace(NOT_FOUND, reason=Reason.UNAUTHORIZED), GIVEN], []),
    ],
    ids=[
        "of this source",
        "of a source that gave nothing",
        "another one gave",
        "it gave to an earlier version",
        "what lay there was not given",
        "of another source",
        "of an earlier version",
        "a passing failure",
        "a login was wanted",
    ],
)
def test_a_refusal_stands_for_the_source_that_gave_it_and_gave_something(ledger, lines, standing):
    fetched = last_outcomes(ledger(*lines), "fetch")
    assert keys(standing_refusals(fetched, "a", retry_failed=False)) == standing
    assert keys(standing_refusals(fetched, "a", retry_failed=True)) == []


DOWNLOAD = Fetched(
    "20",
    path="/o/20.png",
    url="http://host/20.png",
    final_url="http://other/20.png",
    http_status=200,
    attempts=3,
    bytes=900,
    seconds=1.5,
    sha256="cd",
    proof=Proof.MD5,
    etag='"tag"',
    last_modified="Tue, 24 Nov 2026 10:00:00 GMT",
)

ASKED = pl.LazyFrame(
    {
        "id": [30, 10, 20],
        "key": ["30", "10", "20"],
        "original": [None, None, None],
        "full file": ["f/30.jpg", "f/10.jpg", "f/20.jpg"],
        "face file": ["c/30.jpg", "c/10.jpg", "c/20.jpg"],
        "spool": [None, None, None],
        "path": ["0030/30.jpg", "0010/10.jpg", "0020/20.jpg"],
    },
    schema_overrides={"original": pl.String, "spool": pl.String},
)


@pytest.fixture
def manifest(ledger) -> pl.DataFrame:
    """The manifest of a run that was asked for 30, 10 and 20: 20 and 10 were made, 30 could not be
    fetched. The ledger also has 40, of another run.
    """
    path = ledger(
        DOWNLOAD,
        Made("20", original="/o/20.png", format="png", outputs=(FULL,)),
        Made("40", original="/o/40.png"),
        Fetched("30", reason=Reason.NOT_FOUND, url="http://host/30.jpg"),
        Made("30", reason=Reason.NOT_FOUND, detail="404 everywhere"),
        Made("10", original="/o/10.gif", format="gif", outputs=(FACE,)),
    )
    outcomes = (last_outcomes(path, stage) for stage in ("make", "fetch"))
    return build_manifest(ASKED, *outcomes, (FULL_IMAGE, HEAD_CROP)).collect()


def test_the_manifest_has_the_rows_asked_for_in_their_order(manifest):
    assert manifest["id"].to_list() == [30, 10, 20]


def test_the_status_is_success_or_the_reason(manifest):
    assert manifest["status"].to_list() == ["not_found", "success", "success"]
    assert manifest["error_message"].to_list() == ["404 everywhere", None, None]


def test_the_url_is_where_the_original_came_from_or_where_it_lay(manifest):
    urls = ["http://host/30.jpg", "/o/10.gif", "http://host/20.png"]
    assert manifest["url"].to_list() == urls


def test_the_manifest_has_the_columns_asked_for_and_the_outcome(manifest):
    columns = "id path status error_message notes url final_url http_status attempts"
    columns += " download_seconds original_sha256 proof etag last_modified"
    columns += " format original_width original_height original_bytes width height bytes sha256"
    columns += " face_width face_height face_bytes face_sha256"
    assert manifest.columns == columns.split()
    assert manifest.row(2, named=True) | {"url": ""} == dict.fromkeys(columns.split()) | {
        "id": 20,
        "path": "0020/20.jpg",
        "status": "success",
        "error_message": None,
        "notes": [],
        "url": "",
        "final_url": "http://other/20.png",
        "http_status": 200,
        "attempts": 3,
        "download_seconds": 1.5,
        "original_sha256": "cd",
        "proof": "md5",
        "etag": '"tag"',
        "last_modified": "Tue, 24 Nov 2026 10:00:00 GMT",
        "format": "png",
        "width": 256,
        "height": 300,
        "bytes": 9,
        "sha256": "ab",
    }


def test_the_manifest_of_originals_has_a_row_per_image_asked_for_with_all_of_its_download(ledger):
    path = ledger(
        Fetched("40", path="/o/40.png"),
        DOWNLOAD,
        Fetched("30", reason=Reason.NOT_FOUND, detail="404", url="http://host/30.jpg", attempts=5),
        Fetched("10", path="/o/10.gif", bytes=7),
    )
    rows = manifest_of_originals(ASKED.select("key"), last_outcomes(path, "fetch")).collect()
    columns = "id status error_message path url final_url http_status attempts bytes seconds sha256"
    assert rows.columns == [*columns.split(), "proof", "etag", "last_modified"]
    thirty, ten, twenty = rows.to_dicts()
    nothing = dict.fromkeys(rows.columns)
    assert thirty == nothing | {
        "id": 30,
        "status": "not_found",
        "error_message": "404",
        "url": "http://host/30.jpg",
        "attempts": 5,
    }
    found = {"id": 10, "status": "success", "path": "/o/10.gif", "bytes": 7}
    assert {name: value for name, value in ten.items() if value is not None} == found | {
        name: value for name, value in ten.items() if value == 0
    }
    same = {name: getattr(DOWNLOAD, name) for name in rows.columns[3:]}
    assert twenty == {"id": 20, "status": "success", "error_message": None} | same


def test_the_manifest_is_a_parquet_file_and_nothing_else(manifest, tmp_path):
    write_manifest(manifest, tmp_path / "new" / "manifest.parquet")
    assert pl.read_parquet(tmp_path / "new" / "manifest.parquet").equals(manifest)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["manifest.parquet"]


def test_an_outcome_that_followed_from_a_bound_stands_as_long_as_the_bounds_do(ledger):
    narrow = Recipe(bounds=Bounds(max_pixels=100)).hashes()
    wide = Recipe(bounds=Bounds(max_pixels=200)).hashes()
    large = Made("large", narrow.of(Reason.TOO_MANY_PIXELS), Reason.TOO_MANY_PIXELS)
    outcomes = last_outcomes(ledger(Made("made", narrow.of(None)), large), "make")
    assert keys(settled(outcomes, recipes=narrow, retry_failed=False)) == ["made", "large"]
    assert keys(settled(outcomes, recipes=wide, retry_failed=False)) == ["made"]
