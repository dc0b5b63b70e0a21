"""`python -m dafre_fast.pack`: a dataset in the files in which it is handed on."""

from dafre_fast import cli
from dafre_fast.core.settings.running import Reporting
from dafre_fast.pack.settings import PackRun


@cli.command("pack", PackRun, Reporting)
def command(run: PackRun, reporting: Reporting) -> int:
    """Write a dataset as archives, WebDataset shards, Parquet or a folder for Hugging Face.

    Every file is compared with its recorded SHA-256 first. The same images give the same bytes.
    """
    from dafre_fast.pack.run import pack
    from dafre_fast.pack.show import show
    from dafre_fast.views.terminal import terminal

    with terminal() as tell:
        packed = pack(run, tell)
    show(packed, as_json=reporting.json)
    return cli.judge(sum(packed.damaged.values()), reporting)


if __name__ == "__main__":
    cli.run(command)
