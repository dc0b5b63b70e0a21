"""Print the address of the gallery in the terminal."""

import msgspec


def show_address(address: str, images: int, *, as_json: bool) -> None:
    """Print the address of the gallery and its number of images, as text or JSON."""
    if as_json:
        line = msgspec.json.encode({"address": address, "images": images}).decode()
    else:
        line = f"{images:,} images at {address} (Ctrl-C stops the server)"
    print(line, flush=True)
