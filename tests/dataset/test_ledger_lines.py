"""Lines of the ledger, of this version and of earlier ones."""

import json

import msgspec
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from dafre_fast.core.reasons import Note, Proof, Reason
from dafre_fast.core.records import Detected, Fetched, Made, MadeOutput
from dafre_fast.core.settings.images import FULL_IMAGE, HEAD_CROP, HeadBox, Output
from dafre_fast.dataset.ledger_lines import check, decode, encode
from dafre_fast.dataset.outcomes import last_outcomes

BUST = Output("bust", "busts", HeadBox(0.5))
OLD_LINES = b"""\
{"stage":"make","key":"7","recipe":"64a9a9d4f94d8609","original":"in/0007/7.jpg","format":"jpeg",\
"original_width":334,"original_height":624,"original_bytes":14797,\
"width":256,"height":478,"bytes":18710,"sha256":"63d5",\
"face_width":167,"face_height":249,"face_bytes":6554,"face_sha256":"9984",\
"spool":"train-00000-18f","offset":40,"notes":["truncated"],"at":1795802751.085}
{"stage":"make","key":"8","recipe":"64a9a9d4f94d8609","reason":"bad_box",\
"detail":"outside the picture","format":"png","width":256,"height":300,"bytes":9,"sha256":"ab"}
{"stage":"make","key":"9","reason":"not_an_image"}
{"stage":"fetch","key":"9","url":"http://host/9.png","bytes":70,"sha256":"cd","proof":"md5"}
""".splitlines()
"""Lines of earlier versions, in which full image and head crop had fields of their own."""
OF_OLD_LINES = [
    Made(
        "7", "64a9a9d4f94d8609", None, "", "in/0007/7.jpg", "jpeg", 334, 624, 14797,
        (MadeOutput("full", 256, 478, 18710, "63d5"), MadeOutput("face", 167, 249, 6554, "9984")),
        "train-00000-18f", 40, (Note.TRUNCATED,), 1795802751.085,
    ),
    Made(
        "8", "64a9a9d4f94d8609", Reason.BAD_BOX, "outside the picture", format="png",
        outputs=(MadeOutput("full", 256, 300, 9, "ab"),),
    ),
    Made("9", reason=Reason.NOT_AN_IMAGE),
    Fetched("9", url="http://host/9.png", bytes=70, sha256="cd", proof=Proof.MD5),
]  # fmt: skip

names = st.sampled_from(["full", "face", "bust", "small"])
numbers = st.integers(0, 2**40)
outputs = st.builds(MadeOutput, names, numbers, numbers, numbers, st.text())
made = st.builds(
    Made,
    key=st.text(),
    detail=st.text(),
    original=st.none() | st.text(),
    outputs=st.lists(outputs, max_size=4, unique_by=lambda output: output.name).map(tuple),
    offset=st.none() | numbers,
)


shares = st.floats(0, 1)
detected = st.builds(
    Detected,
    key=st.text(),
    detail=st.text(),
    original=st.none() | st.text(),
    heads=st.lists(st.tuples(shares, shares, shares, shares, shares), max_size=4).map(tuple),
)


def test_a_refusal_has_the_fingerprint_of_its_source() -> None:
    refused = Fetched("9", Reason.NOT_FOUND, "status 404", source="0123abcd-4567")
    assert json.loads(encode(refused))["source"] == "0123abcd-4567"
    assert decode(encode(refused)) == refused


@given(made | detected)
def test_an_outcome_is_read_back_whatever_outputs_it_has(entry) -> None:
    line = encode(entry)
    assert decode(line) == entry
    assert check(line).key == entry.key
    assert b"\n" not in line


@pytest.mark.parametrize(("line", "entry"), [*zip(OLD_LINES, OF_OLD_LINES, strict=True)])
def test_a_line_of_an_earlier_version_is_read(line, entry) -> None:
    assert decode(line) == entry


@pytest.mark.parametrize(("line", "entry"), [*zip(OLD_LINES, OF_OLD_LINES, strict=True)])
def test_an_earlier_version_could_read_a_line_of_this_one(line, entry) -> None:
    assert json.loads(encode(entry)) == json.loads(line)


def test_lines_of_all_versions_are_one_table(tmp_path) -> None:
    three = (MadeOutput("full", 1, 2, 3, "a"), MadeOutput("bust", 4, 5, 6, "b"))
    lines = [*OLD_LINES, encode(Made("10", outputs=three))]
    (tmp_path / "ledger").write_bytes(b"\n".join(lines) + b"\n")
    found = last_outcomes(tmp_path / "ledger", "make", (FULL_IMAGE, HEAD_CROP, BUST)).collect()
    assert found.select("key", "bytes", "face_bytes", "bust_bytes", "bust_sha256").rows() == [
        ("7", 18710, 6554, None, None),
        ("8", 9, None, None, None),
        ("9", None, None, None, None),
        ("10", 3, None, 6, "b"),
    ]
    assert found.schema["bust_width"] == pl.Int64


@pytest.mark.parametrize(
    "line",
    [
        OLD_LINES[0][:-1],
        OLD_LINES[0].replace(b'"width":256', b'"width":"x"'),
        OLD_LINES[0].replace(b'"key":"7",', b""),
        OLD_LINES[0].replace(b'"make"', b'"bake"'),
        b"",
    ],
)
@pytest.mark.parametrize("read", [check, decode])
def test_anything_but_an_outcome_is_refused(read, line) -> None:
    with pytest.raises(msgspec.DecodeError):
        read(line)


def test_a_further_output_must_have_all_its_fields() -> None:
    whole = encode(Made("1", outputs=(MadeOutput("bust", 4, 5, 6, "b"),)))
    with pytest.raises(msgspec.DecodeError):
        decode(whole.replace(b'"bust_width":4,', b""))


def test_a_checked_line_has_all_fields_but_its_outputs() -> None:
    entry = OF_OLD_LINES[1]
    found = check(OLD_LINES[1])
    assert isinstance(found, Made)
    assert (found.key, found.reason, found.detail) == (entry.key, entry.reason, entry.detail)
    assert found.outputs == replace(entry, outputs=()).outputs
