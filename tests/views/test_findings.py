import pytest

from dafre_fast.core.findings import Finding, Flaw, Verification
from dafre_fast.views.findings import show

DAMAGED = Finding(Flaw.WRONG_HASH, "fullMin256/0001/1.jpg")
ORPHAN = Finding(Flaw.ORPHAN, "faces/0009/9.jpg")


def verification(**fields) -> Verification:
    """A verification without findings, except for `fields`."""
    nothing = {
        "findings": (),
        "labels_of_refused": 0,
        "removed": (),
        "records": ["manifest.parquet"],
    }
    return Verification(images=3, files=6, seconds=1.0, cpu_seconds=1.0, **nothing | fields)


@pytest.mark.parametrize(
    ("removed", "records", "line"),
    [
        (
            [DAMAGED, ORPHAN],
            ["manifest.parquet", "ledger.jsonl"],
            "2 of these files were removed; run full again to remake 1 file",
        ),
        ([ORPHAN], ["manifest.parquet"], "1 of these files were removed"),
        (
            [DAMAGED, Finding(Flaw.UNDECODABLE, "2.jpg")],
            ["ledger.jsonl"],
            "2 of these files were removed; run the same command again to remake 2 files",
        ),
    ],
    ids=["damaged and orphaned", "orphaned", "of resize or crop"],
)
def test_removed_files_are_shown_with_the_way_to_remake_them(
    capsys, removed, records, line
) -> None:
    names = [finding.where for finding in removed]
    show(verification(findings=removed, removed=names, records=records), as_json=False)
    assert line in capsys.readouterr().out.splitlines()


def test_labelled_images_that_were_refused_are_said_to_be_no_error(capsys) -> None:
    show(verification(labels_of_refused=2), as_json=False)
    refused, verdict, _ = capsys.readouterr().out.splitlines()
    assert refused.startswith("2 labelled images were refused by the run, which is no error")
    assert verdict == "6 files of 3 images verified: all as recorded"
