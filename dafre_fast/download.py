"""`python -m dafre_fast.download`: originals from a URL template."""

from dafre_fast import cli
from dafre_fast.model.settings import (
    DownloadRun,
    FacesTable,
    Fetching,
    Reporting,
    Running,
    Selection,
)


@cli.command("download", FacesTable, DownloadRun, Selection, Fetching, Running, Reporting)
def command(
    faces: FacesTable,
    run: DownloadRun,
    selection: Selection,
    fetching: Fetching,
    running: Running,
    reporting: Reporting,
) -> int:
    """Fetch the originals of the kept rows of faces.tsv."""
    from dafre_fast.engine import commands

    summary = commands.download(faces.faces, run, selection, fetching, running)
    return cli.report(summary, reporting)


if __name__ == "__main__":
    cli.run(command)
