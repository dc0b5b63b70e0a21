"""A process whose executor has one worker, which tells its id through a pipe and hangs for ever.

After Ctrl-C it prints the jobs that it abandoned, and exits with status 130.
"""

import asyncio
import sys

from tests.executing import new_executor


async def main(gate: str, name: str) -> None:
    executor = new_executor(name, [], workers=1, job_timeout_seconds=600)
    try:
        async with executor:
            await executor.submit(f"tell-and-hang {gate}")
            await executor.drain()
    finally:
        print(*executor.abandoned)


if __name__ == "__main__":
    try:
        asyncio.run(main(*sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
