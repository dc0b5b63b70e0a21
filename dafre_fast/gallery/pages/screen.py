"""Show in the terminal where the gallery is served."""

import msgspec


def show_address(address: str, images: int, *, as_json: bool) -> None:
    """Print the address at which `images` can be looked at, on standard output."""
    if as_json:
        line = msgspec.json.encode({"address": address, "images": images}).decode()
    else:
        line = f"{images:,} images at {address} (Ctrl-C ends it)"
    print(line, flush=True)
