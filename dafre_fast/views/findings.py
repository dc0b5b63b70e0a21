"""Print what `verify` found, on standard output: a table for people, or JSON."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from dafre_fast.core.findings import Finding, Verification
from dafre_fast.core.layout import MANIFEST
from dafre_fast.views import show as shown
from dafre_fast.views.figures import printable

_EXAMPLES = 10


def show(verification: Verification, *, as_json: bool) -> None:
    """Print all findings as JSON, or up to ten of each kind as text."""
    shown.show(verification, _lines(verification), as_json=as_json)


def _lines(found: Verification) -> Iterator[str]:
    if found.findings:
        yield from table(found.findings)
    if found.removed:
        yield _removed(found)
    if found.labels_of_refused:
        yield (
            f"{found.labels_of_refused:,} labelled images were refused by the run, which is no"
            " error: the label files are those published"
        )
    verdict = f"{len(found.findings):,} findings" if found.findings else "all as recorded"
    yield f"{found.files:,} files of {found.images:,} images verified: {verdict}"
    yield (
        f"against {' and '.join(found.records)}: {found.seconds:,.1f} s,"
        f" {found.files / found.seconds:,.1f} files/s,"
        f" {found.files / found.cpu_seconds:,.1f} files per CPU-second"
    )


def _removed(found: Verification) -> str:
    """Say how many files were removed, and how to have those made again that should be there."""
    damaged = {finding.where for finding in found.findings if finding.flaw.damage}
    line = f"{len(found.removed):,} of these files were removed"
    if not (remade := len(damaged.intersection(found.removed))):
        return line
    command = "full" if MANIFEST in found.records else "the same command"
    return f"{line}; run {command} again to remake {remade:,} file{'s' * (remade > 1)}"


def table(findings: Sequence[Finding]) -> Iterator[str]:
    """Give the lines of a table: for each flaw its name, its count, and up to ten examples."""
    rows = [("found", "count", "such as")]
    for flaw, group in groupby(findings, key=lambda finding: finding.flaw):
        same = [*group]
        examples = [_example(finding) for finding in same[:_EXAMPLES]]
        if len(same) > _EXAMPLES:
            examples.append("…")
        rows.append((flaw.value, f"{len(same):,}", examples[0]))
        rows += (("", "", example) for example in examples[1:])
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for flaw_name, count, example in rows:
        yield f"{flaw_name.ljust(widths[0])}  {count.rjust(widths[1])}  {example}"


def _example(finding: Finding) -> str:
    return printable(f"{finding.where}: {finding.detail}" if finding.detail else finding.where)
