"""Fingerprints of sources: what makes another source of it, and what they keep to themselves."""

import itertools
import re

import pytest
from msgspec.structs import replace

from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.sources.choose import identity

SOURCE = "https://host/{bucket}/{id}.{ext}"
USUAL = Fetching()


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch) -> None:
    for name in ("http", "https", "all", "no"):
        monkeypatch.delenv(f"{name}_proxy", raising=False)
        monkeypatch.delenv(f"{name}_proxy".upper(), raising=False)


@pytest.mark.parametrize(
    "source",
    [SOURCE, "s3://b/{id}.{ext}", "hf:o/n", "rsync://h/m/original", "/data/a.tar", "http://[::1/"],
)
def test_the_same_source_has_the_same_fingerprint_of_eight_digits(source) -> None:
    found = identity(source, USUAL)
    assert found == identity(source, Fetching())
    assert re.fullmatch("[0-9a-f]{8}", found)


def test_other_addresses_logins_and_queries_are_other_sources() -> None:
    sources = [
        SOURCE,
        SOURCE.replace("host", "other"),
        SOURCE.replace("https", "http"),
        SOURCE.replace("{bucket}/", ""),
        SOURCE.replace("//", "//me:secret@"),
        SOURCE.replace("//", "//me:other@"),
        SOURCE + "?token=secret",
        "hf:o/n",
        "hf:o/n@v2",
        "hf://datasets/o/n/{id}.{ext}",
    ]
    assert len({identity(source, USUAL) for source in sources}) == len(sources)


@pytest.mark.parametrize(
    "other",
    [
        {"extensions": ("png",)},
        {"metadata": ("posts.json",)},
        {"respect_noai": False},
        {"allow_private": True},
        {"max_bytes": 1},
        {"truncated": "keep"},
    ],
    ids=str,
)
def test_a_source_that_is_judged_otherwise_is_another_one(other, tmp_path) -> None:
    if "metadata" in other:
        other = {"metadata": tuple(tmp_path / name for name in other["metadata"])}
    assert identity(SOURCE, USUAL) != identity(SOURCE, replace(USUAL, **other))


def test_settings_that_judge_nothing_change_nothing() -> None:
    assert identity(SOURCE, USUAL) == identity(SOURCE, Fetching(connections=3, retries=0, rate=2.0))


@pytest.mark.parametrize(
    ("source", "name"),
    [
        (SOURCE, "https_proxy"),
        (SOURCE, "ALL_PROXY"),
        ("hf:o/n", "HF_TOKEN"),
        ("hf:o/n", "HF_ENDPOINT"),
        ("s3://b/{id}.{ext}", "AWS_ACCESS_KEY_ID"),
        ("s3://b/{id}.{ext}", "AWS_ENDPOINT_URL"),
        ("s3://b/{id}.{ext}", "AWS_SKIP_SIGNATURE"),
        ("gs://b/{id}.{ext}", "GOOGLE_APPLICATION_CREDENTIALS"),
        ("rsync://h/m", "RSYNC_PASSWORD"),
    ],
)
def test_another_login_endpoint_or_proxy_makes_another_source(source, name, monkeypatch) -> None:
    monkeypatch.delenv(name, raising=False)
    found = [identity(source, USUAL)]
    for value in ("http://one", "http://two"):
        monkeypatch.setenv(name, value)
        found.append(identity(source, USUAL))
    assert all(one != other for one, other in itertools.combinations(found, 2))


def test_a_token_of_another_kind_of_source_does_not_matter(monkeypatch) -> None:
    before = identity(SOURCE, USUAL)
    monkeypatch.setenv("HF_TOKEN", "x")
    assert identity(SOURCE, USUAL) == before


def test_too_little_of_a_secret_is_in_it_to_tell_a_guess_from_the_truth() -> None:
    found = identity(SOURCE.replace("//", "//me:secret@"), USUAL)
    assert re.fullmatch("[0-9a-f]{8}-[0-9a-f]{4}", found)
    assert found[:8] == identity(SOURCE, USUAL)
