"""Every source keeps the same contract. A new source is one more function and row of `SOURCES`."""

import asyncio
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from dafre_fast.core.errors import OutputError
from dafre_fast.core.reasons import Reason
from dafre_fast.core.records import Fetched, Sought
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.pixels.damage import check_end
from dafre_fast.pixels.sniff import sniff
from dafre_fast.sources.choose import choose, finds_only
from dafre_fast.sources.interface import Check, Planned, Source
from tests.sources.archived import (
    EXTENSIONS,
    KEYS,
    ORIGINALS,
    served,
    write_index,
    write_tar,
    write_zip,
)
from tests.sources.fetching import ignore
from tests.sources.rsyncd import daemon_of
from tests.sources.s3 import S3, s3_server
from tests.sources.test_hub import Hub

MISSING = 12_345
SETTINGS = Fetching(retries=1, timeout=20.0)
CHECK = Check(head=sniff, whole=check_end)


def write_tree(folder: Path) -> Path:
    for key in KEYS:
        path = folder / f"{key % 1000:04}/{key}.{EXTENSIONS[key]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(ORIGINALS[key])
    return folder


@contextmanager
def tree(folder: Path) -> Iterator[str]:
    yield str(write_tree(folder))


@contextmanager
def local_tar(folder: Path) -> Iterator[str]:
    write_tar(folder / "all.tar", KEYS)
    yield str(folder / "all.tar")


@contextmanager
def local_zip(folder: Path) -> Iterator[str]:
    write_zip(folder / "all.zip", KEYS)
    yield str(folder)


@contextmanager
def web(folder: Path) -> Iterator[str]:
    with served(write_tree(folder)) as (address, _):
        yield address + "/{bucket}/{id}.{ext}"


@contextmanager
def web_tar(folder: Path) -> Iterator[str]:
    write_tar(folder / "all.tar", KEYS)
    write_index(folder / "all.tar")
    with served(folder) as (address, _):
        yield f"{address}/all.tar"


@contextmanager
def web_tar_streamed(folder: Path) -> Iterator[str]:
    write_tar(folder / "all.tar", KEYS)
    with served(folder) as (address, _):
        yield f"{address}/all.tar"


@contextmanager
def web_zip(folder: Path) -> Iterator[str]:
    write_zip(folder / "all.zip", KEYS)
    with served(folder) as (address, _):
        yield f"{address}/all.zip"


@contextmanager
def bucket(folder: Path) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch, s3_server() as port:
        patch.setenv("AWS_ACCESS_KEY_ID", "someone")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        store = S3(port)
        for path in write_tree(folder).rglob("*.*"):
            store.put(f"original/{path.relative_to(folder)}", path.read_bytes())
        yield store.source


@contextmanager
def hub(folder: Path) -> Iterator[str]:
    write_tar(folder / "some/set/resolve/main/all.tar", KEYS)
    with pytest.MonkeyPatch.context() as patch, Hub(folder).open() as address:
        patch.setenv("HF_ENDPOINT", address)
        yield "hf:some/set"


@contextmanager
def rsync(folder: Path) -> Iterator[str]:
    with daemon_of(folder, folder.with_suffix(".conf")) as daemon:
        write_tree(folder / "original")
        yield daemon.source


SOURCES: tuple[Callable[[Path], AbstractContextManager[str]], ...] = (
    tree, local_tar, local_zip, web, web_tar, web_tar_streamed, web_zip, bucket, hub, rsync,
)  # fmt: skip


@pytest.fixture(scope="module", params=SOURCES, ids=lambda source: source.__name__)
def spec(request, tmp_path_factory) -> Iterator[str]:
    """The address of a source that has the originals of `KEYS`."""
    if request.param is rsync and not shutil.which("rsync"):
        pytest.skip("rsync is not installed")
    if request.param is bucket and not (find_spec("obstore") and find_spec("moto")):
        pytest.skip("no obstore or moto")
    with request.param(tmp_path_factory.mktemp("source") / "there") as address:
        yield address


def opened(spec: str, folder: Path) -> Source:
    return choose(spec, folder, SETTINGS, CHECK, ignore)


def fetched_by(spec: str, folder: Path, *keys: int) -> list[Fetched]:
    found: list[Fetched] = []

    async def take(_: Sought, fetched: Fetched) -> None:
        found.append(fetched)

    async def main() -> None:
        async with opened(spec, folder) as source:
            await source.fetch([Sought(str(key)) for key in keys], take)

    asyncio.run(main())
    return found


def visible(folder: Path) -> dict[str, bytes]:
    """Files below a folder, those of the state aside."""
    found = {path.relative_to(folder): path for path in folder.rglob("*") if path.is_file()}
    state = Path(".dafre_fast")
    return {
        str(name): path.read_bytes() for name, path in found.items() if state not in name.parents
    }


def test_each_original_has_one_outcome_with_its_bytes(spec, tmp_path) -> None:
    found = fetched_by(spec, tmp_path, *KEYS)
    assert Counter(one.key for one in found) == {str(key): 1 for key in KEYS}
    assert {one.key: Path(one.path).read_bytes() for one in found if one.path} == {
        str(key): ORIGINALS[key] for key in KEYS
    }


def test_fetched_files_are_under_their_buckets_and_nothing_else_is_there(spec, tmp_path) -> None:
    fetched_by(spec, tmp_path, 7, 1007)
    names = set() if finds_only(spec) else {"0007/7.jpg", "0007/1007.png"}
    assert visible(tmp_path).keys() == names


def test_a_missing_original_has_its_reason_and_costs_no_other(spec, tmp_path) -> None:
    found = {one.key: one for one in fetched_by(spec, tmp_path, MISSING, 7)}
    assert found["7"].reason is None
    assert found[str(MISSING)].reason in {Reason.MISSING_ORIGINAL, Reason.NOT_FOUND}
    assert str(MISSING) in found[str(MISSING)].detail


def test_a_plan_has_an_answer_for_each_original_and_fetches_none(spec, tmp_path) -> None:
    planned: list[tuple[str, Planned | None]] = []

    async def main() -> None:
        async with opened(spec, tmp_path) as source:
            sought = [Sought(str(key)) for key in KEYS]
            await source.plan(sought, lambda one, plan: planned.append((one.key, plan)))

    asyncio.run(main())
    assert Counter(key for key, _ in planned) == {str(key): 1 for key in KEYS}
    assert visible(tmp_path) == {}


def test_an_error_of_who_takes_outcomes_ends_the_fetch_and_leaves_no_part(spec, tmp_path) -> None:
    async def take(_: Sought, fetched: Fetched) -> None:
        raise OutputError(f"no space for {fetched.key}")

    async def main() -> None:
        async with opened(spec, tmp_path) as source:
            await source.fetch([Sought(str(key)) for key in KEYS], take)

    with pytest.raises(OutputError, match="no space for"):
        asyncio.run(main())
    assert not [name for name in visible(tmp_path) if name.endswith(".part")]
    assert {*visible(tmp_path).values()} <= {*ORIGINALS.values()}
