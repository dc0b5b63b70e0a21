"""The command line of `gallery`: flags in, exit status out."""

from functools import partial

from dafre_fast import cli
from dafre_fast.core.settings.running import Printing
from dafre_fast.gallery.settings import GalleryRun


@cli.command("gallery", GalleryRun, Printing)
def command(run: GalleryRun, printing: Printing) -> int:
    from dafre_fast.gallery.pages.screen import show_address
    from dafre_fast.gallery.server import gallery
    from dafre_fast.views.terminal import terminal

    with terminal() as tell:
        gallery(run, partial(show_address, as_json=printing.json), tell)
    return 0


if __name__ == "__main__":
    cli.run(command)
