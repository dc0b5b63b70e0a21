"""The card of a dataset in Markdown: contents, origin, licence, citation."""

from collections.abc import Sequence
from typing import NamedTuple


class Split(NamedTuple):
    """A split: its name and the number of its images and classes."""

    name: str
    images: int
    classes: int


_TEXT = """\
# {title}

{images:,} images of {classes:,} characters, in the layout of DAF:re. {pictures}

| split | images | classes |
|---|---|---|
{rows}

```python
from datasets import load_dataset

dataset = load_dataset("{title}")  # the path of this folder, or OWNER/NAME on the hub
```

`label` is the class, with its name; `left`, `top`, `right` and `bottom` are the head box as
shares of width and height; `tags_cat0`, `tags_cat3` and `tags_cat4` are tags of the picture, the
series and the character, null where none are known. `sha256` and `face_sha256` are those of the
JPEG files.

## Where it is from

dafre_fast made it from a table of heads and their originals. DAF:re, whose layout it has, takes
pictures and tags from [Danbooru](https://danbooru.donmai.us), and heads and the choice of images
from the Danbooru 2018 Anime Character Recognition Dataset.

## Licence

Pictures belong to those who drew them; no licence for them comes with this dataset. Whether you may
use or pass on a picture depends on its artist and on the law where you are.

## How to cite

```bibtex
@misc{{danbooru2018,
  author = {{Anonymous and the Danbooru community and Gwern Branwen}},
  title = {{Danbooru2018: A Large-Scale Crowdsourced and Tagged Anime Illustration Dataset}},
  year = {{2019}},
  howpublished = {{\\url{{https://www.gwern.net/Danbooru2018}}}}
}}
@misc{{wang2019danbooru,
  author = {{Yan Wang}},
  title = {{Danbooru 2018 Anime Character Recognition Dataset}},
  year = {{2019}},
  howpublished = {{\\url{{https://github.com/grapeot/Danbooru2018AnimeCharacterRecognitionDataset}}}}
}}
@misc{{rios2021dafre,
  author = {{Edwin Arkel Rios and Wen-Huang Cheng and Bo-Cheng Lai}},
  title = {{DAF:re: A Challenging, Crowd-Sourced, Large-Scale, Long-Tailed Dataset For Anime
           Character Recognition}},
  year = {{2021}},
  eprint = {{2101.08674}},
  archivePrefix = {{arXiv}}
}}
```
"""


def card(title: str, classes: int, splits: Sequence[Split], pictures: str) -> str:
    """Return the text of the card; `pictures` is a sentence on the columns of pictures."""
    images = sum(split.images for split in splits)
    rows = "\n".join(f"| {one.name} | {one.images:,} | {one.classes:,} |" for one in splits)
    return _TEXT.format(title=title, images=images, classes=classes, pictures=pictures, rows=rows)
