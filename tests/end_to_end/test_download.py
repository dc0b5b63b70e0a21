"""`download` as a user runs it, from a host that records its requests."""

import hashlib
import io
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from PIL import Image

from dafre_fast.core.layout import STATE
from dafre_fast.dataset.ledger import NAME
from tests.commands import here
from tests.hosts import Host, host

pytestmark = pytest.mark.slow


def png(shade: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (20, 20), (shade, 90, 90)).save(file, "png")
    return file.getvalue()


BODIES = {key: png(10 * key) for key in range(1, 5)}
METADATA = [
    {
        "id": key,
        "file_ext": "png",
        "file_size": len(body),
        "md5": hashlib.md5(body).hexdigest(),
    }
    for key, body in BODIES.items()
]


@pytest.fixture
def folder(tmp_path) -> Path:
    """Write a table of four images, and their metadata, into a folder."""
    rows = (f"{key:04}\\{key}.jpg\t7\t0.1, 0.1, 0.5, 0.5 0.9\n" for key in BODIES)
    (tmp_path / "faces.tsv").write_text("".join(rows))
    (tmp_path / "meta.json").write_text("".join(json.dumps(one) + "\n" for one in METADATA))
    return tmp_path


@pytest.fixture
def served() -> Iterator[Host]:
    with host() as found:
        found.files |= {f"/{key:04}/{key}.png": body for key, body in BODIES.items()}
        yield found


def download(folder: Path, served: Host, *flags: object, template: str = "{bucket}/{id}.{ext}"):
    source = ("--source", f"{served.address}/{template}", "--min-images", 1, "--retries", 0)
    return here("download", "--faces", "faces.tsv", *source, *flags, cwd=folder)


def summary(folder: Path, served: Host, *flags: object) -> dict[str, object]:
    done = download(folder, served, "--json", *flags)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def originals(folder: Path) -> dict[int, bytes]:
    return {int(path.stem): path.read_bytes() for path in folder.glob("original/*/*.png")}


def row_of(folder: Path, key: int) -> dict[str, object]:
    return pl.read_parquet(folder / "m.parquet").row(by_predicate=pl.col("id") == key, named=True)


def test_an_extension_in_the_metadata_saves_requests(folder, served) -> None:
    download(folder, served, "--metadata", "meta.json")
    assert sorted(served.asked) == sorted(served.files)
    assert originals(folder) == BODIES


def test_the_template_may_use_the_md5_of_the_metadata(folder, served) -> None:
    md5s = {one["id"]: one["md5"] for one in METADATA}
    served.files = {f"/{md5[:2]}/{md5[2:4]}/{md5}.png": BODIES[key] for key, md5 in md5s.items()}
    template = "{md5[0:2]}/{md5[2:4]}/{md5}.{ext}"
    flags = ("--metadata", "meta.json", "--manifest", "m.parquet")
    done = download(folder, served, *flags, template=template)
    assert done.returncode == 0, done.stderr
    assert originals(folder) == BODIES
    assert pl.read_parquet(folder / "m.parquet")["proof"].to_list() == ["md5"] * 4


def test_a_template_with_an_md5_needs_metadata(folder, served) -> None:
    done = download(folder, served, template="{md5}.{ext}")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "--metadata" in done.stderr
    assert served.asked == []


def test_bad_rows_of_metadata_are_counted_like_those_of_the_table(folder, served) -> None:
    with (folder / "meta.json").open("a") as file:
        file.write("{\n")
    found = summary(folder, served, "--metadata", "meta.json", "--max-bad-rows", 0.5)
    problem = {"table": "meta.json", "problem": "bad_json", "rows": 1, "lines": [5]}
    assert (found["success"], found["bad_rows"]) == (4, [problem])
    strict = download(folder, served, "--metadata", "meta.json")
    assert (strict.returncode, len(strict.stderr.splitlines())) == (2, 1)
    assert "meta.json" in strict.stderr


def test_an_original_on_disk_costs_no_request_and_keeps_the_record_of_its_download(
    folder, served
) -> None:
    (folder / "original/0004").mkdir(parents=True)
    (folder / "original/0004/4.png").write_bytes(BODIES[4])
    download(folder, served, "--extensions", "png")
    assert sorted(served.asked) == ["/0001/1.png", "/0002/2.png", "/0003/3.png"]
    served.asked.clear()
    assert summary(folder, served, "--manifest", "m.parquet")["success"] == 4
    assert served.asked == []
    fetched, lay_there = row_of(folder, 1), row_of(folder, 4)
    assert fetched["url"] == f"{served.address}/0001/1.png"
    assert (lay_there["url"], lay_there["bytes"]) == (None, len(BODIES[4]))


@pytest.mark.parametrize("damaged", [b"", BODIES[2][:-1]])
def test_a_file_of_another_size_than_was_recorded_is_fetched_again(folder, served, damaged) -> None:
    download(folder, served, "--extensions", "png")
    (folder / "original/0002/2.png").write_bytes(damaged)
    served.asked.clear()
    download(folder, served, "--extensions", "png")
    assert served.asked == ["/0002/2.png"]
    assert originals(folder) == BODIES


def test_a_file_whose_size_differs_from_the_metadata_is_fetched(folder, served) -> None:
    (folder / "original/0002").mkdir(parents=True)
    (folder / "original/0002/2.png").write_bytes(BODIES[2][:-1])
    download(folder, served, "--metadata", "meta.json")
    assert originals(folder) == BODIES


def test_a_permanent_refusal_is_retried_only_with_retry_failed(folder, served) -> None:
    served.statuses = {"/0001/1.png": 503, "/0002/2.png": 403}
    first = summary(folder, served, "--extensions", "png")
    assert first["refused"] == {"server_error": 1, "forbidden": 1}
    served.asked.clear()
    again = summary(folder, served, "--extensions", "png")
    assert (again["refused"], served.asked) == (first["refused"], ["/0001/1.png"])
    served.asked.clear()
    served.statuses = {}
    last = summary(folder, served, "--extensions", "png", "--retry-failed")
    assert (last["refused"], sorted(served.asked)) == ({}, ["/0001/1.png", "/0002/2.png"])


def test_the_manifest_has_a_row_per_image_asked_for(folder, served) -> None:
    served.files.pop("/0003/3.png")
    download(folder, served, "--manifest", "m.parquet", "--extensions", "png")
    manifest = pl.read_parquet(folder / "m.parquet")
    assert manifest["id"].to_list() == [1, 2, 3, 4]
    assert manifest["status"].to_list() == ["success", "success", "not_found", "success"]
    found = row_of(folder, 1)
    assert (found["http_status"], found["attempts"], found["proof"]) == (200, 1, "unverified")
    assert found["sha256"] == hashlib.sha256(BODIES[1]).hexdigest()


def test_the_summary_says_what_was_fetched_and_what_limited_it(folder, served) -> None:
    downloads = summary(folder, served, "--extensions", "jpg,png")["work"]["downloads"]
    sizes = sum(map(len, BODIES.values()))
    assert (downloads["originals"], downloads["bytes"], downloads["requests"]) == (4, sizes, 8)
    assert downloads["retries"] == 0
    assert downloads["bottleneck"] == max(downloads["shares"], key=downloads["shares"].get)
    assert sorted(downloads["shares"]) == ["CPU", "disk", "network", "rate_limits"]
    done = download(folder, served, "--extensions", "png", "--output", "b")
    fetched, limited = done.stdout.splitlines()[-3:-1]
    assert fetched.startswith("fetched: 4 originals, 0.0 MB")
    assert fetched.endswith("4 requests, 0 of them retries")
    assert limited.startswith("limited by: ")
    assert "rate limits 0%" in limited


def test_a_full_disk_ends_the_run_with_one_line_and_keeps_finished_files(
    folder, served, small_disk
) -> None:
    served.files = {path: body + bytes(20_000) for path, body in served.files.items()}
    output = ("--output", small_disk.folder, "--extensions", "png", "--connections", 1)
    done = download(folder, served, *output)
    assert done.returncode == 1, done.stderr
    assert [line for line in done.stderr.splitlines() if "No space left" in line] == [
        done.stderr.splitlines()[-1]
    ]
    assert [path.name for path in small_disk.folder.rglob("*.p*") if path.is_file()] == ["1.png"]
    small_disk.remount("size=1m")
    assert download(folder, served, *output).returncode == 0
    assert served.asked.count("/0001/1.png") == 1
    assert len([*small_disk.folder.glob("*/*.png")]) == 4


def test_settings_of_a_download_may_be_in_a_file(folder, served) -> None:
    (folder / "run.toml").write_text(
        'extensions = ["png"]\n[download]\nmetadata = ["meta.json"]\nlog-json = "log"\n'
        'manifest = "m.parquet"\n'
    )
    done = download(folder, served, "--config", "run.toml")
    assert done.returncode == 0, done.stderr
    assert sorted(served.asked) == sorted(served.files)
    assert pl.read_parquet(folder / "m.parquet")["proof"].to_list() == ["md5"] * 4
    assert (folder / "log").exists()


def simulate(folder: Path, served: Host, *flags: object) -> dict[str, object]:
    done = download(folder, served, "--simulate", "--json", *flags)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_simulation_says_what_would_be_fetched_from_where_and_writes_nothing(
    folder, served
) -> None:
    before = sorted(folder.rglob("*"))
    sizes = sum(map(len, BODIES.values()))
    place = {"place": served.address, "originals": 4}
    assert simulate(folder, served, "--metadata", "meta.json") == {
        "images": 4,
        "there": 0,
        "refused": 0,
        "nowhere": 0,
        "places": [place | {"bytes": sizes, "unknown": 0}],
    }
    assert simulate(folder, served)["places"] == [place | {"bytes": 0, "unknown": 4}]
    assert (served.asked, sorted(folder.rglob("*"))) == ([], before)


def test_a_simulation_reads_the_records_of_earlier_runs_and_of_a_killed_one(folder, served) -> None:
    served.statuses = {"/0001/1.png": 403, "/0002/2.png": 503}
    download(folder, served, "--extensions", "png")
    ledger = folder / "original" / STATE / NAME
    with ledger.open("a") as file:
        file.write('{"stage":"fetch","key":"3","rea')
    before = ledger.read_bytes()
    found = simulate(folder, served, "--extensions", "png")
    assert (found["there"], found["refused"], found["places"][0]["originals"]) == (2, 1, 1)
    assert simulate(folder, served, "--extensions", "png", "--retry-failed")["refused"] == 0
    assert ledger.read_bytes() == before


def test_a_simulation_prints_a_table(folder, served) -> None:
    lines = download(folder, served, "--simulate").stdout.splitlines()
    assert lines[0].split() == ["from", "originals", "bytes", "of", "unknown", "size"]
    assert lines[1].split() == [served.address, "4", "0", "4"]
    assert lines[2].startswith("4 images = 4 to fetch + 0 there already")


def test_every_event_and_outcome_is_a_line_of_json_with_its_time(folder, served) -> None:
    served.statuses = {"/0001/1.png": 403}
    for _ in range(2):
        flags = ("--extensions", "png", "--log-json", "log/events.jsonl", "--no-resume")
        download(folder, served, *flags)
    events = [json.loads(line) for line in (folder / "log/events.jsonl").read_text().splitlines()]
    assert [event["event"] for event in events].count("asked") == 2
    outcomes = [event for event in events if event["event"] == "outcome"]
    assert sorted(event["key"] for event in outcomes) == sorted("1234" * 2)
    (failed, *_) = (event for event in events if event["event"] == "failed")
    assert (failed["reason"], failed["url"]) == ("forbidden", f"{served.address}/0001/1.png")
    assert all(event["time"].endswith("+00:00") for event in events)


def test_a_retry_and_its_delay_are_in_the_text_and_in_the_log(folder, served) -> None:
    served.busy = {"/0002/2.png"}
    flags = ("--extensions", "png", "--log-json", "log", "--metrics-file", "run.prom", "--json")
    done = download(folder, served, *flags, "--retries", 1)
    downloads = json.loads(done.stdout)["work"]["downloads"]
    assert (downloads["requests"], downloads["retries"]) == (5, 1)
    host = served.address.removeprefix("http://")
    assert done.stderr.count(f"{host}: asks to wait 2 s, until ") == 1
    events = [json.loads(line) for line in (folder / "log").read_text().splitlines()]
    (again,) = (event for event in events if event["event"] == "again")
    assert (again["attempt"], again["reason"]) == (2, "server_error")
    assert {"held", "waited"} <= {event["event"] for event in events}
    retries = 'dafre_fast_retries_total{reason="server_error"} 1.0'
    assert retries in (folder / "run.prom").read_text().splitlines()


def test_full_uses_metadata_and_its_manifest_records_each_download(folder, served) -> None:
    (folder / "tagIds.tsv").write_text("seven\t7\n")
    source = f"{served.address}/{{bucket}}/{{id}}.{{ext}}"
    tables = ("--faces", "faces.tsv", "--tag-ids", "tagIds.tsv", "--metadata", "meta.json")
    flags = (*tables, "--source", source, "--min-images", 1, "--output", "ds", "--json")
    done = here("full", *flags, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["work"]["downloads"]["requests"] == 4
    manifest = pl.read_parquet(folder / "ds/manifest.parquet")
    assert manifest["original_sha256"].to_list() == [
        hashlib.sha256(body).hexdigest() for body in BODIES.values()
    ]
    assert manifest["proof"].to_list() == ["md5"] * 4
    assert manifest["attempts"].to_list() == [1] * 4
    (folder / "ds/fullMin256/0003/3.jpg").unlink()
    again = here("full", *flags, cwd=folder)
    assert json.loads(again.stdout)["work"]["images"] == 1
    assert len(served.asked) == 4
    assert pl.read_parquet(folder / "ds/manifest.parquet").equals(manifest)
    assert here("verify", "--output", "ds", "--deep", cwd=folder).returncode == 0


def test_metrics_are_in_the_file_when_the_run_is_over(folder, served) -> None:
    served.files.pop("/0003/3.png")
    flags = ("--extensions", "png", "--metrics-file", "metrics/run.prom")
    assert download(folder, served, *flags).returncode == 0
    lines = (folder / "metrics/run.prom").read_text().splitlines()
    assert {
        'dafre_fast_originals_total{status="success"} 3.0',
        'dafre_fast_originals_total{status="not_found"} 1.0',
        "dafre_fast_requests_total 4.0",
        "dafre_fast_originals_asked 4.0",
        "dafre_fast_original_seconds_count 4.0",
    } <= {*lines}
    assert [path.name for path in (folder / "metrics").iterdir()] == ["run.prom"]


@pytest.mark.parametrize("flag", ["--log-json", "--metrics-file"])
def test_a_log_that_cannot_be_written_ends_the_run_before_any_request(folder, served, flag) -> None:
    done = download(folder, served, flag, "faces.tsv/log")
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "faces.tsv/log" in done.stderr
    assert served.asked == []


def test_a_port_in_use_is_wrong_usage(folder, served) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = download(folder, served, "--metrics-port", port)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert str(port) in done.stderr
