"""Download: originals of one size each, and the whole command on the corpus.

For each size, three JPEGs to a PNG, it is the CPU time that the downloader spends per image, its
start and end aside; extensions are known from metadata. The floor receives, hashes and writes the
same bytes, and checks nothing. On the corpus, `download` has to find the extensions; curl is given
every address. The server is on this machine; its CPU time is not counted.
"""

import shutil
import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import msgspec
import numpy as np

from bench.benchmarks import Workload
from bench.corpus import HEAD, SEED, Corpus, copies, write_tables
from bench.measure import Contender, run, timed_in_fresh_folder
from bench.peers.receiving import receive_all
from bench.records import Role, Sample
from dafre_fast.core.layout import image_path
from dafre_fast.sample.serving import serving

_CONNECTIONS = 16
_PNG_EVERY = 4
_CHUNK_BYTES = 8192
"""The size of the chunks that libpng writes."""


class _Size(NamedTuple):
    name: str
    bytes: int
    share: float
    """Originals of this size for each one of the workload."""


_SIZES = (
    _Size("3 kB", 3_000, 5.0),
    _Size("100 kB", 100_000, 2.0),
    _Size("0.8 MB", 800_000, 1.0),
    _Size("3 MB", 3_000_000, 0.25),
)


@contextmanager
def contenders(workload: Workload) -> Iterator[list[Contender]]:
    with TemporaryDirectory(dir=workload.folder) as temporary, ExitStack() as stack:
        folder = Path(temporary)
        found = list[Contender]()
        for size in _SIZES:
            part = folder / size.name.replace(" ", "-")
            names = _draw(part, size.bytes, max(round(workload.many * size.share), 1))
            address = stack.enter_context(serving(part / "original", latency_seconds=0))
            ours = partial(_per_image, part, address, folder)
            found.append(Contender(f"download {size.name}", ours, len(names), 0.0, size.name))
            least = partial(_floor, f"{address}/original", names)
            floor = partial(timed_in_fresh_folder, least, folder)
            found.append(
                Contender(f"floor {size.name}", floor, len(names), 0.0, size.name, Role.FLOOR)
            )
        yield found + _whole(workload, folder, stack)


def _whole(workload: Workload, folder: Path, stack: ExitStack) -> list[Contender]:
    """Return the contenders of the whole command."""
    originals = copies(workload.corpus, workload.many, folder / "original")
    faces, _ = write_tables(originals, folder)
    size = len(originals.originals), originals.megapixels
    address = stack.enter_context(serving(originals.folder, latency_seconds=0))
    ours = partial(timed_in_fresh_folder, partial(_ours, faces, address), folder)
    found = [Contender("download", ours, *size)]
    if shutil.which("curl"):
        theirs = partial(timed_in_fresh_folder, partial(_curl, originals, address), folder)
        found.append(Contender("curl", theirs, *size, role=Role.PEER))
    return found


def _draw(folder: Path, size: int, count: int) -> list[str]:
    """Write originals of about a size in bytes, faces.tsv and metadata; return the names.

    They are whole for all that is looked at without decoding.
    """
    noise = np.random.default_rng(SEED).bytes(size)
    kinds = {"jpg": _jpeg(noise), "png": _png(noise)}
    extensions = ["png" if number % _PNG_EVERY == 0 else "jpg" for number in range(1, count + 1)]
    # As in a large set, many originals to a bucket.
    ids = [1000 * (number // 20) + number % 20 for number in range(1, count + 1)]
    names = [*map(image_path, ids, extensions)]
    for name, extension in zip(names, extensions, strict=True):
        path = folder / "original" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(kinds[extension])
    box = ", ".join(f"{edge:.6f}" for edge in HEAD)
    rows = (f"{image_path(id).replace('/', chr(92))}\t0\t{box} 0.950000\n" for id in ids)
    (folder / "faces.tsv").write_text("".join(rows))
    posts = zip(ids, extensions, strict=True)
    lines = (f'{{"id": "{id}", "file_ext": "{extension}"}}\n' for id, extension in posts)
    (folder / "posts.json").write_text("".join(lines))
    return names


def _jpeg(noise: bytes) -> bytes:
    return b"\xff\xd8\xff\xda\0\2" + noise.replace(b"\xff", b"\xff\0") + b"\xff\xd9"


def _png(noise: bytes) -> bytes:
    pieces = [noise[at : at + _CHUNK_BYTES] for at in range(0, len(noise), _CHUNK_BYTES)]
    header = (8).to_bytes(4) * 2 + bytes([8, 2, 0, 0, 0])
    chunks = [(b"IHDR", header), *((b"IDAT", piece) for piece in pieces), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        len(body).to_bytes(4) + name + body + zlib.crc32(name + body).to_bytes(4)
        for name, body in chunks
    )


def _per_image(part: Path, address: str, folder: Path) -> Sample:
    """Return what a run says that its downloads cost."""
    metadata = ("--metadata", part / "posts.json")
    with TemporaryDirectory(dir=folder, prefix="output-") as output:
        command = (*_command(part / "faces.tsv", address, Path(output)), *metadata, "--json")
        ended = subprocess.run([*map(str, command)], capture_output=True, check=False, text=True)
    if ended.returncode:
        raise RuntimeError(f"download: {ended.stderr.strip().splitlines()[-1]}")
    work = msgspec.json.decode(ended.stdout)["work"]
    return Sample(work["cpu_seconds"], work["seconds"])


def _floor(address: str, names: list[str], output: Path) -> None:
    receive_all(address, names, output, _CONNECTIONS)


def _ours(faces: Path, address: str, output: Path) -> None:
    run(*_command(faces, address, output))


def _command(faces: Path, address: str, output: Path) -> tuple[object, ...]:
    source = f"{address}/original/{{bucket}}/{{id}}.{{ext}}"
    flags = ("--faces", faces, "--source", source, "--output", output, "--min-images", 1)
    limits = ("--connections", _CONNECTIONS, "--max-refused", 0)
    return (sys.executable, "-m", "dafre_fast.download", *flags, *limits)


def _curl(originals: Corpus, address: str, output: Path) -> None:
    names = [original.path.relative_to(originals.folder) for original in originals.originals]
    pairs = [f'url = "{address}/original/{name}"\noutput = "{output / name}"\n' for name in names]
    (output / "list").write_text("".join(pairs))
    flags = ("--silent", "--fail", "--create-dirs", "--parallel")
    run("curl", *flags, "--parallel-max", _CONNECTIONS, "--config", output / "list")
