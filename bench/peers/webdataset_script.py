"""Write a dataset of files as WebDataset shards, with the package's writer as it is documented.

usage: webdataset_script.py DATASET OUTPUT
"""

import csv
import json
import sys
from pathlib import Path

import webdataset

_IMAGES_OF_A_SHARD = 10_000


def main(dataset: Path, output: Path) -> None:
    for split in ("train", "val", "test"):
        (output / split).mkdir(parents=True)
        pattern = f"{output / split}/%05d.tar"
        with (
            (dataset / "labels" / f"{split}.csv").open(newline="") as file,
            webdataset.ShardWriter(pattern, maxcount=_IMAGES_OF_A_SHARD, verbose=0) as writer,
        ):
            for class_id, path in csv.reader(file):
                writer.write(
                    {
                        "__key__": Path(path).stem,
                        "jpg": (dataset / "fullMin256" / path).read_bytes(),
                        "face.jpg": (dataset / "faces" / path).read_bytes(),
                        "cls": class_id.encode(),
                        "json": json.dumps({"id": int(Path(path).stem), "split": split}).encode(),
                    }
                )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
