"""Keep what is read apart from what is written: no output takes the place of an original.

Folders are compared as the system finds them, through links and by relative paths. All functions
raise UsageError before anything is written.
"""

import os
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

from dafre_fast.core.errors import UsageError
from dafre_fast.core.formats import EXTENSIONS
from dafre_fast.core.layout import ORIGINALS, SHARDS
from dafre_fast.core.paths import from_text
from dafre_fast.dataset.products import holds_products
from dafre_fast.sources.choose import finds_only

_BUCKET = re.compile(r"\d{4}")


def refuse_same(read: Path, flag: str, output: Path) -> None:
    """Refuse an output that is the very folder that is read; `flag` names it."""
    if _same(read, output):
        raise UsageError(
            f"--output {output} is the folder that {flag} {read} reads: outputs would lie among"
            " the originals, or take their place; give another --output"
        )


def refuse_source(
    source: str, output: Path, trees: Iterable[Path] = (), buckets: Iterable[str] = ()
) -> None:
    """Refuse a `--source` on this machine that is the output, or holds its originals in a folder
    of one of the `trees` that are written.
    """
    read = Path(source).expanduser()
    if "://" in source or not read.is_dir():
        return
    refuse_same(read, "--source", output)
    if finds_only(source):
        refuse_shared_buckets(read, "--source", trees, buckets)
    elif read.resolve().is_relative_to((output / SHARDS).resolve()):
        raise UsageError(
            f"--source {read} holds the images of --output {output} themselves, which would be"
            " written anew; give another --output"
        )


def refuse_removing(source: str, originals: Path) -> None:
    """Refuse to remove originals, once they are used, if those of a folder `--source` lie among
    those that are fetched.
    """
    read = Path(source).expanduser()
    if "://" not in source and read.is_dir() and _overlap(read.resolve(), originals.resolve()):
        raise UsageError(
            f"--no-keep-originals: {originals} has originals of --source {read}, which stay;"
            " give another --output"
        )


def _overlap(one: Path, other: Path) -> bool:
    return one.is_relative_to(other) or other.is_relative_to(one)


def refuse_taken(read: Path, output: Path) -> None:
    """Refuse an output within the folder that is read, if it holds files that no run put there: as
    an output it is left out of what is read.
    """
    inside = output.resolve().is_relative_to(read.resolve())
    if inside and output.is_dir() and not holds_products(output) and _holds_files(output):
        raise UsageError(
            f"--output {output} lies in --input {read} and holds files that no run made: they"
            " would be neither read nor safe; give an empty folder, or one elsewhere"
        )


def refuse_replacing(
    originals: Sequence[str], links: Iterable[str], outputs: Sequence[str]
) -> None:
    """Refuse outputs any of which would take the place of an original. Originals are paths as text
    (`core.paths`); `links` are those of them that are links to files.
    """
    real = _resolver()
    targets = [os.path.realpath(from_text(link)) for link in links]
    read = {real(os.path.dirname(from_text(path))) for path in originals}  # noqa: PTH120
    both = {real(os.path.dirname(path)) for path in outputs} & (  # noqa: PTH120
        read | {os.path.dirname(target) for target in targets}  # noqa: PTH120
    )
    if not both:
        return
    files = {_within(real, from_text(path)): path for path in originals}
    files |= {target: target for target in targets}
    for output in outputs:
        if original := files.get(_within(real, output)):
            raise UsageError(
                f"the output {output} would take the place of the original {original}; give"
                " another --output"
            )


def refuse_shared_buckets(
    read: Path, flag: str, written: Iterable[Path], buckets: Iterable[str]
) -> None:
    """Refuse trees of outputs of which a folder is one in which `sources.tree` finds originals."""
    real, names = _resolver(), [*buckets]
    places = [read, *(read / name for name in names), *(read / ORIGINALS / name for name in names)]
    sources = {real(str(place)): place for place in places}
    for tree in written:
        for name in names:
            if source := sources.get(real(str(tree / name))):
                also = "" if source == tree / name else f" (which is {source})"
                raise UsageError(
                    f"outputs would go to {tree / name}{also}, where {flag} {read} finds originals,"
                    " and take the place of these; give another --output"
                )


def refuse_tables(metadata: Iterable[Path], output: Path) -> None:
    """Refuse an output of tables within a folder of metadata, as which the next run would read
    them.
    """
    for folder in metadata:
        if folder.is_dir() and output.resolve().is_relative_to(folder.resolve()):
            raise UsageError(
                f"--output {output} lies in --metadata {folder}: the next run would read tables of"
                " tags as metadata; give another --output"
            )


def refuse_manifest(manifest: Path | None, inputs: Iterable[Path] = ()) -> None:
    """Refuse a manifest that would replace one of the inputs, or any file that is not Parquet."""
    if manifest is None or not manifest.is_file():
        return
    for path in inputs:
        if _same(path, manifest):
            raise UsageError(f"--manifest {manifest} is the input {path}; give another file")
    with suppress(OSError), manifest.open("rb") as file:
        if file.read(4) not in (b"PAR1", b""):
            raise UsageError(
                f"--manifest {manifest} is there and is no Parquet file; give another file"
            )


def refuse_pack(folder: Path, dataset: Path) -> None:
    """Refuse a folder for a pack that is the dataset, or holds pictures or buckets of them."""
    if _same(folder, dataset):
        raise UsageError(f"--into {folder} is the dataset itself; give another folder")
    with suppress(OSError):
        for path in folder.iterdir():
            if path.suffix[1:].lower() in EXTENSIONS or _BUCKET.fullmatch(path.name):
                raise UsageError(
                    f"--into {folder} holds pictures ({path.name}), and a pack would be taken for"
                    " more of them; give another folder"
                )


def _holds_files(folder: Path) -> bool:
    return any(not path.name.startswith(".") for path in folder.iterdir())


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return one.resolve() == other.resolve()


def _resolver() -> Callable[[str], str]:
    """Return a function like `os.path.realpath` for many folders with the same parents."""

    @cache
    def real(folder: str) -> str:
        parent, name = os.path.split(folder)
        if not parent or name in {"", ".", ".."}:
            return os.path.realpath(folder)
        path = os.path.join(real(parent), name)  # noqa: PTH118
        return os.path.realpath(path) if os.path.islink(path) else path  # noqa: PTH114

    return real


def _within(real: Callable[[str], str], path: str) -> str:
    folder, name = os.path.split(path)
    return os.path.join(real(folder), name)  # noqa: PTH118
