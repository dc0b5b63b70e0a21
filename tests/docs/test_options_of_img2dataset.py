"""The page for users of img2dataset names every option, and the flags that the program knows."""

import pytest

from dafre_fast.core.settings.img2dataset import OPTIONS
from dafre_fast.full.__main__ import command as full
from dafre_fast.pack.__main__ import command as pack
from tests.core.test_img2dataset_options import THEIRS
from tests.docs.pages import DOCS, in_code, table_below

ROWS = table_below(DOCS / "compare/from-img2dataset.md", "table: options of img2dataset")
EQUALS = {in_code(theirs)[0]: (in_code(ours), note) for theirs, ours, note in ROWS}


def test_every_option_has_one_row() -> None:
    assert len(ROWS) == len(EQUALS)
    assert EQUALS.keys() == {*THEIRS}


@pytest.mark.parametrize(("ours", "note"), EQUALS.values(), ids=EQUALS)
def test_every_flag_that_a_row_names_exists(ours, note) -> None:
    for code in (*ours, *in_code(note)):
        if code.startswith("--"):
            name = code.split()[0].removeprefix("--").removeprefix("no-").replace("-", "_")
            assert name in full.settings | pack.settings


@pytest.mark.parametrize("option", THEIRS)
def test_a_row_names_the_flag_that_is_put_in_its_place(option) -> None:
    ours, _ = EQUALS[option]
    known = OPTIONS.get(option.replace("_", "-"))
    if known is None:  # a flag of the same name
        assert ours == [f"--{option.replace('_', '-')}"]
    elif known.flag:
        assert ours == [f"--{known.flag}"]
    else:
        stand_in = {flags[0].replace("--no-", "--") for flags in known.values.values() if flags}
        assert {*ours} == stand_in or ours == ["--resume"]
