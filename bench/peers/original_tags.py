"""The algorithm of DAF:re's scripts for tables of tags, rewritten: pandas and lists, in stages.

Eight scripts do this. Each reads a CSV, whose lists it evaluates as Python, and writes the next.
Here they are the stages of one process, which saves their start. Their output on screen is left
out. Metadata must have the old shape. A name with a comma before punctuation becomes two, as in the
scripts; Danbooru has none today.
usage: original_tags.py METADATA... LABELS_DIR OUTPUT_DIR PROFANITIES
"""

import ast
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd

LISTS = ("tags_cat0", "tags_cat3", "tags_cat4")
FLAGS = ("is_pending", "is_flagged", "is_deleted", "is_banned")
REWRITES = {
    r"(\d{1})([girl|boy]+)": r"\1 \2",
    r"(6\+)(\w+)": r"\1 \2",
    r'[\\~#%&*{}<>?!|"\-^;.:_/]+': " ",
}
LONGEST_SHORT_TAG, LEAST_USES = 2, 2
SPLITS = ("train", "val", "test")


def organise(metadata: Path, csv: Path) -> None:
    """Keep the needed columns of one file, with tags by category."""
    posts = pd.read_json(metadata, lines=True)
    for column in LISTS:
        posts[column] = [
            [tag["name"] for tag in tags if tag["category"] == column[-1]] for tags in posts["tags"]
        ]
    kept = ["id", "image_width", "image_height", "file_ext", *FLAGS, "rating", *LISTS]
    posts[kept].to_csv(csv, index=False)


def combine(csvs: list[Path], csv: Path) -> None:
    """Join all files into one, with the paths of the images."""
    posts = pd.concat([pd.read_csv(part) for part in csvs])
    posts["path_img"] = [f"{number % 1000:04d}/{number}.jpg" for number in posts["id"]]
    posts.to_csv(csv, index=False)


def in_order_and_safe(posts: pd.DataFrame) -> pd.DataFrame:
    """Return the posts without flags and rated safe."""
    for flag in FLAGS:
        posts = posts[~posts[flag]]
    return posts[posts["rating"] == "s"]


def without_symbols(posts: pd.DataFrame) -> pd.DataFrame:
    """Put a space after numbers, and in place of punctuation."""
    for column in LISTS:
        posts["text"] = posts[column].apply(", ".join)
        for pattern, replacement in REWRITES.items():
            posts = posts.replace({"text": {pattern: replacement}}, regex=True)
        posts[column] = posts["text"].str.split(pat=", ")
        posts[column] = posts[column].apply(lambda tags: [tag for tag in tags if _length(tag) > 0])
    return posts.drop(columns="text")


def without_short_and_rare(posts: pd.DataFrame) -> pd.DataFrame:
    """Remove tags of up to two characters, then those that are used once."""
    for column in LISTS:
        posts[column] = posts[column].apply(
            lambda tags: [tag for tag in tags if _length(tag) > LONGEST_SHORT_TAG]
        )
    for column in LISTS:
        uses = posts[column].explode().value_counts()
        posts[column] = posts[column].apply(
            lambda tags, uses=uses: [tag for tag in tags if uses[tag] >= LEAST_USES]
        )
    return posts


def _length(tag: str) -> int:
    return len(tag) - tag.count(" ")


def without_profanities(posts: pd.DataFrame, words: set[str]) -> pd.DataFrame:
    """Remove tags of category 0 that contain one of the words."""
    posts["tags_cat0"] = posts["tags_cat0"].apply(
        lambda tags: [tag for tag in tags if not any(word in tag for word in words)]
    )
    return posts


def filled(posts: pd.DataFrame) -> pd.DataFrame:
    """Put the tag `unlabeled` into empty lists."""
    for column in LISTS:
        posts[column] = posts[column].apply(lambda tags: tags or ["unlabeled"])
    return posts


def cut(csv: Path, labels: Path, output: Path) -> None:
    """Write the posts of a split's images, with their classes."""
    posts = pd.read_csv(csv)
    images = pd.read_csv(labels, names=["class_id", "dir"])
    images["id"] = [int(path.split("/")[1].split(".")[0]) for path in images["dir"]]
    posts = posts[posts["id"].isin(images["id"])].merge(images, how="left", on="id")
    posts[["id", "dir", "class_id", *LISTS]].to_csv(output, index=False)


def stage(work: Callable[[pd.DataFrame], pd.DataFrame], csv: Path, output: Path) -> Path:
    """Do what one script does: read, work, write."""
    posts = pd.read_csv(csv, converters=dict.fromkeys(LISTS, ast.literal_eval))
    work(posts).to_csv(output, index=False)
    return output


def main(metadata: list[Path], labels: Path, output: Path, profanities: Path) -> None:
    """Make `{train,val,test}_tags.csv` from metadata."""
    output.mkdir(parents=True, exist_ok=True)
    words = set(profanities.read_text(encoding="utf-8").splitlines())
    with tempfile.TemporaryDirectory(dir=output) as temporary:
        folder = Path(temporary)
        parts = [folder / f"{number}.csv" for number in range(len(metadata))]
        for source, part in zip(metadata, parts, strict=True):
            organise(source, part)
        csv = folder / "combined.csv"
        combine(parts, csv)
        csv = stage(in_order_and_safe, csv, folder / "safe.csv")
        csv = stage(without_symbols, csv, folder / "symbols.csv")
        csv = stage(without_short_and_rare, csv, folder / "counted.csv")
        csv = stage(lambda posts: without_profanities(posts, words), csv, folder / "clean.csv")
        csv = stage(filled, csv, folder / "filled.csv")
        for split in SPLITS:
            cut(csv, labels / f"{split}.csv", output / f"{split}_tags.csv")


if __name__ == "__main__":
    *metadata_paths, labels_path, output_path, profanities_path = map(Path, sys.argv[1:])
    main(metadata_paths, labels_path, output_path, profanities_path)
