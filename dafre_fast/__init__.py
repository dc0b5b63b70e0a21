"""dafre_fast: from faces.tsv and a source of originals to a ready image dataset.

One image's journey, and where it is told:

    tables/     a row of faces.tsv becomes a row of the catalogue: id, class, split, head box; and a
                post of Danbooru's metadata lists of clean tags (`tag_steps` has the steps)
    sources/    an id becomes an original on disk. Where it lies: `tree`, `template` (an address per
                image), `archives` (tar, zip; `hub` for those of Hugging Face), `rsync`. How its
                bytes come: `http`, `objects`, `local`. Under whose rules: `effort` (attempts and
                time of one), `hosts` (manners), `pace` (how many at once), `arrival` (checked, then
                named). `choose` tells which by the look of `--source`
    pixels/     bytes become pictures: sniffed, gated, planned, decoded (jpeg and png in fast lanes,
                pillow where libvips would get it wrong, vips for the rest), cut, resized, turned,
                encoded; and `likeness` makes hashes of them that are near where they look the same
    packs/      a finished dataset as it is handed on: tar archives and their indexes, shards and
                who reads which of their samples, folders for Hugging Face
    engine/     what is asked for, less what is done, through source and workers into the ledger;
                images become files in trees, or by way of `spools` parts of shards, and `pictures`
                knows where each lies
    views/      what people see of it: the progress line, the summary, what is off, statistics with
                their plots, and the report; and what machines do: the log of events, and metrics

Commands are thin modules at the top: `full` the whole run; `labels`, `tags`, `stats` and `lists`
for tables; `download`, `resize` and `crop` for images; `verify`, which reads it all back, and
`audit`, which finds what is there twice; `report`, `gallery` and `pack` to look at it and to hand
it on. `cli` makes flags of the settings in `core/`, the ground that everything stands on.
`sample/` draws and serves a small dataset with its metadata, and every fault of a server. Arrows
point down only:

    commands -> engine -> {tables, sources, pixels, packs, views} -> model

Words: a *row* of faces.tsv; what is *wanted* of it (an image, and what to make of it); its
*original*, bytes as found; the *recipe*, all settings that decide pixels; the *outcome*, made or
refused for a *reason*; the *ledger* of outcomes; the *manifest*, the table handed to the user.
"""

from typing import Any

__all__ = ["crop_head", "make_images", "open_dataset", "read_catalogue", "resize_image"]


def __getattr__(name: str) -> Any:
    # Nothing is imported before it is used: commands and workers must start fast.
    if name in __all__:
        from dafre_fast import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
