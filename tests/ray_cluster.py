"""A Ray cluster of this machine for tests: nodes of one core each, in a process of its own.

Run as a script, it prints the address of the cluster, and then carries out the words on standard
input: `add` a node, `kill` the one added last. It ends the cluster at the end of its input.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from os import environ
from pathlib import Path
from typing import NamedTuple


class RayCluster(NamedTuple):
    """A cluster that runs, at `address`; its files lie in `folder`."""

    address: str
    folder: Path
    process: "subprocess.Popen[str]"

    def add(self) -> None:
        """Let a node join."""
        self._carry_out("add")

    def kill(self) -> None:
        """Kill the node that was added last, with all that runs there."""
        self._carry_out("kill")

    def _carry_out(self, word: str) -> None:
        assert self.process.stdin
        assert self.process.stdout
        print(word, file=self.process.stdin, flush=True)
        assert self.process.stdout.readline() == f"{word}\n"


@contextmanager
def ray_cluster() -> Iterator[RayCluster]:
    """Run a cluster of two nodes that have carried out a task each."""
    # The sockets of Ray lie deep in its folder, and their paths must be short.
    with tempfile.TemporaryDirectory(prefix="r", ignore_cleanup_errors=True) as name:
        command = [sys.executable, "-W", "ignore", "-m", "tests.ray_cluster"]
        quiet = environ | {"RAY_USAGE_STATS_ENABLED": "0", "RAY_TMPDIR": name}
        with (
            (Path(name) / "errors").open("w") as errors,
            subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=quiet,
                start_new_session=True,
            ) as process,
        ):
            assert process.stdout
            address = process.stdout.readline().strip()
            assert address, (Path(name) / "errors").read_text()
            yield RayCluster(address, Path(name), process)


def carry_out_a_task_on_each_node(address: str) -> None:
    """Let the first processes start, which takes longest."""
    import ray

    ray.init(address, log_to_driver=False)

    @ray.remote(num_cpus=1)
    def task() -> None:
        """Hold the only core of a node until both nodes have begun."""
        time.sleep(0.5)

    ray.get([task.remote() for _ in range(2)])
    ray.shutdown()


def main() -> None:
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 1, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    added = [cluster.add_node(num_cpus=1)]
    carry_out_a_task_on_each_node(cluster.address)
    print(cluster.address, flush=True)
    for line in sys.stdin:
        if line == "add\n":
            added.append(cluster.add_node(num_cpus=1))
        else:
            cluster.remove_node(added.pop(), allow_graceful=False)
        print(line, end="", flush=True)
    cluster.shutdown()


if __name__ == "__main__":
    main()
