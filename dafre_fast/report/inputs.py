"""Read the records of a dataset that a report shows; what is missing or damaged is noted."""

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from dafre_fast.core.atomic import digest
from dafre_fast.core.errors import InputError
from dafre_fast.core.layout import LABELS, MANIFEST, STATE
from dafre_fast.dataset.ledger import NAME as LEDGER
from dafre_fast.dataset.ledger import Marks, marks
from dafre_fast.dataset.provenance import CHOICE, Choice, File, Making, choice, makings
from dafre_fast.dataset.provenance import NAME as MAKINGS
from dafre_fast.report.records import Throughput
from dafre_fast.report.throughput import throughput

T = TypeVar("T")


class Records:
    """The records beside the manifest of the dataset in `output`.

    `left_out` maps a section of the page to the reason why it is absent; `unread` has the names of
    files that are there and could not be read.
    """

    def __init__(self, output: Path) -> None:
        self._output = output
        self.left_out = dict[str, str]()
        self.unread = set[str]()

    def decoded(self, name: str, kind: type[T], section: str) -> T | None:
        """Return a JSON file of the dataset as a record, or None without it."""
        return self.decoded_at(self._output / name, name, kind, section)

    def decoded_at(self, path: Path, name: str, kind: type[T], section: str) -> T | None:
        """Return the JSON file at `path`, which the page calls `name`, as `decoded` does."""
        try:
            return msgspec.json.decode(path.read_bytes(), type=kind)
        except FileNotFoundError:
            hint = "; `full` writes it if --metadata is given" if section == "tags" else ""
            self.left_out[section] = f"{name} is not there{hint}"
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            self.left_out[section] = f"{name} cannot be read"
            self.unread.add(name)
        return None

    def marks(self) -> Marks:
        """Return recipes and times of the ledger."""
        try:
            return marks(self._output / STATE)
        except InputError:
            self.unread.add(f"{STATE}/{LEDGER}")
            return Marks({}, 0, {})

    def throughput(self, marked: Marks) -> Throughput | None:
        """Return the throughput of each stage, if the ledger has times."""
        found = throughput(marked.times, marked.untimed)
        if found is None:
            reason = "the ledger does not say when" if marked.untimed else "there is no ledger"
            once = "all outcomes were recorded at once"
            self.left_out["throughput"] = once if marked.times else reason
        return found

    def makings(self, marked: Marks) -> list[Making]:
        """Return settings and versions of the runs whose outcomes the ledger holds."""
        try:
            known = makings(self._output)
        except InputError:
            self.unread.add(f"{STATE}/{MAKINGS}")
            known = []
        of_ledger = [one for one in known if {one.pixels, one.bounded} & marked.recipes.keys()]
        if not of_ledger:
            self.left_out["settings"] = "settings and versions were not recorded"
        return of_ledger

    def choice(self) -> Choice | None:
        """Return the inputs and rules of the last run, if they are recorded."""
        try:
            return choice(self._output)
        except InputError:
            self.unread.add(f"{STATE}/{CHOICE}")
            return None

    def files(self) -> Iterator[File]:
        """Yield size and SHA-256 of the manifest and of every label file."""
        labels = sorted((self._output / LABELS).glob("*"))
        for path in (self._output / MANIFEST, *labels):
            name = str(path.relative_to(self._output))
            if path.is_file():
                try:
                    found = digest(path)
                    yield File(name, found.bytes, found.sha256)
                except OSError:
                    self.unread.add(name)
