"""Draw a vocabulary of tags like Danbooru's: a few on nearly every post, and a long tail.

No name has a blank or a comma: Danbooru allows neither.
"""

from collections.abc import Iterator, Sequence
from enum import IntEnum
from functools import cache
from itertools import islice, product
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

Places = NDArray[np.int64]

_SEED = 2018
_SERIES, _CHARACTERS, _ARTISTS = 6_000, 60_000, 50_000
_TAG_IDS = 1_000, 1_500_000
"""Range of tag ids; smaller ones are those of the sample's characters."""


class Category(IntEnum):
    """Category of a tag, by Danbooru's number (2 is not in use)."""

    GENERAL = 0
    ARTIST = 1
    SERIES = 3
    CHARACTER = 4
    META = 5


class Vocabulary(NamedTuple):
    """All tags. Arrays refer to a tag by its place: the number of its row in `tags`."""

    tags: pl.DataFrame
    """id int64, name, category int64; sorted by name, without repeats."""
    series_of: Places
    """Place of the series for the place of a character, -1 for other tags. int64."""
    by_rank: dict[Category, Places]
    """Places of each category, the most frequent tag first. int64."""

    def pick(self, rng: np.random.Generator, category: Category, count: int) -> Places:
        """Draw places of tags of a category, by the law of Zipf and Mandelbrot; int64 (count,)."""
        places = self.by_rank[category]
        upto = np.cumsum((np.arange(len(places)) + 20.0) ** -1.5)
        picked: Places = places[np.searchsorted(upto, rng.random(count) * upto[-1])]
        return picked


@cache
def vocabulary() -> Vocabulary:
    """Return the vocabulary, the same for all files: their tags have the same ids."""
    rng = np.random.default_rng(_SEED)
    series = (*_WELL_KNOWN_SERIES, *_titles(rng, _SERIES))
    # Series of high rank have most of the characters.
    owners = (len(series) * rng.random(_CHARACTERS) ** 3).astype(int)
    characters = [
        f"{name}_({series[owner]})" if number % 3 == 0 else name
        for number, (name, owner) in enumerate(zip(_people(rng, _CHARACTERS), owners, strict=True))
    ]
    taken: set[str] = set()
    named = {
        Category.GENERAL: _distinct((*_COMMON, *_things(rng)), taken),
        Category.META: _distinct(_META, taken),
        Category.SERIES: _distinct(series, taken),
        Category.CHARACTER: _distinct((*_WELL_KNOWN_CHARACTERS, *characters), taken),
        Category.ARTIST: _distinct((*_WELL_KNOWN_ARTISTS, *_people(rng, _ARTISTS)), taken),
    }
    return _sorted(rng, named)


def listed(text: str) -> tuple[str, ...]:
    """Split a text at blanks."""
    return tuple(text.split())


def _distinct(names: Sequence[str], taken: set[str]) -> list[str]:
    """Return the names that are not taken, in order and without repeats; add them to `taken`."""
    kept = [name for name in dict.fromkeys(names) if name not in taken]
    taken.update(kept)
    return kept


def _sorted(rng: np.random.Generator, named: dict[Category, list[str]]) -> Vocabulary:
    names = [name for group in named.values() for name in group]
    ids = rng.permutation(np.arange(*_TAG_IDS))[: len(names)]
    categories = np.repeat([*named], [len(group) for group in named.values()])
    tags = pl.DataFrame({"id": ids, "name": names, "category": categories})
    order = tags["name"].arg_sort().to_numpy()
    places = np.empty(len(names), np.int64)
    places[order] = np.arange(len(names))
    ends = np.cumsum([len(group) for group in named.values()])
    by_rank = dict(zip(named, np.split(places, ends[:-1]), strict=True))
    series_of = np.full(len(names), -1)
    owners = _owners(rng, named[Category.CHARACTER], named[Category.SERIES])
    series_of[by_rank[Category.CHARACTER]] = by_rank[Category.SERIES][owners]
    return Vocabulary(tags[order], series_of, by_rank)


def _owners(rng: np.random.Generator, characters: list[str], series: list[str]) -> list[int]:
    """Return the rank of each character's series: the one in its name, or a random one."""
    ranks = {name: rank for rank, name in enumerate(series)}
    others = (len(series) * rng.random(len(characters)) ** 3).astype(int).tolist()
    named = (name.partition("_(")[2].removesuffix(")") for name in characters)
    return [ranks.get(name, other) for name, other in zip(named, others, strict=True)]


def _things(rng: np.random.Generator) -> list[str]:
    """Return names like `red_scarf` and `holding_scarf`, then far more like `torn_red_scarf`."""
    short = [f"{first}_{thing}" for first in (*_MANNERS, *_COLOURS) for thing in _THINGS]
    long = ["_".join(words) for words in product(_MANNERS, _COLOURS, _THINGS)]
    return [*rng.permutation(short).tolist(), *rng.permutation(long).tolist()]


def _people(rng: np.random.Generator, count: int) -> list[str]:
    """Return invented names: four of five have two parts."""
    first, second = _invented(rng, count), _invented(rng, count)
    alone = rng.random(count) < 0.2
    return [
        one if single else f"{other}_{one}"
        for one, other, single in zip(first, second, alone, strict=True)
    ]


def _titles(rng: np.random.Generator, count: int) -> list[str]:
    forms = ("{}_{}", "{}_no_{}", "{}", "{}:_{}", "{}_x_{}!", "{}-{}", "{}/{}", "{}_{}_2")
    chosen = rng.integers(0, len(forms), count)
    words = zip(_invented(rng, count), _invented(rng, count), strict=True)
    return [forms[form].format(*pair) for form, pair in zip(chosen, words, strict=True)]


def _invented(rng: np.random.Generator, count: int) -> Iterator[str]:
    syllables = iter(np.array(_SYLLABLES)[rng.integers(0, len(_SYLLABLES), 4 * count)].tolist())
    for length in rng.integers(2, 5, count).tolist():
        yield "".join(islice(syllables, length))


_SYLLABLES = listed("""
    a i u e o ka ki ku ke ko sa shi su se so ta chi tsu te to na ni nu ne no ha hi fu he
    ho ma mi mu me mo ya yu yo ra ri ru re ro wa n ga gi gu ge go za ji zu ze zo da de
    do ba bi bu be bo kyo sho jun ryu
""")
_COMMON = listed("""
    1girl solo long_hair breasts blush looking_at_viewer short_hair smile open_mouth
    blue_eyes brown_hair blonde_hair skirt hair_ornament black_hair red_eyes hat dress
    gloves thighhighs multiple_girls bangs ribbon 1boy hair_ribbon brown_eyes bow
    animal_ears long_sleeves navel green_eyes hair_bow blue_hair cleavage underwear
    2girls holding twintails closed_eyes jewelry school_uniform sitting shirt purple_eyes
    very_long_hair pink_hair weapon silver_hair monochrome full_body yellow_eyes flower
    :d ponytail ahoge purple_hair white_hair swimsuit braid bare_shoulders comic
    hair_between_eyes multiple_boys standing cowboy_shot simple_background greyscale
    white_background :o 3girls glasses tail wings sword bikini necktie boots 2boys ^_^
    hairband upper_body >_< food heart ;) sky cloud red_hair detached_sleeves no_humans
    outdoors !? ... 6+girls male_focus armor aqua_eyes +_+ pantyhose horns fang @_@ :3
    4girls =_= elbow_gloves ;d orange_hair green_hair grin 5girls water barefoot nude
    :p star_(symbol) 3boys 4koma bird shoes night parted_lips umbrella ! !! ?? ^^^ 6+boys
    hands_on_own_hips 4boys t-shirt v-neck off-shoulder_shirt \\m/ \\o/ \\||/ \\\\m// :<
    d: x_x o_o |_| <3 0_0 ._. 1other multiple_others o3o :>= xd (o)_(o) <|>_<|> 5boys
    3d 2koma 100_yen 1990s_(style) book/magazine rabbit's_foot cat's_cradle 日本語 :> 8
""")
_META = listed("""
    highres absurdres commentary_request translated commentary translation_request
    bad_id bad_pixiv_id lowres scan photoshop_(medium) md5_mismatch official_art
    cosplay_request source_request check_commentary 16:9_aspect_ratio animated
""")
_WELL_KNOWN_SERIES = listed("""
    original touhou kantai_collection fate/grand_order vocaloid idolmaster pokemon
    fate_(series) nier:automata love_live! fire_emblem:_three_houses k-on! steins;gate
    d.gray-man .hack// working!! 11eyes 07-ghost re:zero けものたち 100%_orange
""")
_WELL_KNOWN_CHARACTERS = (
    "chevalier_d'eon_(fate/grand_order)",
    '"momo"_hoshino',
    *listed("""
        2b_(nier:automata) 9s_(nier:automata) jack-o'_(guilty_gear) admiral_(kantai)
        aoi_yuu_(c@t) k. n/a "aka" d.va_(overwatch) 初音_(さくら) shiro_ō fox-kaede l
    """),
)
_WELL_KNOWN_ARTISTS = ("artist_request", "やまだ", "k+", "o'hara", "8000", 'the_"other"_one', "é~")
_COLOURS = listed("""
    red blue green white black pink purple brown grey yellow orange aqua striped plaid
    polka_dot frilled gold silver two-tone transparent
""")
_MANNERS = listed("""
    holding adjusting torn open oversized single mismatched floating broken wet covered
    removing winged mini unworn traditional cropped tied hanging glowing sleeveless
""")
_THINGS = listed("""
    scarf ribbon dress skirt bow hat jacket coat cape hood kimono apron boots shoes socks
    gloves sweater cardigan vest shirt shorts pants leotard sash belt necklace earrings
    choker bracelet crown tiara hairband headphones glasses goggles mask eyepatch umbrella
    sword spear bow_(weapon) gun staff shield wand book letter cup bottle plate spoon fork
    cake ice_cream apple bread fish cat dog rabbit fox bird butterfly flower rose leaf
    feather star moon heart lantern candle clock mirror window door chair table bed pillow
    blanket bag basket box bicycle car train boat balloon kite drum guitar flute piano
    violin microphone camera phone computer robot doll ball fan flag wing horn tail
""")
