"""A process whose pool has one worker, which tells its id through a pipe and hangs for ever."""

import asyncio
import sys

from jobs_for_workers import work

from dafre_fast.engine.executors.local import Pool


async def main(gate: str) -> None:
    results: list[object] = []
    async with Pool(work, results.extend, workers=1, job_timeout_seconds=600) as pool:
        await pool.submit(f"tell-and-hang {gate}")
        await pool.drain()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
