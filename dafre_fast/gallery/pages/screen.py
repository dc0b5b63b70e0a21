"""What a terminal sees of the gallery."""

import sys

import msgspec


def say_indexing(dataset: str) -> None:
    """It takes some seconds for a million images, once."""
    print(f"{dataset} is new or has changed: its index is made", file=sys.stderr)


def say_open(address: str, images: int, *, as_json: bool) -> None:
    """Where it is served, now that it is."""
    if as_json:
        line = msgspec.json.encode({"address": address, "images": images}).decode()
    else:
        line = f"{images:,} images at {address} (Ctrl-C ends it)"
    print(line, flush=True)


def warn_of_others(host: str) -> None:
    """Others than this machine may be reached by it."""
    print(
        f"warning: --host {host}: whoever reaches this machine can look at the dataset;"
        " there is no password",
        file=sys.stderr,
    )
