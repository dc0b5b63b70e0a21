from typing import get_args, get_type_hints

from dafre_fast.pack.formats.choose import FORMATS
from dafre_fast.pack.settings import PackRun


def test_the_settings_name_every_format_and_no_other() -> None:
    names = get_args(get_type_hints(PackRun)["format"])
    assert sorted(names) == sorted(FORMATS)
