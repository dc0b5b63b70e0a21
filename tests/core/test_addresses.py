"""What may be secret in an address is neither shown nor stored."""

import pytest

from dafre_fast.core.addresses import public, public_reference, scrubbed
from dafre_fast.core.errors import Refusal, SourceError
from dafre_fast.core.reasons import Reason

ADDRESSES = [
    ("https://host/0005/5.png", "https://host/0005/5.png"),
    ("https://user:secret@host/5.png", "https://host/5.png"),
    ("https://secret@host:8080/5.png", "https://host:8080/5.png"),
    ("https://user:secret@[::1]:8080/5.png", "https://[::1]:8080/5.png"),
    ("https://[::1]/5.png", "https://[::1]/5.png"),
    ("https://us@er:sec@ret@host/5.png", "https://host/5.png"),
    ("https://user:sec/ret@host/5.png", "https://host/5.png"),
    ("https://user:sec?ret@host/5.png", "https://host/5.png"),
    ("https://user:sec#ret@host/5.png", "https://host/5.png"),
    ("https://host/@user/5.png", "https://host/@user/5.png"),
    ("https://host/5.png?token=secret", "https://host/5.png?token=***"),
    ("https://host/5.png?secret", "https://host/5.png?***"),
    ("https://host/5.png?secret==", "https://host/5.png?secret=***"),
    ("https://host/?id=5&size=512&api_key=123", "https://host/?id=5&size=512&api_key=***"),
    ("https://host/?id={id}&e={ext};t=secret", "https://host/?id={id}&e={ext};t=***"),
    (
        "https://b.s3/5.png?X-Amz-Credential=AK%2Fx&X-Amz-Expires=300&X-Amz-Signature=ab",
        "https://b.s3/5.png?X-Amz-Credential=***&X-Amz-Expires=300&X-Amz-Signature=***",
    ),
    ("https://host/a.tar?sig=secret#0005/5.png", "https://host/a.tar?sig=***#0005/5.png"),
    ("https://host/a.tar#5?x=y.png", "https://host/a.tar#5?x=y.png"),
    ("https://host/#access_token=secret", "https://host/#access_token=***"),
    ("rsync://user@host/module/5.png", "rsync://host/module/5.png"),
    ("s3://bucket/5.png", "s3://bucket/5.png"),
    ("hf:owner/name", "hf:owner/name"),
    ("folder/a@b?token=x.tar", "folder/a@b?token=x.tar"),
]


@pytest.mark.parametrize(("address", "shown"), ADDRESSES)
def test_user_password_and_query_are_hidden_and_the_rest_is_left_alone(address, shown) -> None:
    assert public(address) == shown
    assert public(shown) == shown


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("/5.png?token=secret", "/5.png?token=***"),
        ("//user:secret@host/5.png", "//host/5.png"),
        ("5.png", "5.png"),
    ],
)
def test_a_location_without_a_scheme_is_hidden_too(location, shown) -> None:
    assert public_reference(location) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://u:secret@host/5.png: status 404", "https://host/5.png: status 404"),
        ("--source 'https://u:sec'ret@host/': odd", "--source 'https://host/': odd"),
        ("url=URL('https://h/?t=secret'), (x)", "url=URL('https://h/?t=***'), (x)"),
        ("https://h/?t=secret, then https://u:secret@i", "https://h/?t=***, then https://i"),
        ("https://h/?to=https://u:secret@i/", "https://h/?to=https://i/"),
        ("mail a@b.example, 5:30", "mail a@b.example, 5:30"),
    ],
)
def test_every_address_in_a_text_is_hidden(text, shown) -> None:
    assert scrubbed(text) == shown


def test_an_exception_of_the_package_holds_no_secret_whatever_it_was_given() -> None:
    assert str(SourceError("https://u:secret@h/?t=secret: no")) == "https://h/?t=***: no"
    refusal = Refusal(Reason.HTTP_ERROR, "https://u:secret@h/: no")
    assert refusal.detail == "https://h/: no"
    refusal.detail = f"https://h/?t=secret: {refusal.detail}"
    assert str(refusal) == "http_error: https://h/?t=***: https://h/: no"
    assert "secret" not in repr(refusal)
