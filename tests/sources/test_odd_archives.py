"""Archives that are damaged, odd or hostile: what is whole is had, the rest has its reason."""

import io
import stat
import struct
import subprocess
import tarfile
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dafre_fast.core.reasons import Reason
from tests.sources.archived import (
    EXTENSIONS,
    KEYS,
    ORIGINALS,
    expected,
    fetch,
    originals,
    served,
    write_tar,
    write_zip,
)


def header_of(name: str, size: int) -> bytes:
    """Return a header in GNU tar's base 256, in which a size may be negative."""
    header = bytearray(tarfile.TarInfo(name).tobuf(tarfile.GNU_FORMAT))
    header[124:136] = (size % 256**12).to_bytes(12, "big")
    header[124] |= 0x80
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


def damage_tar(path: Path, kind: str) -> None:
    data = bytearray(path.read_bytes())
    header = data.index(b"2007.jpg")
    if kind == "cut short":
        del data[data.index(ORIGINALS[2007]) + 100 :]
    elif kind == "broken header":
        data[header + 124] ^= 0xFF
    else:
        data[header : header + 512] = header_of("2007.jpg", -512)
    path.write_bytes(data)


@pytest.mark.parametrize("place", ["here", "remote"])
@pytest.mark.parametrize("kind", ["cut short", "broken header", "negative size"])
def test_members_before_the_damage_of_a_tar_are_fetched_and_the_rest_is_not_missing(
    tmp_path, kind, place
) -> None:
    write_tar(tmp_path / "in/a.tar", KEYS)
    damage_tar(tmp_path / "in/a.tar", kind)
    with served(tmp_path / "in") as (address, _):
        folder = address if place == "remote" else tmp_path / "in"
        found = fetch(f"{folder}/a.tar", tmp_path / "out")
    assert {*originals(tmp_path / "out")} == {"0007/7.jpg", "0007/1007.png"}
    reasons = {found[key].reason for key in (2007, 332446, 5)}
    assert reasons <= {Reason.BAD_INDEX, Reason.NETWORK_ERROR}


@pytest.mark.parametrize("place", ["here", "remote"])
def test_a_name_that_is_not_utf8_stands_escaped(tmp_path, place) -> None:
    write_tar(tmp_path / "in/a.tar", [7], name="caf\udce9/{}")
    with served(tmp_path / "in") as (address, _):
        folder = address if place == "remote" else tmp_path / "in"
        found = fetch(f"{folder}/a.tar", tmp_path / "out", [7])
    assert found[7].url == rf"{folder}/a.tar#caf\xe9/7.jpg"
    assert {*originals(tmp_path / "out")} == {"0007/7.jpg"}


def change_zip(path: Path, magic: bytes, at: int, value: int) -> None:
    """Set two bytes of the first record that begins so."""
    data = bytearray(path.read_bytes())
    at += data.index(magic)
    data[at : at + 2] = struct.pack("<H", value)
    path.write_bytes(data)


def test_a_zip_of_a_version_to_come_is_refused_with_its_name(tmp_path) -> None:
    write_zip(tmp_path / "a.zip", [7])
    change_zip(tmp_path / "a.zip", b"PK\1\2", 6, 99)
    found = fetch(tmp_path / "a.zip", tmp_path / "out", [7])
    assert found[7].reason is Reason.BAD_INDEX
    assert "a.zip" in found[7].detail


def test_every_original_is_missing_in_an_empty_zip(tmp_path) -> None:
    write_zip(tmp_path / "a.zip", [])
    assert fetch(tmp_path / "a.zip", tmp_path / "out", [7])[7].reason is Reason.MISSING_ORIGINAL


def test_a_zip_member_without_a_name_is_passed_over(tmp_path) -> None:
    write_zip(tmp_path / "a.zip", [7])
    with zipfile.ZipFile(tmp_path / "a.zip", "a") as archive:
        archive.writestr("x", b"")
    data = (tmp_path / "a.zip").read_bytes()
    at = data.rindex(b"PK\1\2")
    nameless = data[at : at + 28] + bytes(2) + data[at + 30 : at + 46]
    tail = bytearray(data[at + 47 :])
    tail[12:16] = struct.pack("<I", struct.unpack("<I", tail[12:16])[0] - 1)
    (tmp_path / "a.zip").write_bytes(data[:at] + nameless + tail)
    fetch(tmp_path / "a.zip", tmp_path / "out", [7])
    assert {*originals(tmp_path / "out")} == {"0007/7.jpg"}


def test_a_zip_that_lost_its_head_gives_the_members_behind_it(tmp_path) -> None:
    write_zip(tmp_path / "a.zip", KEYS)
    data = (tmp_path / "a.zip").read_bytes()
    (tmp_path / "a.zip").write_bytes(data[200:])
    found = fetch(tmp_path / "a.zip", tmp_path / "out")
    assert {key for key, one in found.items() if one.reason is Reason.BAD_INDEX} == {7}
    assert len(originals(tmp_path / "out")) == len(KEYS) - 1


@contextmanager
def place_of(folder: Path, place: str) -> Iterator[str]:
    """The address of a folder, here or on a server."""
    with served(folder) as (address, _):
        yield address if place == "remote" else str(folder)


PLACE = pytest.mark.parametrize("place", ["here", "remote"])


@PLACE
def test_of_a_zip_member_that_is_written_again_the_last_counts(tmp_path, place) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for data in (ORIGINALS[5], ORIGINALS[7]):
            archive.writestr("7.jpg", data)
    with place_of(tmp_path, place) as folder:
        fetch(f"{folder}/a.zip", tmp_path / "out", [7])
    assert originals(tmp_path / "out") == {"0007/7.jpg": ORIGINALS[7]}


@PLACE
def test_a_zip_of_64_bits_is_read(tmp_path, place) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for key in (7, 2007):
            with archive.open(f"{key}.jpg", "w", force_zip64=True) as member:
                member.write(ORIGINALS[key])
        archive.filelist[0].extra = struct.pack("<HHQ", 1, 8, len(ORIGINALS[7]))
    with place_of(tmp_path, place) as folder:
        fetch(f"{folder}/a.zip", tmp_path / "out", [7, 2007])
    assert {*originals(tmp_path / "out")} == {"0007/7.jpg", "0007/2007.jpg"}


@PLACE
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_whose_members_tell_their_sizes_behind_them_is_read(tmp_path, place, method) -> None:
    class Pipe(io.RawIOBase):
        """A file that cannot seek: so `zipfile` writes data descriptors."""

        def __init__(self) -> None:
            self.data = b""

        def writable(self) -> bool:
            return True

        def write(self, data) -> int:
            self.data += bytes(data)
            return len(data)

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", method) as archive:
        for key in (7, 2007):
            archive.writestr(f"{key}.jpg", ORIGINALS[key])
    assert b"PK\7\x08" in pipe.data
    (tmp_path / "a.zip").write_bytes(pipe.data)
    with place_of(tmp_path, place) as folder:
        fetch(f"{folder}/a.zip", tmp_path / "out", [7, 2007])
    assert {*originals(tmp_path / "out")} == {"0007/7.jpg", "0007/2007.jpg"}


@PLACE
def test_zip_members_that_share_their_bytes_are_both_had(tmp_path, place) -> None:
    write_zip(tmp_path / "a.zip", [7])
    data = (tmp_path / "a.zip").read_bytes()
    at, end = data.index(b"PK\1\2"), data.index(b"PK\5\6")
    entry = data[at:end]
    other = entry.replace(b"images/7.jpg", b"images/5.jpg")
    tail = bytearray(data[end:])
    tail[8:16] = struct.pack("<HHI", 2, 2, 2 * len(entry))
    (tmp_path / "a.zip").write_bytes(data[:at] + entry + other + tail)
    with place_of(tmp_path, place) as folder:
        fetch(f"{folder}/a.zip", tmp_path / "out", [7, 5])
    assert originals(tmp_path / "out") == {
        "0007/7.jpg": ORIGINALS[7],
        "0005/5.jpg": ORIGINALS[7],
    }


@PLACE
def test_a_link_in_a_zip_is_refused_as_one(tmp_path, place) -> None:
    info = zipfile.ZipInfo("7.jpg")
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "2007.jpg")
        archive.writestr("2007.jpg", ORIGINALS[2007])
    with place_of(tmp_path, place) as folder:
        found = fetch(f"{folder}/a.zip", tmp_path / "out", [7, 2007])
    assert (found[7].reason, found[2007].reason) == (Reason.UNSUPPORTED_FORMAT, None)
    assert "symbolic link" in found[7].detail


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_member_of_another_compression_is_refused_with_its_number(tmp_path, method) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as archive:
        archive.writestr("7.jpg", ORIGINALS[7])
    found = fetch(tmp_path / "a.zip", tmp_path / "out", [7])
    assert found[7].reason is Reason.UNSUPPORTED_FORMAT
    assert f"method {method}" in found[7].detail


def test_an_empty_file_is_no_zip(tmp_path) -> None:
    (tmp_path / "a.zip").write_bytes(b"")
    assert fetch(tmp_path / "a.zip", tmp_path / "out", [7])[7].reason is Reason.BAD_INDEX


def test_a_local_archive_may_have_a_question_mark_in_its_name(tmp_path) -> None:
    write_zip(tmp_path / "in/what?.zip", [7])
    fetch(tmp_path / "in", tmp_path / "out", [7])
    assert {*originals(tmp_path / "out")} == {"0007/7.jpg"}


def test_an_encrypted_member_is_there_but_not_read(tmp_path) -> None:
    write_zip(tmp_path / "a.zip", [7])
    change_zip(tmp_path / "a.zip", b"PK\1\2", 8, 1)
    change_zip(tmp_path / "a.zip", b"PK\3\4", 6, 1)
    found = fetch(tmp_path / "a.zip", tmp_path / "out", [7])
    assert (found[7].reason, "encrypted" in found[7].detail) == (Reason.UNSUPPORTED_FORMAT, True)


@pytest.mark.parametrize("beyond", [0, 1, 100, 257])
def test_a_member_that_unpacks_to_just_beyond_a_piece_is_whole(tmp_path, beyond) -> None:
    head = struct.pack("<2sIHHIIiiHH", b"BM", 0, 0, 0, 54, 40, 100, 100, 1, 24)
    data = head.ljust((1 << 20) + beyond, b"\0")
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("7.bmp", data)
    fetch(tmp_path / "a.zip", tmp_path / "out", [7])
    assert originals(tmp_path / "out") == {"0007/7.bmp": data}


def flip(path: Path, *keys: int) -> None:
    """Flip a bit in the middle of some members."""
    data = bytearray(path.read_bytes())
    for key in keys:
        data[data.index(ORIGINALS[key]) + len(ORIGINALS[key]) // 2] ^= 1
    path.write_bytes(data)


def tar_with(folder: Path, *flags: str) -> Path:
    """Write an archive by the system's tar: `2007.jpg` has 40 holes, the files around it none."""
    folder.mkdir()
    for key in KEYS:
        (folder / f"{key}.{EXTENSIONS[key]}").write_bytes(ORIGINALS[key])
    with (folder / "2007.jpg").open("wb") as file:
        for hole in range(40):
            file.seek(hole << 17)
            file.write(ORIGINALS[2007])
    names = [f"{key}.{EXTENSIONS[key]}" for key in KEYS]
    path = folder / "a.tar"
    subprocess.run(["tar", "--create", "--file", path, *flags, *names], cwd=folder, check=True)
    return path


@pytest.mark.parametrize("place", ["here", "remote"])
@pytest.mark.parametrize("form", ["gnu", "0.0", "0.1", "1.0"])
def test_a_sparse_member_is_refused_by_its_name_and_those_behind_it_are_not(
    tmp_path, form, place
) -> None:
    version = subprocess.run(["tar", "--version"], capture_output=True, check=False).stdout
    if b"GNU tar" not in version:
        pytest.skip("the system's tar is not GNU tar")
    pax = ["--format=posix", f"--sparse-version={form}"]
    tar_with(tmp_path / "in", "--sparse", *(["--format=gnu"] if form == "gnu" else pax))
    with served(tmp_path / "in") as (address, _):
        folder = address if place == "remote" else tmp_path / "in"
        found = fetch(f"{folder}/a.tar", tmp_path / "out")
    assert found[2007].reason is Reason.UNSUPPORTED_FORMAT
    assert found[2007].detail.endswith("2007.jpg: a sparse file")
    assert originals(tmp_path / "out") == {
        name: data for name, data in expected().items() if name != "0007/2007.jpg"
    }
