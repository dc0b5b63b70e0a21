"""Notice a script that starts workers outside `if __name__ == "__main__":`.

A worker first imports the main module of its parent (multiprocessing's `spawn.prepare`). If that
module starts workers when it is imported, so would the worker.
"""

import multiprocessing
import os
import sys

from dafre_fast.core.errors import NoMainGuard

UNGUARDED = 88
"""Exit status of a worker whose import of the main module came to `exit_if_worker_imports_main`."""


def exit_if_worker_imports_main() -> None:
    """End this process, without a word, if it is a worker that is still importing its main module:
    the parent knows what to say. Called by every function that starts workers for a script.
    """
    # Set by multiprocessing while it prepares a process; its own check reads the same.
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        os._exit(UNGUARDED)


def no_main_guard() -> NoMainGuard:
    """Return the exception for a parent of which a worker ended with `UNGUARDED`."""
    script = getattr(sys.modules["__main__"], "__file__", None) or "this script"
    return NoMainGuard(
        f'{script}: call make_images below `if __name__ == "__main__":`;'
        " its worker processes import the script, and would make images in turn"
    )
