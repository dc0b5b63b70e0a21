"""Carry out parts on the nodes of a Ray cluster.

A node does one part with all its cores, or several if it has many (`--engines`). Its Ray task
starts an engine (`engine.engine`), whose messages it yields to this process: paths and counts, no
pixels. A node that dies takes the engine with it: what is left of a task ends the engine within
`PAUSE_SECONDS`.
"""

import logging
import os
import pickle
import queue
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from math import inf
from pathlib import Path
from typing import Any, NamedTuple, Self

from dafre_fast.core.errors import InputError, UsageError
from dafre_fast.core.events import News
from dafre_fast.core.stopping import SIGNALS
from dafre_fast.engine.coordinator import Failed, Finished, Job, Lost, Message, Place
from dafre_fast.engine.process import EngineProcess

PAUSE_SECONDS = 15.0
"""Time in which whatever is left of a lost part has ended: an engine whose parent is gone takes 12
seconds at most. It has ended, too, where a shared file system does not know the locks of others.
"""
LOCAL = "local"
"""The address for which a cluster is started on this machine, whether there is one or not."""
_TELL_SECONDS = 1.0
_WAIT_SECONDS = 1.0
_NODES_SECONDS = 2.0
_ANSWER_SECONDS = 5.0
_TO_STOP_SECONDS = 9.0
_SEEN_SECONDS = 30.0
"""Longest time until a node sees a file that another has just written (NFS)."""


class Proof(NamedTuple):
    """A file with certain bytes, by which a node knows that it shares the output."""

    path: Path
    content: bytes


class _Node(NamedTuple):
    """The node on which Ray carries out the parts of a place, and the cores that each takes."""

    id: str
    cores: int


class _Task(NamedTuple):
    place: Place
    told: Any
    """A generator of references to messages."""


class RayNodes:
    """The nodes of a cluster, as places for parts (`engine.coordinator.Places`); a context manager.

    The cluster is the one at `address` (`LOCAL`: a new one), else one that is found (RAY_ADDRESS,
    or on this machine), else a new one on this machine. `engines_of` returns how many parts a node
    of so many cores does at once. Nodes must see `proof`, if that is given.

    Raises UsageError if Ray is not installed or the cluster does not answer.
    """

    def __init__(
        self, address: str | None, engines_of: Callable[[int], int], proof: Proof | None = None
    ) -> None:
        self.proof = proof
        self._address, self._engines_of = address, engines_of
        self._stack = ExitStack()
        self._nodes: Mapping[Place, _Node] = {}
        self._looked_at = -inf
        self._tasks = dict[int, _Task]()
        self._last = dict[int, Message]()

    def __enter__(self) -> Self:
        self._ray = _imported()
        with ExitStack() as stack:
            # Ray prints what happens to nodes where the summary is to be printed.
            stack.enter_context(redirect_stdout(stack.enter_context(Path(os.devnull).open("w"))))
            with _signals_kept():
                _connect(self._ray, self._address)
            stack.callback(self._ray.shutdown)
            self._stack = stack.pop_all()
        self._remote = self._ray.remote(max_retries=0)(carry_out_here)
        return self

    def __exit__(self, *_error: object) -> None:
        with self._stack, suppress(self._ray.exceptions.RayError):
            for task in self._tasks.values():
                self._ray.cancel(task.told)
            until = time.monotonic() + _TO_STOP_SECONDS
            while self._tasks and time.monotonic() < until:
                for _ in self.messages():
                    pass

    def all(self) -> Collection[Place]:
        now = time.monotonic()
        if now - self._looked_at >= _NODES_SECONDS:
            alive = [node for node in self._ray.nodes() if node["Alive"]]
            self._nodes = dict(place for node in alive for place in self._places(node))
            self._looked_at = now
        return self._nodes.keys()

    def _places(self, node: Mapping[str, Any]) -> Iterator[tuple[Place, _Node]]:
        cores = int(node["Resources"].get("CPU", 0))
        parts = min(max(self._engines_of(cores), 1), cores)
        for slot in range(1, parts + 1):
            name = f"node {node['NodeManagerAddress']} ({node['NodeID'][:8]})"
            place = Place(name if parts == 1 else f"{name}, {slot} of {parts}", cores // parts)
            yield place, _Node(node["NodeID"], cores // parts)

    def start(self, number: int, place: Place, job: Job) -> None:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        node = self._nodes[place]
        task = self._remote.options(
            name=f"dafre_fast part {number}",
            num_cpus=node.cores,
            scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False),
        )
        sent = pickle.dumps(job._replace(tell_seconds=_TELL_SECONDS))
        told = task.remote(sent, place.name, str(Path.cwd()), self.proof)
        self._tasks[number] = _Task(place, told)

    def tell(self, number: int, news: News) -> None:
        """Do nothing: a part on another node has news from the host itself, or when it begins."""

    def messages(self) -> Iterator[tuple[int, Message]]:
        told = {task.told: number for number, task in self._tasks.items()}
        if not told:
            time.sleep(_WAIT_SECONDS)
            return
        self._ray.wait([*told], timeout=_WAIT_SECONDS)
        ready, _ = self._ray.wait([*told], num_returns=len(told), timeout=0)
        for one in ready:
            for message in self._next(told[one], one):
                yield told[one], message

    def _next(self, number: int, told: Any) -> Iterator[Message]:
        """Yield what a task has told since; its last message when it has ended."""
        try:
            message: Message = pickle.loads(self._ray.get(next(told)))  # noqa: S301  (our own)
        except StopIteration:
            place = self._tasks.pop(number).place
            ended = Lost(f"part {number} was lost on {place.name}", "its task ended")
            yield self._last.pop(number, ended)
        except self._ray.exceptions.RayError as error:
            place = self._tasks.pop(number).place
            self._last.pop(number, None)
            self._looked_at = -inf  # the node may be gone
            yield Lost(f"part {number} was lost on {place.name}", self._how(error))
        else:
            if isinstance(message, Failed | Finished | Lost):
                self._last[number] = message
            else:
                yield message

    def _how(self, error: Exception) -> str:
        exceptions = self._ray.exceptions
        match error:
            case exceptions.NodeDiedError() | exceptions.TaskUnschedulableError():
                return "the node died"
            case exceptions.WorkerCrashedError() | exceptions.LocalRayletDiedError():
                return "its process died"
            case exceptions.OutOfMemoryError():
                return "the node had no memory left"
            case exceptions.RayTaskError(cause=Exception() as cause):
                return f"{type(cause).__name__}: {cause}".partition("\n")[0]
        return str(error).strip().partition("\n")[0] or type(error).__name__


def carry_out_here(
    job: bytes, place: str, folder: str, proof: Proof | None, patience: float = _SEEN_SECONDS
) -> Iterator[bytes]:
    """Carry out a pickled job on this node, in a working folder; yield pickled messages. The node
    must see `proof` after so many seconds. Ray calls this, and stops it by a KeyboardInterrupt.
    """
    if (fault := _unseen(Path(folder), proof, patience)) is not None:
        yield pickle.dumps(Failed(InputError(f"{place}: {fault}")))
        return
    messages = queue.SimpleQueue[Message]()
    with tempfile.TemporaryFile() as errors:
        name = f"the engine on {place}"
        engine = EngineProcess(name, pickle.loads(job), messages.put, Path(folder), errors)  # noqa: S301
        try:
            over = False
            while not over:
                # No read that blocks: an interrupt would not end it.
                with suppress(queue.Empty):
                    message = messages.get(timeout=_TELL_SECONDS / 4)
                    over = isinstance(message, Failed | Finished | Lost)
                    yield pickle.dumps(message)
        finally:
            engine.stop()


def _unseen(folder: Path, proof: Proof | None, patience: float) -> str | None:
    """Say what this node does not see of the files of the driver, None if it sees all."""
    if not folder.is_dir():
        return f"has no folder {folder}; start the command in a folder that all nodes have"
    until = time.monotonic() + patience
    while proof:
        with suppress(OSError):
            if proof.path.read_bytes() == proof.content:
                break
        if time.monotonic() >= until:
            return (
                f"does not see {proof.path}: nodes need a file system that they share,"
                " or an object store (--into)"
            )
        time.sleep(_WAIT_SECONDS / 4)
    return None


def _imported() -> Any:
    try:
        import ray
    except ImportError as error:
        raise UsageError(
            "--executor ray needs Ray, on every node: pip install 'dafre_fast[ray]'"
        ) from error
    return ray


def _connect(ray: Any, address: str | None) -> None:
    """Connect this process to a cluster, or start one. Raises UsageError."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # of a cluster that is started
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # silences a warning
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    found = address or os.environ.get("RAY_ADDRESS")
    if found:
        _refuse_unanswered(found)
    try:
        try:
            if found != LOCAL:
                ray.init(found or "auto", **quiet)
        except ConnectionError:
            if found:
                raise
            found = LOCAL
        if found == LOCAL:
            ray.init(LOCAL, include_dashboard=False, **quiet)
    except (OSError, RuntimeError, ValueError) as error:
        what = f"--ray-address {found}" if found else "--executor ray"
        line = str(error).strip().partition("\n")[0]
        raise UsageError(f"{what}: Ray does not start: {line}") from error


def _refuse_unanswered(address: str) -> None:
    """Raise UsageError at once where Ray would try for minutes."""
    if address in {"auto", LOCAL}:
        return
    host, colon, port = address.rpartition(":")
    if "://" in address or not (host and colon and port.isdecimal()):
        raise UsageError(
            f"--ray-address {address!r}: must be HOST:PORT of the head node, from a machine of the"
            " cluster; from elsewhere, `ray job submit` starts the command there"
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), _ANSWER_SECONDS).close()
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or error
        raise UsageError(f"--ray-address {address}: does not answer ({why})") from error


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Give signals back to those that answered them: Ray takes SIGTERM when it connects."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        yield
    finally:
        for number, answer in before.items():
            if signal.getsignal(number) is not answer:
                signal.signal(number, answer)
