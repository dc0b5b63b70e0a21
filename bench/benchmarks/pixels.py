"""Pixels: the stages of a full image, each measured together with those before it.

Only this benchmark uses functions inside `dafre_fast.pixels`.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from bench.benchmarks import Workload, each_original
from bench.corpus import Corpus
from bench.measure import Contender, timed_in_fresh_folder
from bench.peers import floor
from bench.records import Role
from dafre_fast.core.errors import Refusal
from dafre_fast.core.records import Wanted, WantedOutput
from dafre_fast.core.settings.images import FULL_IMAGE, Recipe
from dafre_fast.engine.work import make
from dafre_fast.pixels.decoders import choose, registry, vips
from dafre_fast.pixels.header import Header
from dafre_fast.pixels.making import make_images
from dafre_fast.pixels.plan import ImagePlan, plan_image

ONE_THREAD = True
_RECIPE = Recipe()
_HASHES = _RECIPE.hashes()


def _decode(path: Path) -> None:
    data, header, plan = _open(path)
    name = registry.ROWS[header.format].fast_lane
    lane = registry.fast_lane(name) if name else None
    if lane and lane.fits(header, plan):
        with suppress(Refusal):  # the later stages decode it with libvips
            lane.decode(data, header, plan)
    else:
        vips.decode(data, header, plan)  # resizes while it decodes


def _resize(path: Path) -> None:
    choose.decode(*_open(path))


def _encode(path: Path) -> None:
    make_images(path.read_bytes(), _RECIPE)


def _write(path: Path, folder: Path) -> None:
    make(_RECIPE, _HASHES, Wanted(path.stem, str(path), (_wanted(path, folder),)))


def _wanted(path: Path, folder: Path) -> WantedOutput:
    return WantedOutput(FULL_IMAGE.name, f"{folder}/{path.stem}.jpg")


def _open(path: Path) -> tuple[bytes, Header, ImagePlan]:
    data = path.read_bytes()
    header = choose.read_header(data)
    return data, header, plan_image(header, [FULL_IMAGE], _RECIPE.bounds, box=None)


@contextmanager
def contenders(workload: Workload) -> Iterator[list[Contender]]:
    found = []
    for part, corpus in workload.corpus.parts():
        stage = partial(each_original, part, corpus)
        write = partial(timed_in_fresh_folder, partial(_write_all, corpus), workload.folder)
        size = len(corpus.originals), corpus.megapixels
        found += [
            stage("floor", floor.entropy_decode, Role.FLOOR),
            stage("read", Path.read_bytes),
            stage("+ decode", _decode),
            stage("+ resize", _resize),
            stage("+ encode", _encode),
            Contender("+ write", write, *size, part),
        ]
    yield found


def _write_all(corpus: Corpus, folder: Path) -> None:
    for original in corpus.originals:
        _write(original.path, folder)
