"""Draw the pictures of a report from the files of a dataset and save them beside the page."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from errno import EFBIG, EINVAL
from functools import partial
from pathlib import Path
from stat import S_ISREG

from dafre_fast.core.categories import CATEGORY_NAMES
from dafre_fast.core.errors import Refusal
from dafre_fast.core.layout import ORIGINALS, STATISTICS, bucket
from dafre_fast.core.paths import from_text, to_text
from dafre_fast.core.reasons import Reason
from dafre_fast.core.settings.images import FULL_IMAGE, HEAD_CROP, Bounds, Output
from dafre_fast.dataset.outputs import word_of
from dafre_fast.dataset.pictures import Pictures, Place
from dafre_fast.pixels.sniff import SNIFF_BYTES, sniff
from dafre_fast.pixels.thumbnails import Thumbnail, searched, sheet, square, whole
from dafre_fast.report.records import (
    Cloud,
    Example,
    Picture,
    Refused,
    RefusedOriginal,
    Sheet,
    Tile,
)
from dafre_fast.stats.records import Level

_TILE, _SHEET_TILE, _CLASS_TILE, _REFUSED, _SEARCHED, _CLOUD = 144, 96, 112, 192, 320, 800
"""Longest sides of the pictures, in pixels."""
_SHEET_COLUMNS = 10
FIRST = 12
"""Images at the top of the page."""
_FOLDER = "pictures"
_MOST_PIXELS, _MOST_BYTES = 100_000_000, 100_000_000
"""Largest file that is drawn."""
_BOUNDS = Bounds(max_pixels=_MOST_PIXELS, max_bytes=_MOST_BYTES, truncated="keep")
_NOT_SHOWN = {Reason.WORKER_CRASHED, Reason.OUT_OF_MEMORY, Reason.TIMEOUT, Reason.DECODER_FAILED}
"""Reasons whose originals ended a process, or may: they are not decoded again."""


class ReportPictures:
    """Reads images of `dataset`, draws them small and saves them below `folder`.

    `unread` collects the names of files that could not be read or decoded.
    """

    def __init__(self, dataset: Path, folder: Path) -> None:
        self._dataset, self._folder = dataset, folder
        self._pictures = Pictures.of(dataset)
        self.unread = set[str]()

    def clouds(self) -> Iterator[Cloud]:
        """Yield the word clouds that `stats` drew, a category and level each."""
        for category in CATEGORY_NAMES:
            for level in Level:
                name = f"{STATISTICS}/wordcloud_{level}_cat{category}.png"
                if (self._dataset / name).is_file():
                    shown = self._shown(Place(name, name), partial(whole, size=_CLOUD))
                    if shown:
                        file = f"cloud-{level}-{category}.webp"
                        yield Cloud(category, level.value, self._save(shown, file))

    def sheets(self, split: str, examples: Sequence[Example], labelled: int) -> Iterator[Sheet]:
        """Yield a contact sheet of the same images for each tree; the first `labelled` images are
        tiles of their own as well.
        """
        for output in self._pictures.outputs if examples else ():
            places = [self._pictures.place(output, example.id) for example in examples]
            drawn = sheet(map(self._read, places), _SHEET_TILE, _SHEET_COLUMNS, _MOST_PIXELS)
            self.unread.update(places[number].name for number in drawn.broken)
            picture = self._save(drawn.picture, f"sheet-{output.tree}-{split}.webp")
            tiles = [self._tile(output, example) for example in examples[:labelled]]
            number = len(examples) - sum(place.name in self.unread for place in places)
            shown = picture if number else None
            yield Sheet(split, output.tree, word_of(output), number, shown, tiles)

    def first(self, examples: Sequence[Example]) -> list[Tile]:
        """Return tiles of those examples whose image of the first output can be read."""
        output = self._pictures.outputs[0]
        tiles = [self._tile(output, one, "first") for one in examples]
        return [tile for tile in tiles if tile.picture]

    def tile(self, example: Example) -> Tile:
        """Return the full image of an example as a square tile."""
        return self._tile(FULL_IMAGE, example)

    def of_classes(self, examples: Mapping[int, Example]) -> dict[int, Picture]:
        """Return a head crop, or without these a full image, for each class id that has one."""
        pictures, outputs = {}, self._pictures.outputs
        shows = HEAD_CROP if HEAD_CROP.name in {one.name for one in outputs} else FULL_IMAGE
        for class_id, example in examples.items():
            place = self._pictures.place(shows, example.id)
            if shown := self._shown(place, partial(square, size=_CLASS_TILE)):
                pictures[class_id] = self._save(shown, f"class/{class_id}.webp")
        return pictures

    def of_refused(self, refused: Sequence[Refused]) -> dict[int, RefusedOriginal]:
        """Return the originals of the examples by id: a picture if they can be decoded at least in
        part, and type and size of the file.
        """
        return {
            example.id: self._refused(example, shows=group.reason not in _NOT_SHOWN)
            for group in refused
            for example in group.examples
        }

    def _refused(self, example: Example, *, shows: bool) -> RefusedOriginal:
        found = RefusedOriginal(None, "the original is not on this disk")
        for path in self._originals(example):
            found = RefusedOriginal(None, _type_and_size(path))
            with suppress(OSError, Refusal):
                if shows:
                    shown = whole(_bytes_of(path), _REFUSED, _MOST_PIXELS)
                    saved = self._save(shown, f"refused/{example.id}.webp")
                    return RefusedOriginal(saved, found.file)
        return found

    def searched(self, image_id: int, recorded: str | None) -> tuple[Picture | None, str]:
        """Return a picture of an original, or the reason why there is none. `recorded` is the path
        where it lay when it was searched, if that is known.
        """
        paths = [Path(from_text(recorded))] if recorded else []
        paths += self._originals(Example(image_id, "", ""))
        for path in filter(os.path.exists, paths):
            try:
                shown = searched(_bytes_of(path), _SEARCHED, _BOUNDS)
            except (OSError, Refusal):
                self.unread.add(to_text(path.name))
                return None, "cannot be shown"
            return self._save(shown, f"searched/{image_id}.webp"), ""
        return None, "original not kept"

    def _tile(self, output: Output, example: Example, folder: str = "") -> Tile:
        place = self._pictures.place(output, example.id)
        shown = self._shown(place, partial(square, size=_TILE))
        saved = self._save(shown, f"{folder or output.tree}/{example.id}.webp") if shown else None
        return Tile(example, saved)

    def _originals(self, example: Example) -> Iterator[Path]:
        if example.url and "://" not in example.url:
            yield Path(example.url)
        folder = self._dataset / ORIGINALS / bucket(example.id)
        yield from sorted(folder.glob(f"{example.id}.*"))

    def _shown(self, place: Place, draw: Callable[..., Thumbnail]) -> Thumbnail | None:
        data = self._read(place)
        if data is not None:
            try:
                return draw(data, max_pixels=_MOST_PIXELS)
            except Refusal:
                self.unread.add(place.name)
        return None

    def _read(self, place: Place) -> bytes | None:
        try:
            if place.size is None:
                return _bytes_of(self._dataset / place.file)
            return place.read(self._dataset)
        except OSError:
            self.unread.add(place.name)
            return None

    def _save(self, picture: Thumbnail, name: str) -> Picture:
        path = self._folder / _FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture.data)
        return Picture(f"{_FOLDER}/{name}", picture.width, picture.height)


def _bytes_of(path: Path) -> bytes:
    """Read a file. Raises OSError, also if it is no regular file or too large to show."""
    if _size_of_file(path) > _MOST_BYTES:
        raise OSError(EFBIG, os.strerror(EFBIG))
    return path.read_bytes()


def _size_of_file(path: Path) -> int:
    """Return the bytes of a file. Raises OSError, also if it is no regular file."""
    found = path.stat()
    if not S_ISREG(found.st_mode):
        raise OSError(EINVAL, "not a regular file")
    return found.st_size


def _type_and_size(path: Path) -> str:
    """Return the type of a file by its first bytes, and its size; or why it cannot be read."""
    try:
        size = _size_of_file(path)
        with path.open("rb") as file:
            kind = str(sniff(file.read(SNIFF_BYTES)))
    except OSError as error:
        return f"the original cannot be read: {error.strerror or error}"
    except Refusal as refusal:
        kind = refusal.detail or refusal.reason.replace("_", " ")
    return f"{kind}, {size:,} bytes"
