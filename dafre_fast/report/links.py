"""Links from the page of a report to a gallery of the same dataset."""

from urllib.parse import urlsplit

from dafre_fast.core.errors import UsageError
from dafre_fast.gallery.language import named
from dafre_fast.gallery.view import View, address


class Links:
    """Addresses below that of a gallery; None in place of each if that is ''.

    Raises UsageError if the gallery's address is none of the web, or holds a password.
    """

    def __init__(self, gallery: str) -> None:
        try:
            parts = urlsplit(gallery)
        except ValueError:
            parts = urlsplit("none://")
        if parts.scheme not in ("", "http", "https") or bool(parts.scheme) != bool(parts.netloc):
            raise UsageError(
                f"--gallery {gallery!r}: must be an address such as http://host:8000/, or a path"
            )
        if parts.username is not None or parts.query or parts.fragment:
            raise UsageError("--gallery: must have no user, password, ? and #")
        self.home = gallery if gallery.endswith("/") or not gallery else f"{gallery}/"

    def ask(self, field: str, value: object, show: str = "full") -> str | None:
        """Return the address of the images with this value, shown as the output of this word."""
        view = View(show=show).added(named(field, str(value)))
        return f"{self.home}{address(view)}" if self.home else None

    def image(self, image_id: int) -> str | None:
        """Return the address of the page of an image."""
        return f"{self.home}image/{image_id}" if self.home else None
