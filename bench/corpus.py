"""Originals and tables to measure on.

Originals are drawn, the same every time, with Danbooru's mix of formats, or taken from a folder.
Their paths are `{bucket}/{id}.{ext}`, so that every command of dafre_fast can read them.
"""

import functools
import hashlib
import io
import math
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import NormalDist

import click
import cv2
import numpy as np
import PIL.Image
import pyvips
from msgspec import Struct

from bench import drawing
from dafre_fast.core.atomic import replacing
from dafre_fast.core.layout import bucket
from dafre_fast.core.records import Box
from dafre_fast.core.settings.running import usable_cores
from dafre_fast.sample.posts import choose_ids, write_posts

SEED = 2018
JPEG, PNG = "jpeg", "png"
HEAD = Box(0.3, 0.1, 0.7, 0.5)
"""The box of the head in every original, about as large as real ones."""
_EXTENSIONS = {JPEG: "jpg", PNG: "png"}
POSTS_A_FILE = 50_000
"""Number of posts per file. Reading one with pandas takes 1.8 GB."""
_ROWS_PER_CLASS, _CLASSES = 20, 3263
_PNG_OF_25 = {1, 4, 8, 12, 15, 19, 22}
_PROGRESSIVE_EVERY, _ALPHA_EVERY = 7, 3
_MEDIAN_AREA, _SPREAD_OF_AREAS = 2.0e6, 0.8
"""Pixels, and the deviation of their logarithm: the mean is 2.7 million."""
_AREAS, _STEP = 25, 3
"""Each 25 originals have the same areas, in such an order that either format has the mean."""


class BadInput(click.ClickException):
    """The input cannot be measured. Click prints one line and exits with status 2."""

    exit_code = 2


class Original(Struct, frozen=True):
    """One file; `format` is jpeg or png."""

    path: Path
    format: str
    megapixels: float


class Corpus(Struct, frozen=True):
    """Originals in the order of their ids, in paths below `folder`."""

    folder: Path
    originals: Sequence[Original]

    @property
    def megapixels(self) -> float:
        return sum(original.megapixels for original in self.originals)

    def parts(self) -> list[tuple[str, "Corpus"]]:
        """Return the JPEG and the PNG files as corpora of their own, unless empty."""
        parts = {
            kind: [original for original in self.originals if original.format == kind]
            for kind in (JPEG, PNG)
        }
        return [(kind, Corpus(self.folder, part)) for kind, part in parts.items() if part]

    def __str__(self) -> str:
        size = sum(original.path.stat().st_size for original in self.originals)
        parts = ", ".join(f"{len(part.originals)} {kind}" for kind, part in self.parts())
        return f"{parts}, {self.megapixels:.1f} MP, {size / 1e6:.1f} MB"


def prepare(source: Path | None, images: int, output: Path) -> Corpus:
    """Return the corpus to measure on, in a folder below `output`.

    Raises BadInput if `source` has no JPEG or PNG files, or `output` cannot be made.
    """
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"{output}: {error.strerror}") from error
    if source:
        return take_corpus(source, images, output / "corpus")
    sources = (Path(file).read_bytes() for file in (__file__, drawing.__file__))
    version = hashlib.sha256(b"\0".join(sources)).hexdigest()[:8]
    return draw_corpus(images, output / f"drawn-{SEED}-{images}-{version}")


def load(folder: Path) -> Corpus:
    """Return the corpus that `draw_corpus` or `take_corpus` made in `folder`.

    Raises BadInput if there is none.
    """
    found = [original for path in folder.glob("*/*.*") if (original := _look(path))]
    if not found:
        raise BadInput(f"{folder}: no JPEG or PNG files to measure on")
    return Corpus(folder, sorted(found, key=lambda original: int(original.path.stem)))


def take_corpus(source: Path, images: int, folder: Path) -> Corpus:
    """Return a corpus of links in `folder` to up to `images` files below `source`.

    They are chosen at random, by a fixed seed, among the JPEG and PNG files that every peer can
    decode. Raises BadInput if there are none, or if `folder` is `source`.
    """
    if folder.resolve() == source.resolve():
        raise BadInput(
            f"{source}: cannot be measured, since links to its files would be put there; move it"
        )
    shutil.rmtree(folder, ignore_errors=True)
    files = sorted(path for path in source.rglob("*") if path.is_file())
    number = 0
    for at in np.random.default_rng(SEED).permutation(len(files)):
        if number == images:
            break
        original = _look(files[at])
        if original and _is_sound(original.path):
            number += 1
            _link(original, folder, number)
    if not number:
        raise BadInput(f"{source}: no JPEG or PNG files to measure on")
    return load(folder)


def copies(corpus: Corpus, at_least: int, folder: Path) -> Corpus:
    """Return a corpus of `at_least` originals: those of `corpus`, repeated under new ids.

    Whole commands need many, so that their start is a small part of the cost.
    """
    count = len(corpus.originals)
    rounds = -(-at_least // count)
    for number in range(rounds * count):
        _link(corpus.originals[number % count], folder, number + 1)
    return load(folder)


def _look(path: Path) -> Original | None:
    """Read a file's header. Return None unless it is JPEG or PNG with 8 bits, grey or RGB."""
    try:
        image = pyvips.Image.new_from_file(str(path), access="sequential")
    except pyvips.Error:
        return None
    kind = str(image.get("vips-loader")).removesuffix("load")
    plain = image.format == "uchar" and image.interpretation in {"srgb", "b-w"}
    if kind not in _EXTENSIONS or not plain:
        return None
    return Original(path, kind, image.width * image.height / 1e6)


def _is_sound(path: Path) -> bool:
    try:
        pyvips.Image.new_from_file(str(path), access="sequential", fail_on="warning").avg()
    except pyvips.Error:
        return False
    return True


def _link(original: Original, folder: Path, number: int) -> None:
    link = folder / bucket(number) / f"{number}.{_EXTENSIONS[original.format]}"
    if link.exists():
        return
    link.parent.mkdir(parents=True, exist_ok=True)
    try:
        link.hardlink_to(original.path)
    except OSError:  # another file system
        shutil.copyfile(original.path, link)


def draw_corpus(images: int, folder: Path, scale: float = 1.0) -> Corpus:
    """Draw originals into `folder`, unless they are there already, and return them.

    72% are JPEG, a seventh of them progressive; 28% are PNG, a third of them with alpha. Both have
    2.7 megapixels on average, as real ones have. `scale` multiplies the sides.
    """
    folder.mkdir(parents=True, exist_ok=True)
    there = {path.stem for path in folder.glob("*/*.*") if not path.name.startswith(".")}
    left = [number for number in range(1, images + 1) if str(number) not in there]
    # OpenCV, NumPy and libvips release the GIL while they work.
    with ThreadPoolExecutor(usable_cores()) as threads:
        list(threads.map(functools.partial(_write, folder, scale), left))
    return load(folder)


def _write(folder: Path, scale: float, number: int) -> None:
    """Draw one original. Its number decides its kind."""
    rng = np.random.default_rng((SEED, number))
    width, height = _size(rng, number, scale)
    png = (number - 1) % 25 in _PNG_OF_25
    pixels = drawing.paint(rng, width, height)
    if png:
        alpha = rng.random() < 1 / _ALPHA_EVERY
        data = _png(
            rng, np.dstack([pixels, drawing.figure(rng, width, height)]) if alpha else pixels
        )
    else:
        data = pyvips.Image.new_from_array(pixels, interpretation="srgb").jpegsave_buffer(
            Q=int(rng.choice([80, 85, 90, 95])),
            subsample_mode="on" if rng.random() < 0.7 else "off",
            interlace=number % _PROGRESSIVE_EVERY == 0,
        )
    with replacing(folder / bucket(number) / f"{number}.{'png' if png else 'jpg'}") as part:
        part.write_bytes(data)


def _size(rng: np.random.Generator, number: int, scale: float) -> tuple[int, int]:
    rank = (number * _STEP % _AREAS + 0.5) / _AREAS
    area = _MEDIAN_AREA * math.exp(_SPREAD_OF_AREAS * NormalDist().inv_cdf(rank)) * scale**2
    ratio = rng.uniform(1.0, 1.6)
    short = int((area / ratio) ** 0.5)
    long = int(short * ratio)
    return (long, short) if rng.random() < 0.3 else (short, long)


def _png(rng: np.random.Generator, pixels: np.ndarray) -> bytes:
    """Encode as the libraries do that wrote real files: most choose a filter for each row; OpenCV
    has one filter, and finds only runs.
    """
    encoder = rng.choice(["Pillow", "libvips", "OpenCV"], p=[0.6, 0.3, 0.1])
    if encoder == "Pillow":
        buffer = io.BytesIO()
        PIL.Image.fromarray(pixels).save(buffer, "PNG")
        return buffer.getvalue()
    if encoder == "libvips":
        image = pyvips.Image.new_from_array(pixels, interpretation="srgb")
        return bytes(image.pngsave_buffer(compression=9, filter="all"))
    return cv2.imencode(".png", pixels)[1].tobytes()


def write_tables(corpus: Corpus, folder: Path) -> tuple[Path, Path]:
    """Write faces.tsv and tagIds.tsv for every original of a corpus, all of one class."""
    faces, names = folder / "corpus-faces.tsv", folder / "corpus-tagIds.tsv"
    box = ", ".join(f"{edge:.6f}" for edge in HEAD)
    ids = [int(original.path.stem) for original in corpus.originals]
    faces.write_text("".join(f"{bucket(id)}\\{id}.jpg\t0\t{box} 0.950000\n" for id in ids))
    names.write_text("someone\t0\n")
    return faces, names


def draw_tables(folder: Path, rows: int) -> tuple[Path, Path]:
    """Draw faces.tsv and tagIds.tsv like those of DAF:re, with a long tail of classes."""
    rng = np.random.default_rng(SEED)
    ids = rng.permutation(3_368_713)[:rows] + 1
    classes = -(-rows // _ROWS_PER_CLASS)
    tags = (classes * rng.random(rows) ** 3).astype(int)
    faces, names = folder / "faces.tsv", folder / "tagIds.tsv"
    lines = zip(ids, tags, draw_boxes(rows), strict=True)
    with faces.open("w") as file:
        file.writelines(f"{bucket(id)}\\{id}.jpg\t{tag}\t{box}\n" for id, tag, box in lines)
    names.write_text("".join(f"tag_{tag}\t{tag}\n" for tag in range(classes)))
    return faces, names


class Metadata(Struct, frozen=True):
    """The inputs of `tags`: a folder of metadata, a folder of label files, and a word list."""

    posts: Path
    labels: Path
    profanities: Path


def draw_metadata(folder: Path, records: int) -> Metadata:
    """Draw metadata like Danbooru's, label files, and a list of profanities into `folder`.

    The labels have a seventh of the images, as in DAF:re.
    """
    drawn = Metadata(folder / "posts", folder / "labels", folder / "profanities.txt")
    rng = np.random.default_rng(SEED)
    ids = choose_ids(rng, records)
    for number, start in enumerate(range(0, records, POSTS_A_FILE)):
        part = ids[start : start + POSTS_A_FILE]
        write_posts(drawn.posts / f"{number:04}.json", len(part), seed=number, ids=part)
    wanted = rng.choice(ids, -(-records // 7), replace=False)
    splits = rng.choice(3, len(wanted), p=[0.7, 0.1, 0.2])
    drawn.labels.mkdir()
    for number, split in enumerate(("train", "val", "test")):
        images = wanted[splits == number].tolist()
        lines = (f"{image % _CLASSES},{bucket(image)}/{image}.jpg\n" for image in images)
        (drawn.labels / f"{split}.csv").write_text("".join(lines))
    drawn.profanities.write_text("nude\nunderwear\nbreast\ncleavage\nbikini\n")
    return drawn


def draw_boxes(rows: int) -> list[str]:
    """Draw the third column of faces.tsv: boxes and confidences as text."""
    rng = np.random.default_rng(SEED)
    left, top = rng.uniform(0, 0.5, (2, rows))
    confidence = rng.uniform(0.3, 1.0, rows)
    return [
        f"{x:.6f}, {y:.6f}, {x + 0.4:.6f}, {y + 0.4:.6f} {sure:.6f}"
        for x, y, sure in zip(left, top, confidence, strict=True)
    ]
