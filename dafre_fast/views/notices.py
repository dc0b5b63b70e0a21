"""The observer of commands without progress: it prints notices, and loads no library for that."""

import sys

from dafre_fast.core.events import Event, Notice


def on_stderr(event: Event) -> None:
    """Print a notice on standard error; ignore other events."""
    if isinstance(event, Notice):
        print(event.text, file=sys.stderr)
