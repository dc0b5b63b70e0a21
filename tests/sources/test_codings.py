"""Content codings: those that are none, those that are there, and those that are only declared."""

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dafre_fast.core.reasons import Reason
from dafre_fast.sources.manners.effort import Passing
from dafre_fast.sources.transports import codings
from dafre_fast.testing.plays import body, first
from tests.pixels.pictures import result_or_reason
from tests.sources.loopback import JPEG, files, one_from


def raw_deflate(data):
    packing = zlib.compressobj(wbits=-15)
    return packing.compress(data) + packing.flush()


def members(data):
    return gzip.compress(data[:100]) + gzip.compress(data[100:]) + gzip.compress(b"")


def twice(data):
    return gzip.compress(gzip.compress(data))


def as_it_is(data):
    return data


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(value, id=value or "empty")
        for value in (
            *("aws-chunked", "utf-8", "UTF-8", "none", "binary", "identity", "IDENTITY", ""),
            *("identity, identity", "8bit", "base64", "chunked", "image/jpeg", 'a/b;c="d", ,'),
        )
    ],
)
def test_a_coding_that_is_none_is_passed_over(tmp_path, header) -> None:
    fetched = one_from(body(f"Content-Encoding: {header}", of=as_it_is), tmp_path)
    assert (fetched.reason, fetched.attempts) == (None, 1)
    assert files(tmp_path) == {"0007/7.jpg": JPEG}


CODED = [
    pytest.param("gzip", gzip.compress, id="gzip"),
    pytest.param("GZIP", gzip.compress, id="in capitals"),
    pytest.param("x-gzip", gzip.compress, id="x-gzip"),
    pytest.param("aws-chunked,gzip", gzip.compress, id="beside one that is none"),
    pytest.param("gzip", members, id="several members"),
    pytest.param("gzip", lambda data: gzip.compress(data) + bytes(512), id="zeros behind it"),
    pytest.param("gzip, gzip", twice, id="twice"),
    pytest.param("gzip", twice, id="twice, declared once"),
    pytest.param("deflate", zlib.compress, id="zlib"),
    pytest.param("deflate", raw_deflate, id="raw deflate"),
    pytest.param("deflate, gzip", lambda data: gzip.compress(raw_deflate(data)), id="both"),
    pytest.param("gzip", zlib.compress, id="gzip that is zlib"),
    pytest.param("deflate", gzip.compress, id="deflate that is gzip"),
    pytest.param("gzip", as_it_is, id="gzip that is none"),
    pytest.param("deflate", as_it_is, id="deflate that is none"),
]


@pytest.mark.parametrize(("header", "coded"), CODED)
def test_a_coding_is_undone_if_the_body_has_it(tmp_path, header, coded) -> None:
    fetched = one_from(body(f"Content-Encoding: {header}", of=coded), tmp_path)
    assert (fetched.reason, fetched.attempts) == (None, 1)
    assert files(tmp_path) == {"0007/7.jpg": JPEG}


def test_codings_may_be_declared_in_several_headers(tmp_path) -> None:
    headers = ("Content-Encoding: gzip", "Content-Encoding: gzip")
    assert one_from(body(*headers, of=twice), tmp_path).reason is None
    assert files(tmp_path) == {"0007/7.jpg": JPEG}


@pytest.mark.parametrize("coding", ["br", "zstd", "compress", "identity, br"])
def test_a_coding_that_cannot_be_undone_is_refused_by_its_name(tmp_path, coding) -> None:
    fetched = one_from(body(f"Content-Encoding: {coding}", of=as_it_is), tmp_path)
    assert fetched.reason is Reason.HTTP_ERROR
    assert coding in fetched.detail


def test_a_compressed_body_that_breaks_off_is_asked_for_again(tmp_path) -> None:
    cut = body("Content-Encoding: gzip", of=lambda file: gzip.compress(file)[:-4])
    fetched = one_from(first(1, cut), tmp_path)
    assert (fetched.reason, fetched.attempts) == (None, 2)
    assert files(tmp_path) == {"0007/7.jpg": JPEG}


contents = st.binary(max_size=3000).map(lambda data: JPEG[:4] + data)
pieces = st.lists(st.integers(1, 700), min_size=1)


def decoded(header, data, sizes, *, is_gzip=False):
    """The content, of data that comes in pieces of these sizes, again and again."""
    decoder = codings.decoder(codings.declared([header]), is_gzip=is_gzip)
    found, at = b"", 0
    while at < len(data):
        size = sizes[at % len(sizes)]
        found += b"".join(decoder.decode(data[at : at + size]))
        at += size
    return found + b"".join(decoder.finish())


@given(content=contents, sizes=pieces, case=st.sampled_from([one.values for one in CODED]))
def test_it_does_not_matter_in_which_pieces_a_body_comes(content, sizes, case) -> None:
    header, coded = case
    assert decoded(header, coded(content), sizes) == content


@pytest.mark.parametrize(
    ("header", "coded"),
    [
        ("gzip", gzip.compress),
        ("gzip", twice),
        ("gzip, gzip", twice),
        ("deflate", zlib.compress),
        ("deflate", raw_deflate),
    ],
)
@given(content=contents, share=st.floats(0.2, 1, exclude_max=True), sizes=pieces)
def test_compressed_data_that_break_off_are_noticed(header, coded, content, share, sizes) -> None:
    data = coded(content)
    with pytest.raises(Passing):
        decoded(header, data[: int(share * len(data))], sizes)


@given(st.binary(max_size=2000), st.sampled_from(["gzip", "deflate"]), pieces)
def test_any_bytes_are_decoded_or_refused_as_passing(data, header, sizes) -> None:
    found = result_or_reason(decoded, header, data, sizes)
    assert isinstance(found, bytes) or found is Reason.NETWORK_ERROR


def test_gzip_within_an_archive_of_that_name_is_its_own() -> None:
    archive = gzip.compress(b"a tar")
    assert decoded("gzip", gzip.compress(archive), [100], is_gzip=True) == archive
