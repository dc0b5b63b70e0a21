"""The algorithm of DAF:re's scripts for label files, rewritten: pandas by row, then by class.

Two scripts do this: one walks over faces.tsv with `iloc` and keeps the heads of high confidence;
one filters the whole table once for every class. Their output on screen, and the image that they
open per row, are left out. usage: original_labels.py FACES TAG_IDS OUTPUT_DIR
"""

import sys
from pathlib import Path

import pandas as pd

MIN_CONFIDENCE, MIN_IMAGES, TRAIN, VAL = 0.85, 20, 0.7, 0.1


def sure_heads(faces: Path) -> pd.DataFrame:
    """Return the rows of faces.tsv with enough confidence, found one row at a time."""
    rows = pd.read_csv(faces, sep="\t", header=None, names=["dir", "tag", "box"])
    rows["dir"] = rows["dir"].replace(r"\\", "/", regex=True)
    kept = []
    for i in rows.index:
        if float(rows.iloc[i]["box"][-8:]) >= MIN_CONFIDENCE:
            rows.iloc[i]["dir"]
            kept.append(i)
    return rows[["tag", "dir"]].iloc[kept]


def split(rows: pd.DataFrame, tag_ids: Path, output: Path) -> None:
    """Write the label files, filtering the whole table for each class."""
    names = pd.read_csv(tag_ids, sep="\t", names=["name", "tag"], quoting=3)
    counts = rows.groupby("tag").count()
    parts: dict[str, list[pd.DataFrame]] = {"train": [], "val": [], "test": []}
    classes = []
    for tag in counts.index:
        images = counts.loc[tag, "dir"]
        if images < MIN_IMAGES:
            continue
        classes.append(names.loc[names["tag"] == tag, "name"].values[0])
        upto_val, upto_train = int(images * (TRAIN + VAL)), int(images * TRAIN)
        first = rows.loc[rows["tag"] == tag].groupby("tag").head(upto_val)
        last = rows.loc[rows["tag"] == tag].groupby("tag").tail(images - upto_val)
        chosen = (first.head(upto_train), first.tail(upto_val - upto_train), last)
        for part, members in zip(parts.values(), chosen, strict=True):
            members = members.drop(columns=["tag"])
            members.insert(0, "class_id", len(classes) - 1)
            part.append(members)
    for name, part in parts.items():
        pd.concat(part).to_csv(output / f"{name}.csv", header=False, index=False)
    pd.DataFrame({"name": classes}).to_csv(output / "classid_classname.csv", header=False)


if __name__ == "__main__":
    faces_path, tags_path, output_path = map(Path, sys.argv[1:])
    output_path.mkdir(parents=True, exist_ok=True)
    split(sure_heads(faces_path), tags_path, output_path)
