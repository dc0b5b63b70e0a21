"""The same dataset, byte for byte, from every kind of source."""

import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.commands import here, tree
from tests.sources.archived import served, write_index
from tests.sources.s3 import S3, s3_server
from tests.sources.test_rsync import daemon_of

MADE = ("fullMin256/", "faces/", "labels/")
SUFFIXES = ("jpg", "png", "gif", "webp")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Write twelve originals into a tree, their tables, and archives of the tree."""
    folder = tmp_path_factory.mktemp("sources")
    rows = []
    for number in range(12):
        key = 5000 + 7 * number
        path = folder / f"tree/{key % 1000:04}/{key}.{SUFFIXES[number % 4]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (9, 12, 3), np.uint8)
        Image.fromarray(pixels).resize((360, 300 + number)).save(path)
        rows.append(f"{key % 1000:04}\\{key}.jpg\t7\t0.1, 0.2, 0.6, 0.7 0.9\n")
    (folder / "faces.tsv").write_text("".join(rows))
    (folder / "tagIds.tsv").write_text("someone\t7\n")
    shutil.make_archive(str(folder / "indexed/all"), "tar", folder / "tree")
    write_index(folder / "indexed/all.tar")
    shutil.make_archive(str(folder / "plain/all"), "tar", folder / "tree")
    shutil.make_archive(str(folder / "zipped/all"), "zip", folder / "tree")
    shutil.make_archive(str(folder / "shards/00000"), "gztar", folder / "tree")
    return folder


def made(folder: Path, source: str) -> dict[str, bytes]:
    """Run `full` from a source, and return full images, head crops and labels."""
    output = folder / "out"
    shutil.rmtree(output, ignore_errors=True)
    flags = ("--faces", "faces.tsv", "--tag-ids", "tagIds.tsv", "--min-images", 1, "--workers", 1)
    end = ("--max-refused", 0, "--no-report", "--source", source, "--output", output)
    done = here("full", *flags, *end, cwd=folder)
    assert done.returncode == 0, done.stderr + done.stdout
    return {name: data for name, data in tree(output).items() if name.startswith(MADE)}


@pytest.fixture(scope="module")
def expected(folder) -> dict[str, bytes]:
    """Return the outputs of a run on the tree itself."""
    found = made(folder, "tree")
    assert len(found) == 12 + 12 + 5
    return found


@pytest.mark.slow
@pytest.mark.parametrize("source", ["indexed", "plain/all.tar", "zipped", "shards"])
def test_archives_on_this_machine_give_the_same_dataset(folder, expected, source) -> None:
    assert made(folder, source) == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    "path",
    [
        "tree/{bucket}/{id}.{ext}",
        "indexed/all.tar",
        "plain/all.tar",
        "zipped/all.zip",
        "shards/{00000..00000}.tar.gz",
    ],
)
def test_addresses_over_http_give_the_same_dataset(folder, expected, path) -> None:
    with served(folder) as (address, _):
        assert made(folder, f"{address}/{path}") == expected


@pytest.mark.slow
@pytest.mark.skipif(not (find_spec("obstore") and find_spec("moto")), reason="no obstore or moto")
@pytest.mark.parametrize("path", ["tree/{bucket}/{id}.{ext}", "indexed/all.tar", "zipped/all.zip"])
def test_an_object_store_gives_the_same_dataset(folder, expected, path, monkeypatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "someone")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with s3_server() as port:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        bucket = S3(port)
        for name, data in tree(folder).items():
            if not name.startswith("out/"):
                bucket.put(name, data)
        assert made(folder, f"s3://{bucket.bucket}/{path}") == expected


@pytest.mark.skipif(not shutil.which("rsync"), reason="rsync is not installed")
def test_an_rsync_daemon_gives_the_same_dataset(folder, expected) -> None:
    with daemon_of(folder / "tree", folder / "rsyncd.conf") as daemon:
        assert made(folder, daemon.source.removesuffix("/original")) == expected
