"""The card of a pack: a README.md for people, and at its head what the library `datasets` reads."""

from collections.abc import Mapping, Sequence

import polars as pl

from dafre_fast.core.settings.images import HEAD_CROP, Output, Whole
from dafre_fast.dataset.provenance import Choice, choice, is_of_danbooru, words_of
from dafre_fast.pack.formats.hub_metadata import SPLITS, front_matter
from dafre_fast.pack.rows import Packable, made_of
from dafre_fast.pack.settings import PackRun

_TEXT = """\
# {title}

{description}{images:,} images of {classes:,} classes, in the layout of
[DAF:re](https://arxiv.org/abs/2101.08674).

| split | images | classes |
|---|---|---|
{rows}

```python
from datasets import load_dataset

dataset = load_dataset(".")  # the path of this folder, or OWNER/NAME on the hub
```

{contents} `left`, `top`, `right` and `bottom` are the head box as shares of width and height;
`tags_cat0`, `tags_cat3` and `tags_cat4` are tags of the picture, the series and the character.

## Where it is from

{origin}

## Licence

Pictures belong to those who made them; no licence for them comes with this dataset. Whether you may
use or pass on a picture depends on its author and on the law where you are.
"""

_OF_DANBOORU = """
## How to cite

```bibtex
@misc{danbooru2018,
  author = {Anonymous and the Danbooru community and Gwern Branwen},
  title = {Danbooru2018: A Large-Scale Crowdsourced and Tagged Anime Illustration Dataset},
  year = {2019},
  howpublished = {\\url{https://www.gwern.net/Danbooru2018}}
}
@misc{wang2019danbooru,
  author = {Yan Wang},
  title = {Danbooru 2018 Anime Character Recognition Dataset},
  year = {2019},
  howpublished = {\\url{https://github.com/grapeot/Danbooru2018AnimeCharacterRecognitionDataset}}
}
@misc{rios2021dafre,
  author = {Edwin Arkel Rios and Wen-Huang Cheng and Bo-Cheng Lai},
  title = {DAF:re: A Challenging, Crowd-Sourced, Large-Scale, Long-Tailed Dataset For Anime
           Character Recognition},
  year = {2021},
  eprint = {2101.08674},
  archivePrefix = {arXiv}
}
```
"""


def card(
    run: PackRun,
    packable: Packable,
    files: Mapping[str, str],
    features: Sequence[str],
    contents: str,
) -> str:
    """Return the text of the card of a pack.

    `files` are the paths of the files of each split, as patterns; `features` describes their
    columns (`pack.formats.hub_metadata`), `contents` does so in sentences.
    """
    title, rows = run.title or run.output.resolve().name, made_of(packable.asked)
    splits = {str(split): own for (split,), own in rows.group_by("split", maintain_order=True)}
    lines = [
        f"| {SPLITS[split]} | {own.height:,} | {_classes(own):,} |" for split, own in splits.items()
    ]
    made_from = choice(run.output)
    text = _TEXT.format(
        title=title,
        description=f"{run.description}\n\n" if run.description else "",
        images=rows.height,
        classes=_classes(rows),
        rows="\n".join(lines),
        contents=contents,
        origin=_origin(made_from),
    )
    of_splits = {SPLITS[split]: files[split] for split in splits}
    cited = _OF_DANBOORU if made_from and is_of_danbooru(made_from.source) else ""
    return front_matter(title, rows.height, of_splits, features) + text + cited


def _classes(rows: pl.DataFrame) -> int:
    return rows["class_id"].n_unique() if "class_id" in rows.columns else 0


def _origin(made_from: Choice | None) -> str:
    if made_from is None:
        return "dafre_fast made it from originals and a table of heads, which it has no record of."
    tables = ", ".join(f"`{table.path}` (SHA-256 {table.sha256})" for table in made_from.tables)
    lines = [f"dafre_fast made it from {words_of(made_from.source)} and these tables: {tables}."]
    if made_from.metadata:
        lines.append(f"Tags are those of {', '.join(f'`{one}`' for one in made_from.metadata)}.")
    if is_of_danbooru(made_from.source):
        lines.append(
            "Pictures and tags are those of [Danbooru](https://danbooru.donmai.us); heads and the"
            " choice of images those of the Danbooru 2018 Anime Character Recognition Dataset."
        )
    return "\n".join(lines)


def what_they_show(columns: Mapping[str, str], outputs: Sequence[Output]) -> str:
    """Return a sentence on the columns of outputs: `image` is the whole picture, …"""
    parts = [f"`{columns[output.name]}` {_what_it_shows(output)}" for output in outputs]
    return ", ".join([parts[0].replace("` ", "` is ", 1), *parts[1:]]) + "."


def words_of_files(outputs: Sequence[Output]) -> str:
    """Return words for the files of outputs, which all have one format."""
    return f"the {_FORMATS[outputs[0].extension]} files"


_FORMATS = {"jpg": "JPEG", "webp": "WebP", "png": "PNG"}


def _what_it_shows(output: Output) -> str:
    if isinstance(output.region, Whole):
        return "the whole picture"
    if output.name == HEAD_CROP.name:
        return "the head"
    return f"the head with a margin of {output.region.margin:g}"
