"""Originals to measure on: drawn, always the same, with Danbooru's mix; or taken from a folder.

Both lie as `{bucket}/{id}.{ext}`, so that every command of dafre_fast can work on them. Tables are
drawn here too.
"""

import functools
import hashlib
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
import cv2
import numpy as np
import pyvips
from msgspec import Struct

from dafre_fast.core.atomic import replacing
from dafre_fast.core.layout import bucket
from dafre_fast.core.records import Box
from dafre_fast.core.settings.running import usable_cores
from dafre_fast.sample.cast import Kind, Portrait
from dafre_fast.sample.drawing import draw
from dafre_fast.sample.posts import choose_ids, write_posts

SEED = 2018
JPEG, PNG = "jpeg", "png"
HEAD = Box(0.3, 0.1, 0.7, 0.5)
"""Of every original; about as large as heads are."""
_EXTENSIONS = {JPEG: "jpg", PNG: "png"}
POSTS_A_FILE = 50_000
"""As many as pandas can take at once: 1.8 GB."""
_ROWS_PER_CLASS, _CLASSES = 20, 3263
_PNG_OF_25 = {1, 4, 8, 12, 15, 19, 22}
_PROGRESSIVE_EVERY, _ALPHA_EVERY = 7, 3


class BadInput(click.ClickException):
    """What was asked for cannot be measured: one line, and exit status 2."""

    exit_code = 2


class Original(Struct, frozen=True):
    """One file, `jpeg` or `png`."""

    path: Path
    format: str
    megapixels: float


class Corpus(Struct, frozen=True):
    """Originals in the order of their ids."""

    folder: Path
    originals: Sequence[Original]

    @property
    def megapixels(self) -> float:
        return sum(original.megapixels for original in self.originals)

    def parts(self) -> list[tuple[str, "Corpus"]]:
        """JPEG and PNG on their own, as far as there are any."""
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
    """The corpus to measure on, below the output folder. Raises BadInput where there is none."""
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"{output}: {error.strerror}") from error
    if source:
        return take_corpus(source, images, output / "corpus")
    drawing = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:8]
    return draw_corpus(images, output / f"drawn-{SEED}-{images}-{drawing}")


def load(folder: Path) -> Corpus:
    """What `draw_corpus` or `take_corpus` left there. Raises BadInput where there is nothing."""
    found = [original for path in folder.glob("*/*.*") if (original := _look(path))]
    if not found:
        raise BadInput(f"{folder}: no JPEG or PNG files to measure on")
    return Corpus(folder, sorted(found, key=lambda original: int(original.path.stem)))


def take_corpus(source: Path, images: int, folder: Path) -> Corpus:
    """Up to `images` of the JPEG and PNG files below `source` that every decoder can read, chosen
    by the seed, as links in `folder`.
    """
    if folder.resolve() == source.resolve():
        raise BadInput(f"{source}: is where the links to the files to measure on are put")
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
    """The same originals again and again under new ids, for whole commands: their start must not
    be all that is measured.
    """
    count = len(corpus.originals)
    rounds = -(-at_least // count)
    for number in range(rounds * count):
        _link(corpus.originals[number % count], folder, number + 1)
    return load(folder)


def _look(path: Path) -> Original | None:
    """By its header; None where it is not what all can read: JPEG or PNG, 8 bits, grey or RGB."""
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
    """72% JPEG of 3.1 megapixels, a seventh of them progressive; 28% PNG of 2.7 megapixels, a third
    of them with alpha. What lies in `folder` is not drawn again. `scale` shrinks the sides.
    """
    folder.mkdir(parents=True, exist_ok=True)
    there = {path.stem for path in folder.glob("*/*.*") if not path.name.startswith(".")}
    left = [number for number in range(1, images + 1) if str(number) not in there]
    # OpenCV, NumPy and libvips let go of the interpreter while they work.
    with ThreadPoolExecutor(usable_cores()) as threads:
        list(threads.map(functools.partial(_write, folder, scale), left))
    return load(folder)


def _write(folder: Path, scale: float, number: int) -> None:
    """Draw one original; its kind follows from its number."""
    rng = np.random.default_rng((SEED, number))
    png = (number - 1) % 25 in _PNG_OF_25
    pixels = _textured(rng, draw(_portrait(rng, number, scale, png=png)))
    image = pyvips.Image.new_from_array(pixels, interpretation="srgb")
    if png:
        image = image if rng.random() < 1 / _ALPHA_EVERY else image[0:3]
        data = image.pngsave_buffer(compression=6, filter="all")
    else:
        data = image[0:3].jpegsave_buffer(
            Q=int(rng.choice([85, 90, 92, 95])),
            subsample_mode="on" if rng.random() < 0.7 else "off",
            interlace=number % _PROGRESSIVE_EVERY == 0,
        )
    with replacing(folder / bucket(number) / f"{number}.{'png' if png else 'jpg'}") as part:
        part.write_bytes(data)


def _portrait(rng: np.random.Generator, number: int, scale: float, *, png: bool) -> Portrait:
    median = 2.0e6 if png else 2.3e6
    area = np.clip(rng.lognormal(np.log(median), 0.8), 0.3e6, 12e6) * scale**2
    ratio = rng.uniform(1.0, 1.6)
    short = int((area / ratio) ** 0.5)
    long = int(short * ratio)
    width, height = (long, short) if rng.random() < 0.3 else (short, long)
    radius = rng.uniform(0.12, 0.24)
    return Portrait(
        id=number,
        character=int(rng.integers(6)),
        kind=Kind.JPEG,
        width=width,
        height=height,
        head_x=rng.uniform(0.35, 0.65) * width / short,
        head_y=rng.uniform(1.3 * radius, 0.42),
        radius=radius,
    )


def _textured(rng: np.random.Generator, pixels: np.ndarray) -> np.ndarray:
    """With fine texture, more in some places than in others: flat colours alone would make files
    much smaller than real ones, and decoding cheaper.
    """
    height, width = pixels.shape[:2]
    amount = np.clip(rng.gamma(1.0, 3.0, (6, 6)), 0, 14).astype(np.float32)
    noise = cv2.GaussianBlur(rng.standard_normal((height, width), np.float32), (0, 0), 0.7)
    texture = 2.2 * noise * cv2.resize(amount, (width, height))
    textured = pixels.copy()
    textured[..., :3] = np.clip(pixels[..., :3] + texture[..., None], 0, 255)
    return textured


def write_tables(corpus: Corpus, folder: Path) -> tuple[Path, Path]:
    """faces.tsv and tagIds.tsv that name every original of a corpus, all of one class."""
    faces, names = folder / "corpus-faces.tsv", folder / "corpus-tagIds.tsv"
    box = ", ".join(f"{edge:.6f}" for edge in HEAD)
    ids = [int(original.path.stem) for original in corpus.originals]
    faces.write_text("".join(f"{bucket(id)}\\{id}.jpg\t0\t{box} 0.950000\n" for id in ids))
    names.write_text("someone\t0\n")
    return faces, names


def draw_tables(folder: Path, rows: int) -> tuple[Path, Path]:
    """faces.tsv and tagIds.tsv like the original's, with a long tail of classes."""
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
    """Posts and what is wanted of them: `posts` a folder of files of `POSTS_A_FILE`, `labels` one
    of label files.
    """

    posts: Path
    labels: Path
    profanities: Path


def draw_metadata(folder: Path, records: int) -> Metadata:
    """Metadata like Danbooru's, label files of a seventh of its images, as DAF:re has, and words
    that are not wanted.
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
    """The third column of faces.tsv."""
    rng = np.random.default_rng(SEED)
    left, top = rng.uniform(0, 0.5, (2, rows))
    confidence = rng.uniform(0.3, 1.0, rows)
    return [
        f"{x:.6f}, {y:.6f}, {x + 0.4:.6f}, {y + 0.4:.6f} {sure:.6f}"
        for x, y, sure in zip(left, top, confidence, strict=True)
    ]
