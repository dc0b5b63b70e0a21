"""dafre_fast: from faces.tsv and a source of originals to a ready image dataset.

The Python functions are those of `__all__` (`dafre_fast.api`); the commands are `dafre-fast NAME`
or `python -m dafre_fast.NAME`.

The map, from the ground up. A module imports from its own room and from rooms above it in this
list, and a command only from the few commands that it is built on (`tool.importlinter`).

    core/       what every room uses: records, reasons, errors, events, summaries, the layout of
                folders, atomic writes, and `settings/`, the home of every flag and default
    tables/     rows: faces.tsv, tagIds.tsv, any table of addresses, the catalogue, labels,
                metadata, posts and their tags; `kernels/` (numba)
    sources/    an id becomes an original: `tree`, `template` (an address per image), `listed`
                (those of a table), `archives/` (tar, zip), `huggingface`, `rsync/`; `transports/`
                move bytes (http, object stores, files), `manners/` keep to what hosts allow
                (rate limits, retries, connections)
    pixels/     bytes become pictures, and pictures files; pure functions. `decoders/`, `kernels/`
    views/      what all screens share: progress, terminal, summary, event log, metrics, figures
    dataset/    a dataset on disk and how it is read: ledger, outcomes, manifest, places, pictures,
                shards, spools, object stores, locks, provenance
    engine/     a run: `inputs`, `plan` (asked for, less what is done), `originals`, `work` (one
                image in a worker), `run`, `observers` (whom it reports to), `executors/`; many runs
                at once, a part each: `coordinator`, `engines` (of this machine), `ray_nodes`
    api, cli, torch, sample/
                Python functions; settings as flags; datasets for PyTorch; the drawn sample
    learning/   a recogniser of characters: networks, losses, augmentation, feeding, metrics, what a
                model's folder holds
    heads/ labels/ tags/ stats/ download/ resize/ crop/ lists/ pack/ export/ audit/ verify/ report/
    gallery/ train/ evaluate/ predict/ warm_up/ full/
                a folder per command: `__init__` says what it does, `__main__` turns flags into an
                exit status, `run` does it, and the rest is what it alone needs
    testing/    a server with every fault, for the tests

The journey of one image in `full`:

    1. its row of faces.tsv becomes a row of the catalogue: id, class, split, head box
       (`tables.catalogue`), unless its confidence or its class is too small
    2. the plan asks for a full image and a head crop, unless the ledger has them (`engine.plan`)
    3. its original is found on disk, or fetched, checked and named (`engine.originals`, `sources`)
    4. a worker decodes, crops, resizes and encodes it (`engine.work`, `pixels.making`), writes the
       files, and adds the outcome to the ledger; a refusal is an outcome with a reason
    5. its row of the manifest says what became of it (`dataset.manifest`)

Words: a *row* of faces.tsv has a *class* and is put in a *split*; its *original* becomes a *full
image* and a *head crop*, as the *recipe* (all settings that decide pixels) says. The *outcome*,
made or refused for a *reason*, is a line of the *ledger*; the *manifest* is the table for the user.
A *run* is one call of a command. A *part* is a file of a pack, and a *shard* one of many alike.
A *host* has *rate limits*, and after a passing failure a *retry*; a *worker* process does *jobs*.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dafre_fast.api import crop_head, make_images, open_dataset, read_catalogue, resize_image

    __version__: str

__all__ = ["crop_head", "make_images", "open_dataset", "read_catalogue", "resize_image"]


if not TYPE_CHECKING:  # or else a type checker takes any name for one of the package

    def __getattr__(name: str) -> object:
        # Nothing is imported before it is used: commands and workers must start fast.
        if name in __all__:
            from dafre_fast import api

            return getattr(api, name)
        if name == "__version__":
            from importlib.metadata import version

            return version("dafre_fast")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the public names, and not the modules that happen to be imported."""
    return sorted([*__all__, "__version__"])
