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
                encoded
    engine/     what is asked for, less what is done, through source and workers into the ledger
    views/      what people see of it: the progress line, the summary, what is off, statistics with
                their plots, and the pages of the gallery; and what machines do: the log of events,
                and metrics

Commands (`full`, `labels`, `tags`, `stats`, `lists`, `download`, `resize`, `crop`, `verify`, which
reads it all back, and `gallery`, which serves it to a browser) are thin modules at the top; `cli`
makes flags of the settings in `model/`, the ground that everything stands on. `sample/` draws and
serves a small dataset with its metadata, and every fault of a server. Arrows point down only:

    commands -> engine -> {tables, sources, pixels, views} -> model

Words: a *row* of faces.tsv; what is *wanted* of it (an image, and what to make of it); its
*original*, bytes as found; the *recipe*, all settings that decide pixels; the *outcome*, made or
refused for a *reason*; the *ledger* of outcomes; the *manifest*, the table handed to the user.
"""
