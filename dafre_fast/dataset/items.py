"""Items of a finished dataset for training: by number from a folder, or in order from shards.

PyTorch is not needed here; `dafre_fast.torch` wraps these classes. Both can be pickled and sent to
workers. They hold arrays of numbers and no tables, so that a forked worker uses no library with
threads of its own.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from dafre_fast.core.errors import InputError, Refusal, UsageError
from dafre_fast.core.events import Tell, silent
from dafre_fast.core.reasons import SUCCESS
from dafre_fast.core.settings.images import FULL_IMAGE, HEAD_CROP, Output
from dafre_fast.dataset.chosen import ALL, Lists, read_chosen
from dafre_fast.dataset.outputs import choose_outputs
from dafre_fast.dataset.pictures import Pictures, file_of
from dafre_fast.dataset.reading import LISTS, open_manifest, open_tags
from dafre_fast.dataset.shards import (
    Division,
    Even,
    Order,
    Reader,
    Shard,
    choose_samples,
    find_shards,
    read_samples,
)
from dafre_fast.pixels.rasters import Pixels
from dafre_fast.pixels.tensors import decode, square

Transform = Callable[[Pixels], Any]
Item = dict[str, Any]
_Numbers = Sequence[int] | NDArray[np.int32]


class Square(NamedTuple):
    """A transform that returns the middle of a picture as a square of `side` pixels."""

    side: int

    def __call__(self, pixels: Pixels) -> Pixels:
        return square(pixels, self.side)


class Making(NamedTuple):
    """Rules for making items: of which images (`dataset.outputs.choose_outputs`), with which
    transform of their pixels, and which tags are reported in `tags`.

    A transform that shrinks pictures may have an attribute `least_side`: it then gets pictures that
    were shrunk while they were decoded, to a short side of no less (`pixels.tensors.decode`).
    """

    images: str
    transform: Transform | None = None
    tag_names: Sequence[str] | None = None

    def item(
        self, image: int, class_id: int, files: Mapping[Output, bytes], tags: _Numbers
    ) -> Item:
        """Return an item: `id`, `class_id`, each output under its name (RGB, (height, width, 3),
        uint8, or what the transform returns), and, if there are tag names, `tags`, a bool for each.

        `files` are the bytes of the outputs, `tags` the numbers of the tags that the image has.
        Raises InputError if a picture cannot be decoded.
        """
        item: Item = {"id": image, "class_id": class_id}
        least_side = getattr(self.transform, "least_side", None)
        for output, data in files.items():
            try:
                pixels = decode(data, least_side)
            except Refusal as refusal:
                raise InputError(f"{file_of(output, image)}: {refusal}") from refusal
            item[output.name] = self.transform(pixels) if self.transform else pixels
        if self.tag_names is not None:
            item["tags"] = np.zeros(len(self.tag_names), np.bool_)
            item["tags"][tags] = True
        return item


def read_tag_names(folder: str | Path) -> list[str]:
    """Return the names of all tags of a dataset, of every category and split, in ascending order.

    Raises InputError if the dataset cannot be read.
    """
    open_manifest(Path(folder))
    tags = [
        table.select(tag=name).explode("tag") for table in open_tags(Path(folder)) for name in LISTS
    ]
    if not tags:
        return []
    found = pl.concat(tags).drop_nulls().unique().collect(engine="streaming")
    return found["tag"].sort().to_list()


class Items:
    """The images of one split that were made, or of all splits for None, in the order of the
    manifest, that lists choose (`dataset.chosen`).

    `ids` and `class_ids` are int64, one for each item; `class_names[class_id]` is the name of a
    class. Without classes all `class_ids` are -1. `excluded` counts the images that lists leave
    out. Raises InputError if the dataset or a list cannot be read, UsageError for images that it
    does not have, or if the lists leave none.
    """

    def __init__(
        self,
        folder: Path,
        split: str | None,
        making: Making,
        lists: Lists = ALL,
        tell: Tell = silent,
    ) -> None:
        self._pictures, self._making = Pictures.of(folder), making
        table = open_manifest(folder)
        self._outputs = choose_outputs(self._pictures.outputs, making.images)
        classes = dict(table.select("class_id", "class_name").unique().collect().iter_rows())
        rows = table.filter(status=SUCCESS)
        rows = rows if split is None else rows.filter(split=split)
        every = rows.select("id", "class_id").collect(engine="streaming")
        of_split = repr(split) if split else "any split"
        if every.is_empty():
            raise InputError(f"{folder}: no image of {of_split} was made")
        found = every.filter(read_chosen(lists, table, tell).stays)
        self.excluded = every.height - found.height
        if found.is_empty():
            raise UsageError(f"{lists}: no image of {of_split} is left")
        last = max((one for one in classes if one is not None), default=-1)
        names = (classes.get(class_id) for class_id in range(last + 1))
        self.class_names = [name or str(class_id) for class_id, name in enumerate(names)]
        self.ids = found["id"].to_numpy()
        self.class_ids = found["class_id"].fill_null(-1).to_numpy()
        self._tags = _Tags.of(folder, found["id"], making.tag_names or ())

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, number: int) -> Item:
        """Return an item (`Making.item`). Raises IndexError, and InputError if a file cannot be
        read.
        """
        image = int(self.ids[number])
        files = dict[Output, bytes]()
        for output in self._outputs:
            place = self._pictures.place(output, image)
            try:
                files[output] = place.read(self._pictures.folder)
            except OSError as error:
                raise InputError(
                    f"{self._pictures.folder / place.name}: {error.strerror}"
                ) from error
        return self._making.item(
            image, int(self.class_ids[number]), files, self._tags.of_item(number)
        )


class _Tags(NamedTuple):
    """The tag numbers of all items, item by item, and where those of each item begin. `begins` has
    one element more than there are items.
    """

    numbers: NDArray[np.int32]
    begins: NDArray[np.int64]

    @classmethod
    def of(cls, folder: Path, ids: pl.Series, names: Sequence[str]) -> "_Tags":
        """Read the tags of these images; tags without a place in `names` are left out."""
        known = pl.LazyFrame(
            {"tag": names, "number": range(len(names))}, {"tag": pl.String, "number": pl.Int32}
        )
        rows = pl.LazyFrame({"id": ids}).with_row_index("row")
        found = [pl.DataFrame(schema={"row": pl.UInt32, "number": pl.Int32})]
        for table in open_tags(folder) if names else ():  # split by split: fewer strings in memory
            first = table.filter(pl.col("id").is_first_distinct())
            for name in LISTS:
                uses = first.select("id", tag=name).explode("tag").join(known, on="tag").drop("tag")
                numbered = uses.join(rows, on="id").select("row", "number")
                found.append(numbered.collect(engine="streaming"))
        tags = pl.concat(found).sort("row")
        ends = np.bincount(tags["row"].to_numpy(), minlength=len(ids)).cumsum()
        return cls(tags["number"].to_numpy(), np.concatenate(([0], ends)))

    def of_item(self, number: int) -> NDArray[np.int32]:
        """Return the tag numbers of one item."""
        at = range(len(self.begins) - 1)[number]
        return self.numbers[self.begins[at] : self.begins[at + 1]]


class Stream:
    """The samples of all WebDataset shards in a folder, as `pack` writes them, divided among
    readers (`dataset.shards.Division`).

    With a seed, every epoch has another order of shards, and of the samples in each of them. Lists
    choose samples; `excluded` counts the others. Raises InputError for a folder without such
    shards, UsageError for images that they do not have, or if the lists leave none.
    """

    def __init__(
        self,
        folder: Path,
        making: Making,
        seed: int | None,
        *,
        even: Even = None,
        batch: int | None = None,
        lists: Lists = ALL,
    ) -> None:
        shards = find_shards(folder)
        self._shards, self._making, self.seed = choose_samples(shards, lists), making, seed
        self.division = Division(sum(len(shard.numbers) for shard in self._shards), even, batch)
        self.excluded = sum(shard.samples for shard in shards) - self.division.samples
        self._outputs = choose_outputs(_outputs_in(self._shards), making.images)
        for shard in self._shards:
            if lacking := {one.name for one in self._outputs} - shard.members.keys():
                raise UsageError(f"{shard.path}: has no {' and no '.join(sorted(lacking))} images")
        names = making.tag_names or ()
        self._numbers = {name: number for number, name in enumerate(names)}

    def items(self, epoch: int, reader: Reader, begin: int = 0) -> Iterator[Item]:
        """Yield the items of one epoch for a reader, without the first `begin` of them."""
        order = Order(self._shards, None if self.seed is None else f"{self.seed} {epoch}")
        for shard, numbers in order.at(islice(self.division.of(reader), begin, None)):
            for key, members in read_samples(shard, numbers):
                yield self._item(shard, int(key), members)

    def _item(self, shard: Shard, image: int, members: dict[str, bytes]) -> Item:
        files = {one: members[shard.members[one.name]] for one in self._outputs}
        tags = list[int]()
        if self._numbers:
            facts = msgspec.json.decode(members["json"])
            named = (tag for name in LISTS for tag in facts.get(name) or ())
            tags = [self._numbers[tag] for tag in named if tag in self._numbers]
        return self._making.item(image, int(members.get("cls", b"-1")), files, tags)


def _outputs_in(shards: Iterable[Shard]) -> list[Output]:
    """Return the full image and the head crop, and any other output that the shards hold."""
    known = {output.name: output for output in (FULL_IMAGE, HEAD_CROP)}
    names = dict.fromkeys(name for shard in shards for name in shard.members)
    return [*known.values(), *(Output(name, name) for name in names if name not in known)]
