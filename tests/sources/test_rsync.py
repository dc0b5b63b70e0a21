"""The rsync source, against a daemon of the system's rsync on the loopback."""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from hashlib import md5
from pathlib import Path

import pytest

from dafre_fast.core.errors import OutputError, SourceError, UsageError
from dafre_fast.core.reasons import Proof, Reason
from dafre_fast.core.records import Fetched, Sought
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.pixels.damage import check_end
from dafre_fast.pixels.sniff import sniff
from dafre_fast.sources.choose import choose
from dafre_fast.sources.interface import Check, Planned
from dafre_fast.sources.rsync.exit_status import failure_of, why_not
from tests.commands import dafre, ledger_keys, tree
from tests.pixels.pictures import encoded, smooth
from tests.processes import descendants, needs_proc, runs
from tests.sources.fetching import fetching, ignore
from tests.sources.rsyncd import Daemon, daemon_of, free_port

pytestmark = pytest.mark.skipif(not shutil.which("rsync"), reason="rsync is not installed")

JPEG = b"\xff\xd8\xff\xda" + bytes(range(1, 255)) * 20 + b"\xff\xd9"
GIF = encoded(smooth(40, 30), "GIF")
WHOLE = Check(head=sniff, whole=check_end)
ONCE = Fetching(retries=0, timeout=10.0)


@pytest.fixture
def daemon(tmp_path) -> Iterator[Daemon]:
    root = tmp_path / "there"
    (root / "original").mkdir(parents=True)
    with daemon_of(root, tmp_path / "rsyncd.conf") as daemon:
        yield daemon


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "here"


def fetch(source: str, folder: Path, *sought: str | Sought, settings=ONCE) -> list[Fetched]:
    return asyncio.run(fetching(source, folder, *sought, settings=settings))


def reasons(found: list[Fetched]) -> dict[str, Reason | None]:
    return {one.key: one.reason for one in found}


def files(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def test_originals_arrive_byte_for_byte_in_their_buckets_and_nothing_else(daemon, folder) -> None:
    daemon.put("0446/332446.jpg", JPEG)
    daemon.put("0007/1007.gif", GIF)
    daemon.put("0007/7.jpg", JPEG)
    found = fetch(daemon.source, folder, "332446", "1007")
    assert files(folder) == {"0446/332446.jpg": JPEG, "0007/1007.gif": GIF}
    assert sorted(folder.iterdir()) == [folder / "0007", folder / "0446"]
    (one,) = (one for one in found if one.key == "332446")
    assert (one.url, one.bytes, one.proof) == (
        f"{daemon.source}/0446/332446.jpg",
        len(JPEG),
        Proof.UNVERIFIED,
    )


def test_a_template_names_the_files_of_the_module(daemon, folder) -> None:
    digest = md5(JPEG).hexdigest()
    daemon.put(f"{digest[:2]}/{digest}.jpg", JPEG)
    source = daemon.source + "/{md5[0:2]}/{md5}.{ext}"
    (fetched,) = fetch(source, folder, Sought("7", "jpg", md5=digest))
    assert (fetched.proof, files(folder)) == (Proof.MD5, {"0007/7.jpg": JPEG})


def test_the_first_extension_counts_among_several_files(daemon, folder) -> None:
    daemon.put("0007/7.gif", GIF)
    daemon.put("0007/7.jpg", JPEG)
    fetch(daemon.source, folder, "7", settings=Fetching(extensions=("jpg", "gif")))
    assert files(folder) == {"0007/7.jpg": JPEG}


def test_a_missing_original_is_not_found_and_costs_no_other(daemon, folder) -> None:
    daemon.put("0008/8.jpg", JPEG)
    found = fetch(daemon.source, folder, "7", "8", Sought("9", "png"))
    assert reasons(found) == {"7": Reason.NOT_FOUND, "8": None, "9": Reason.NOT_FOUND}


def test_what_is_there_comes_before_what_is_missing(daemon, folder) -> None:
    daemon.put("0009/9.jpg", JPEG)
    found = fetch(daemon.source, folder, "7", "8", "9")
    assert [one.reason for one in found] == [None, Reason.NOT_FOUND, Reason.NOT_FOUND]


def test_a_file_that_the_daemon_may_not_read_is_forbidden(daemon, folder) -> None:
    daemon.put("0008/8.jpg", JPEG)
    if os.getuid() == 0:
        pytest.skip("root may read everything")
    daemon.put("0007/7.jpg", JPEG).chmod(0)
    found = fetch(daemon.source, folder, "7", "8")
    assert reasons(found) == {"7": Reason.FORBIDDEN, "8": None}


@pytest.mark.parametrize(
    ("body", "known", "reason"),
    [
        (JPEG[:-2], Sought("7", "jpg"), Reason.TRUNCATED),
        (b"<html>gone</html>", Sought("7", "jpg"), Reason.NOT_AN_IMAGE),
        (b"", Sought("7", "jpg"), Reason.EMPTY_FILE),
        (JPEG, Sought("7", "jpg", bytes=len(JPEG) + 1), Reason.WRONG_SIZE),
        (JPEG, Sought("7", "jpg", md5="0" * 32), Reason.WRONG_HASH),
        (JPEG + bytes(10_000), Sought("7", "jpg"), Reason.TOO_MANY_BYTES),
    ],
)
def test_a_wrong_file_is_refused_and_leaves_nothing(daemon, folder, body, known, reason) -> None:
    daemon.put("0007/7.jpg", body)
    daemon.put("0008/8.jpg", JPEG)
    found = fetch(daemon.source, folder, known, "8", settings=Fetching(max_bytes=10_000))
    assert reasons(found) == {"7": reason, "8": None}
    assert files(folder) == {"0008/8.jpg": JPEG}


def test_two_ids_of_the_same_file_get_one_each(daemon, folder) -> None:
    digest = md5(JPEG).hexdigest()
    daemon.put(f"{digest}.jpg", JPEG)
    sought = [Sought(key, "jpg", md5=digest) for key in ("7", "8")]
    fetch(daemon.source + "/{md5}.{ext}", folder, *sought)
    assert files(folder) == {"0007/7.jpg": JPEG, "0008/8.jpg": JPEG}


def test_more_than_a_portion_arrives_whole(daemon, folder, monkeypatch) -> None:
    monkeypatch.setattr("dafre_fast.sources.rsync.source.PORTION", 7)
    for number in range(20):
        daemon.put(f"{number:04}/{number}.jpg", JPEG)
    found = fetch(daemon.source, folder, *map(str, range(21)))
    assert files(folder) == {f"{number:04}/{number}.jpg": JPEG for number in range(20)}
    assert len(found) == 21


def test_a_plan_has_sizes_and_fetches_nothing(daemon, folder) -> None:
    daemon.put("0007/7.gif", GIF)
    planned: dict[str, Planned | None] = {}

    async def main() -> None:
        async with choose(daemon.source, folder, ONCE, WHOLE, ignore) as chosen:
            await chosen.plan(
                [Sought("7"), Sought("8")], lambda one, plan: planned.update({one.key: plan})
            )

    asyncio.run(main())
    assert planned == {"7": Planned(f"{daemon.source}/0007/7.gif", len(GIF)), "8": None}
    assert not folder.exists()


def test_a_daemon_that_is_not_there_is_a_network_error_for_each(folder) -> None:
    found = fetch(f"rsync://127.0.0.1:{free_port()}/danbooru", folder, "7", "8")
    assert reasons(found) == {"7": Reason.NETWORK_ERROR, "8": Reason.NETWORK_ERROR}
    assert "refused" in found[0].detail
    assert not folder.exists()


def test_a_daemon_that_says_nothing_is_given_up(folder) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        source = f"rsync://127.0.0.1:{silent.getsockname()[1]}/danbooru"
        (fetched,) = fetch(source, folder, "7", settings=Fetching(retries=0, stall_timeout=1))
    assert fetched.reason is Reason.TOO_SLOW


def test_files_that_come_too_slowly_are_given_up(tmp_path, folder) -> None:
    root = tmp_path / "there"
    with daemon_of(root, tmp_path / "rsyncd.conf", limit=1) as daemon:
        daemon.put("0007/7.jpg", JPEG * 200)
        found = fetch(daemon.source, folder, "7", settings=Fetching(retries=0, timeout=1))
    assert reasons(found) == {"7": Reason.DOWNLOAD_TIMEOUT}
    assert not [*folder.iterdir()]


@pytest.mark.slow
@needs_proc
def test_a_connection_that_breaks_off_costs_no_file_that_came(tmp_path, folder) -> None:
    with daemon_of(tmp_path / "there", tmp_path / "rsyncd.conf", limit=40) as daemon:
        for number in range(20):
            daemon.put(f"{number:04}/{number}.jpg", JPEG)
        found: list[Fetched] = []

        async def take(_: Sought, fetched: Fetched) -> None:
            found.append(fetched)
            if len(found) == 3:
                for process in descendants(daemon.pid):
                    os.kill(process, signal.SIGKILL)

        async def main() -> None:
            settings = Fetching(retries=1)
            async with choose(daemon.source, folder, settings, WHOLE, ignore) as chosen:
                await chosen.fetch([Sought(str(number)) for number in range(20)], take)

        asyncio.run(main())
    assert {one.reason for one in found} == {None}
    assert sorted({one.attempts for one in found}) == [1, 2]
    assert sorted(one.key for one in found) == sorted(str(number) for number in range(20))
    assert len(files(folder)) == 20


@pytest.mark.parametrize(
    ("status", "said", "outcome"),
    [
        (0, "", None),
        (24, 'file has vanished: "/a/7.jpg" (in m)', None),
        (23, 'rsync: [sender] send_files failed to open "a" (in m): Permission denied (13)', None),
        (23, 'rsync: [receiver] mkstemp "/x/.7.jpg.ab" failed: No space left (28)', OutputError),
        (11, 'rsync: [receiver] write failed on "/x/7.jpg": No space left (28)', OutputError),
        (5, "@ERROR: Unknown module 'm'", SourceError),
        (5, "@ERROR: max connections (1) reached -- try again later", Reason.SERVER_ERROR),
        (10, "rsync: getaddrinfo: h 873: Name or service not known", Reason.DNS_ERROR),
        (12, "rsync: connection unexpectedly closed", Reason.NETWORK_ERROR),
        (30, "rsync error: timeout in data send/receive (code 30)", Reason.TOO_SLOW),
        (35, "", Reason.NETWORK_ERROR),
        (1, "rsync: --ignore-missing-args: unknown option", SourceError),
        (-9, "", SourceError),
    ],
)
def test_an_exit_status_has_its_meaning(status, said, outcome) -> None:
    failure = failure_of(status, said)
    assert outcome in (failure, type(failure), getattr(failure, "reason", None))


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ('send_files failed to open "a/7.jpg" (in m): Permission denied (13)', Reason.FORBIDDEN),
        ('file has vanished: "/a/7.jpg" (in m)', Reason.NOT_FOUND),
        ('read errors mapping "/a/7.jpg" (in m): Input/output error (5)', Reason.SERVER_ERROR),
        ('send_files failed to open "aa/7.jpg": Permission denied (13)', Reason.SERVER_ERROR),
        ("", Reason.SERVER_ERROR),
    ],
)
def test_a_listed_file_that_did_not_come_has_the_reason_that_rsync_gives(said, reason) -> None:
    assert why_not("a/7.jpg", "rsync://h/m/a/7.jpg", said).reason is reason


def test_a_daemon_without_a_name_is_a_dns_error(folder) -> None:
    (fetched,) = fetch("rsync://nowhere.invalid/danbooru", folder, "7")
    assert fetched.reason is Reason.DNS_ERROR


@pytest.mark.parametrize(
    ("module", "said"), [("none", "Unknown module"), ("guarded", "auth.*set RSYNC_PASSWORD")]
)
def test_a_module_that_is_not_for_us_ends_the_run_by_its_name(daemon, folder, module, said) -> None:
    source = daemon.source.replace("danbooru", module)
    with pytest.raises(SourceError, match=f"/{module}/: .*{said}"):
        fetch(source, folder, "7")


def test_a_file_that_cannot_be_written_ends_the_run(daemon, small_disk) -> None:
    daemon.put("0007/7.jpg", JPEG[:4] + bytes(100_000))
    with pytest.raises(OutputError, match="No space left"):
        fetch(daemon.source, small_disk.folder / "here", "7")
    assert files(small_disk.folder) == {}


@pytest.mark.parametrize(
    "source",
    [
        "rsync://host",
        "rsync:///module/original",
        "rsync://host/{id}/7.{ext}",
        "rsync://host/module/../{id}.{ext}",
        "rsync://host/module/{id}/{nonsense}",
        "rsync://host/module/7.{ext}",
        "rsync://host:port/module/{id}.{ext}",
    ],
)
def test_an_address_that_names_no_images_of_a_module_is_refused_at_once(folder, source) -> None:
    with pytest.raises(UsageError, match="--source"):
        choose(source, folder, ONCE, WHOLE, ignore)


def test_without_rsync_a_command_says_so(tmp_path, monkeypatch) -> None:
    write_table(tmp_path, 1)
    monkeypatch.setenv("PATH", str(tmp_path))
    done = download(tmp_path, "rsync://127.0.0.1/danbooru")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "rsync is not installed" in done.stderr


def write_table(folder: Path, count: int) -> None:
    row = "{0:04}\\{0}.jpg\t1\t0.1, 0.1, 0.9, 0.9 0.95\n"
    (folder / "faces.tsv").write_text("".join(row.format(number) for number in range(count)))


def flags(source: str) -> list[str]:
    return ["--faces", "faces.tsv", "--source", source, "--min-images", "1"]


def download(folder: Path, source: str) -> subprocess.CompletedProcess[str]:
    return dafre("download", *flags(source), "--json", cwd=folder)


@pytest.mark.slow
@needs_proc
def test_ctrl_c_leaves_no_process_and_no_staging_and_the_same_command_goes_on(tmp_path) -> None:
    root = tmp_path / "there"
    write_table(tmp_path, 40)
    with daemon_of(root, tmp_path / "rsyncd.conf", limit=40) as daemon:
        for number in range(40):
            daemon.put(f"{number:04}/{number}.jpg", JPEG)
        command = [sys.executable, "-m", "dafre_fast.download", *flags(daemon.source)]
        run = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        output = tmp_path / "original"
        with run:
            while len([*output.glob("[0-9]*/*.jpg")]) < 3:
                assert run.poll() is None
                time.sleep(0.01)
            children = descendants(run.pid)
            run.send_signal(signal.SIGINT)
            _, stderr = run.communicate(timeout=30)
    assert (run.returncode, "stopped" in stderr) == (130, True)
    assert children
    assert not [child for child in children if runs(child)]
    assert not [path for path in output.iterdir() if path.suffix == ".part"]
    before = ledger_keys(output)
    assert 0 < len(before) < 40
    with daemon_of(root, tmp_path / "rsyncd.conf") as daemon:
        done = download(tmp_path, daemon.source)
    assert json.loads(done.stdout)["success"] == 40
    assert tree(output) == tree(root / "original")
    assert len(set(ledger_keys(output))) == len(ledger_keys(output)) == 40
