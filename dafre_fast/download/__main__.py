"""`python -m dafre_fast.download`: originals from a URL template."""

from dafre_fast import cli
from dafre_fast.core.settings.groups import (
    DownloadRun,
    FacesTable,
    Fetching,
    Reporting,
    Running,
    Selection,
    Watching,
)


@cli.command("download", FacesTable, DownloadRun, Selection, Fetching, Running, Watching, Reporting)
def command(
    faces: FacesTable,
    run: DownloadRun,
    selection: Selection,
    fetching: Fetching,
    running: Running,
    watching: Watching,
    reporting: Reporting,
) -> int:
    """Fetch the originals of the kept rows of faces.tsv."""
    from dafre_fast.engine import images

    if run.simulate:
        from dafre_fast.download import show

        found = images.simulate(faces.faces, run, selection, fetching, running)
        show.show(found, as_json=reporting.json)
        return 0
    summary = images.download(faces.faces, run, selection, fetching, running, watching)
    return cli.report(summary, reporting)


if __name__ == "__main__":
    cli.run(command)
