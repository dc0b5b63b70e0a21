"""Jobs of `jobs_for_workers`, done by an executor in tests."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from dafre_fast.engine.executors.base import Executor, Lost, Spec, ready
from dafre_fast.engine.executors.choose import create
from tests.jobs_for_workers import work

Results = list[tuple[str, str | Lost]]
Steps = Callable[[Executor[str]], Awaitable[None]]


def new_executor(name: str, results: Results, **changes: Any) -> Executor[str]:
    """One of two workers that do `work`; `changes` to its `Spec`."""
    usual = {
        "initialise": ready(work),
        "on_results": results.extend,
        "workers": 2,
        "preload": [work.__module__],
        "job_timeout_seconds": 60,
    }
    return create(Spec(**{**usual, **changes}), name)


def run_executor(name: str, steps: Steps, **changes: Any) -> tuple[Results, Executor[str]]:
    """The results of all jobs that `steps` submits, and the executor after its end."""
    results: Results = []

    async def main() -> Executor[str]:
        executor = new_executor(name, results, **changes)
        async with executor:
            await steps(executor)
            await executor.drain()
        return executor

    return results, asyncio.run(main())


def submit_all(*jobs: str) -> Steps:
    async def steps(executor: Executor[str]) -> None:
        for job in jobs:
            await executor.submit(job)

    return steps
