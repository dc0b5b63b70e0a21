"""The region of a head, the same for all peers."""

Shares = tuple[float, float, float, float]
"""Left, top, right, bottom, as shares of width and height."""


def rectangle(head: Shares, width: int, height: int) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom in pixels."""
    left, top, right, bottom = head
    return round(left * width), round(top * height), round(right * width), round(bottom * height)
