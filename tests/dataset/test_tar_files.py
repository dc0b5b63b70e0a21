"""Archives that are written, beside those that the standard library writes."""

import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dafre_fast.dataset.tar_files import Tar

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1).filter(
    lambda name: len(name.encode()) <= 100 and not name.endswith("/")
)


@given(st.dictionaries(NAMES, st.binary(max_size=1500), min_size=1))
def test_an_archive_has_the_bytes_that_tarfile_gives_it(members) -> None:
    expected, found = io.BytesIO(), io.BytesIO()
    with tarfile.open(fileobj=expected, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    tar = Tar(found)
    for name, data in members.items():
        tar.add(name, data)
    tar.close()
    assert found.getvalue() == expected.getvalue()
    for name, place in tar.places.items():
        at = slice(place.offset, place.offset + place.size)
        assert found.getvalue()[at] == members[name]


def test_a_name_that_has_no_room_is_no_member() -> None:
    with pytest.raises(ValueError, match="no member of a ustar archive"):
        Tar(io.BytesIO()).add("x" * 101, b"")
