"""Run img2dataset in the environment that has it. Imports only it and the standard library.

usage: img2dataset_script.py resize FILE… | dataset ADDRESSES OUTPUT IMAGES WORKERS | tool OPTION…
"""

import json
import os
import sys
import time
import warnings
from io import BytesIO
from pathlib import Path

SIDE, QUALITY, CONNECTIONS = 256, 90, 16

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # or the import makes a request
warnings.simplefilter("ignore")


def resize(*paths: str) -> None:
    """Print the cost of the resizer over the files in a second pass."""
    from img2dataset.resizer import Resizer

    resizer = Resizer(
        SIDE, "keep_ratio", resize_only_if_bigger=False, encode_quality=QUALITY, encode_format="jpg"
    )
    for _ in range(2):
        began, cpu = time.perf_counter(), time.process_time()
        for path in paths:
            *_, error = resizer(BytesIO(Path(path).read_bytes()))
            if error:
                sys.exit(f"{path}: {error}")
        cost = {
            "cpu_seconds": time.process_time() - cpu,
            "seconds": time.perf_counter() - began,
        }
    print(json.dumps(cost))


def dataset(addresses: str, output: str, images: str, workers: str) -> None:
    """Make images from a list of addresses, one shard per worker."""
    from img2dataset import download

    download(
        url_list=addresses,
        output_folder=output,
        output_format="files",
        image_size=SIDE,
        resize_mode="keep_ratio",
        encode_quality=QUALITY,
        processes_count=int(workers),
        thread_count=CONNECTIONS,
        number_sample_per_shard=-(-int(images) // int(workers)),
    )
    made = len(list(Path(output).rglob("*.jpg")))
    if made < int(images):
        sys.exit(f"{made} of {images} made")


def tool(*options: str) -> None:
    """Run its command with these options, each as `--name=value`."""
    from img2dataset.main import main

    sys.argv[1:] = options
    main()


if __name__ == "__main__":
    {"resize": resize, "dataset": dataset, "tool": tool}[sys.argv[1]](*sys.argv[2:])
