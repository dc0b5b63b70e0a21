"""Write the parts of a pack that are missing, and remove those that no longer belong to it."""

from collections.abc import Container, Sequence
from pathlib import Path

import polars as pl

from dafre_fast.core.errors import OutputError, PartsError
from dafre_fast.core.events import Tell
from dafre_fast.core.layout import SHARDS
from dafre_fast.core.parts import named as named_parts
from dafre_fast.core.reasons import SUCCESS
from dafre_fast.core.settings.running import usable_cores
from dafre_fast.core.splits import SPLITS
from dafre_fast.dataset.pictures import Pictures
from dafre_fast.dataset.places import lies_in_shards
from dafre_fast.dataset.samples import still_damaged
from dafre_fast.dataset.spools import Spools, clear_spools
from dafre_fast.engine import loops
from dafre_fast.engine.observers import Advance, counted
from dafre_fast.pack.part import Part
from dafre_fast.pack.receipts import all_recorded, forget, recorded
from dafre_fast.pack.records import Shard
from dafre_fast.pack.rows import Packable, recorded_columns
from dafre_fast.pack.settings import PackRun
from dafre_fast.pack.target import Target
from dafre_fast.pack.writing import Task, carry_out_all


def holds_dataset(run: PackRun, folder: Path) -> bool:
    """Tell whether the pack in `folder` is where the images of the dataset lie."""
    return lies_in_shards(run.output) and folder.resolve() == (run.output / SHARDS).resolve()


class Packing:
    """The writing of a pack.

    If the dataset lies in this very pack, shards to be rewritten are first turned into spools, from
    which their images are read. With `made_in`, so many parts of a run have put all shards into a
    store: PartsError is raised if one is not there as it should be.
    """

    def __init__(
        self,
        run: PackRun,
        target: Target,
        packable: Packable,
        *,
        digests: bool,
        made_in: int | None = None,
    ) -> None:
        self._made_in = made_in
        self._run, self._target, self._folder = run, target, target.folder
        self._recorded = packable.asked.filter(status=SUCCESS).select(
            "id", *recorded_columns(packable.outputs)
        )
        self._digests, self.cpu_seconds = digests, 0.0
        own = holds_dataset(run, target.folder) and not made_in
        self._spools = Spools(run.output, run.shard_size) if own else None
        self.doomed, self.forgotten = set[str](), list[str]()
        """Files, and names of parts, of an object store that no longer belong to the pack."""
        self._pictures = self._find_pictures()

    def _find_pictures(self) -> Pictures:
        if self._spools:
            return self._spools.pictures(self._recorded)
        return Pictures.of(self._run.output)

    def carry_out(self, parts: Sequence[Part], tell: Tell) -> tuple[list[Shard], int]:
        """Return the record of each part, and how many were written."""
        with counted(tell, "images", sum(part.rows.height for part in parts)) as advance:
            shards = {part.name: self._standing(part, advance) for part in parts}
            stands = {name for name, shard in shards.items() if shard}
            if self._made_in:
                refuse_unmade(str(self._target), [*map(bool, shards.values())], self._made_in)
            self._remove_all_but(stands)
            left = [part for part in parts if part.name not in stands]
            if left or self.doomed:
                self._target.reopen()
            shards |= self._write_all(left, advance)
        if self._spools:
            clear_spools(self._run.output)
        self.doomed.difference_update(
            *(_files_of(name, shard) for name, shard in shards.items() if shard)
        )
        self.forgotten = [name for name in self.forgotten if name not in shards]
        return [shard for shard in shards.values() if shard], len(left)

    def _standing(self, part: Part, advance: Advance) -> Shard | None:
        """Return the record of a part that need not be written again: its files have the recorded
        bytes, and the images that it left out are still damaged.
        """
        shard = recorded(self._folder, part.name)
        if shard is None or shard.contents != part.contents:
            return None
        try:
            for name, file in shard.files.items():
                found = str(Path(part.name).with_name(name))
                if not self._target.has(shard, found, file, digests=self._digests):
                    return None
        except OSError:
            return None
        left_out = pl.col("id").is_in([one.id for one in shard.damaged])
        rows = part.rows.filter(left_out).iter_rows(named=True)
        if not all(still_damaged(self._pictures, row, part.outputs) for row in rows):
            return None
        _advance(advance, shard, earlier=True)
        return shard

    def _remove_all_but(self, standing: Container[str]) -> None:
        """Remove other parts of earlier runs: whoever reads all shards would read images twice."""
        names = {*all_recorded(self._folder)}
        if self._spools:  # a copy may have come without its state
            archives = [str(one.relative_to(self._folder)) for one in self._folder.glob("*/*.tar")]
            archives += filter(_is_shard, self._target.there)
            names |= {name.removesuffix(".tar") for name in archives}
        for name in names:
            if name not in standing:
                self._remove(name)
        if self._spools:
            self._pictures = self._find_pictures()

    def _remove(self, name: str) -> None:
        path, shard = self._folder / name, recorded(self._folder, name)
        try:
            if self._spools:
                self._spools.take(path.with_name(f"{path.name}.tar"))
            for file in _files_of(name, shard) if shard else ():
                (self._folder / file).unlink(missing_ok=True)
            if self._target.address:  # what is there stays until all parts are written
                self.doomed |= _files_of(name, shard) if shard else {f"{name}.tar"}
                self.forgotten.append(name)
            else:
                forget(self._folder, name)
        except OSError as error:
            raise OutputError(f"{path}: {error.strerror}") from error

    def _write_all(self, parts: Sequence[Part], advance: Advance) -> dict[str, Shard]:
        needed = self._spools.needed_by([part.rows for part in parts]) if self._spools else {}
        written = dict[str, Shard]()

        def take(number: int, shard: Shard) -> None:
            written[parts[number].name] = shard
            _release(needed, number)

        workers = min(self._run.workers or usable_cores(), len(parts))
        if workers < 2:
            for number, part in enumerate(parts):
                take(number, Task(self._target, part, self._pictures).carry_out(advance))
            return written

        def take_from_worker(number: int, shard: Shard) -> None:
            take(number, shard)
            _advance(advance, shard)

        tasks = (
            Task(self._target, part, self._pictures.of_images(part.rows["id"])) for part in parts
        )
        running = carry_out_all(tasks, self._folder, workers, take_from_worker)
        self.cpu_seconds += loops.run(running)
        return written


def refuse_unmade(place: str, there: Sequence[bool], parts: int) -> None:
    """Raise PartsError if one of the shards that parts have put is not there as the ledger has it:
    the store has lost it, or somebody has replaced it since. Shards are in their order.
    """
    missing = [number for number, one in enumerate(there) if not one]
    if missing:
        again = sorted({number % parts + 1 for number in missing})
        shards = "1 shard is" if len(missing) == 1 else f"{len(missing):,} shards are"
        raise PartsError(
            f"{place}: {shards} not as the ledger has it; run {named_parts(again)} of {parts:,}"
            " again, then merge"
        )


def _is_shard(name: str) -> bool:
    split, _, file = name.partition("/")
    return split in SPLITS and file.endswith(".tar")


def _files_of(name: str, shard: Shard) -> set[str]:
    """Return the paths in the pack of the files of a part."""
    return {str(Path(name).with_name(Path(file).name)) for file in shard.files}


def _advance(advance: Advance, shard: Shard, *, earlier: bool = False) -> None:
    flaws = [one.flaw for one in shard.damaged]
    advance(*flaws, *[None] * (shard.images - len(flaws)), earlier=earlier)


def _release(needed: dict[Path, set[int]], part: int) -> None:
    """Remove the spools that no part needs any longer, now that this one is written."""
    for spool, parts in [*needed.items()]:
        parts.discard(part)
        if not parts:
            spool.unlink(missing_ok=True)
            del needed[spool]
