"""The command line of `warm-up`: flags in, exit status out."""

from dafre_fast import cli
from dafre_fast.core.settings.running import Cores


@cli.command("warm-up", Cores)
def command(cores: Cores) -> int:
    from dafre_fast.views.terminal import terminal
    from dafre_fast.warm_up.run import warm_up

    with terminal() as tell:
        compiled = warm_up(cores.count, tell)
    print(f"{compiled} kernels compiled" if compiled else "all kernels are compiled")
    return 0


if __name__ == "__main__":
    cli.run(command)
