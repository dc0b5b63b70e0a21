"""The fault table as tests: every fault ends with the right bytes or its reason, nothing else."""

import pytest

from dafre_fast.core.reasons import Proof
from dafre_fast.testing.faults import FAULTS, Fault
from tests.faults.table import GOOD, REFUSED, SETTINGS, UNVERIFIED, Ending, Verdict, endings

Endings = dict[tuple[str, bool], Ending]
FAULT = pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
KNOWN = pytest.mark.parametrize("md5_known", [True, False], ids=["md5", "no-md5"])


@pytest.fixture(scope="module")
def ended(tmp_path_factory) -> Endings:
    found = endings(tmp_path_factory.mktemp("faults"))
    return {(ending.fault.name, ending.md5_known): ending for ending in found}


def test_the_table_is_as_long_as_was_promised() -> None:
    names = {fault.name for fault in FAULTS}
    assert len(names) == len(FAULTS) >= 30
    assert sum(fault.recoverable for fault in FAULTS) >= 11
    assert {fault.name for fault in FAULTS if not fault.recoverable} == set(REFUSED)


@FAULT
@KNOWN
def test_no_fault_ends_in_a_wrong_file_or_a_part_of_one_or_never(ended, fault, md5_known) -> None:
    assert ended[fault.name, md5_known].verdict in GOOD


@FAULT
@KNOWN
def test_a_fault_ends_with_the_file_or_for_its_reason(ended, fault, md5_known) -> None:
    ending = ended[fault.name, md5_known]
    assert (ending.reason, ending.verdict) == (ending.expected, verdict(fault, md5_known))


def verdict(fault: Fault, md5_known: bool) -> Verdict:
    if fault.name in UNVERIFIED and not md5_known:
        return Verdict.UNVERIFIED
    return Verdict.RIGHT if fault.recoverable else Verdict.REFUSED


@FAULT
@KNOWN
def test_an_outcome_tells_how_it_came_about(ended, fault, md5_known) -> None:
    for one in ended[fault.name, md5_known].fetched:
        assert one.url
        assert one.attempts <= SETTINGS.retries + 1
        assert one.seconds is not None
        assert one.detail.isprintable()
        assert len(one.detail) < 400
        if one.reason is None:
            assert (one.http_status, one.proof) in {
                (status, Proof.MD5 if md5_known else Proof.UNVERIFIED) for status in (200, 206)
            }


@pytest.mark.parametrize("name", ["not-found", "gone", "forbidden-by-law", "redirect-private"])
@KNOWN
def test_a_permanent_fault_is_asked_for_once(ended, name, md5_known) -> None:
    assert ended[name, md5_known].attempts == 1


@pytest.mark.parametrize("name", ["page", "page-as-jpeg", "empty", "endless-zeros", "flipped-png"])
@KNOWN
def test_a_file_that_is_wrong_twice_in_the_same_way_is_not_asked_for_again(
    ended, name, md5_known
) -> None:
    ending = ended[name, md5_known]
    assert ending.attempts == 2
    assert ending.detail.endswith(", twice")


@pytest.mark.parametrize(
    ("name", "status"),
    [("not-found", 404), ("forbidden-by-law", 451), ("error-503", 503), ("redirect-loop", 302)],
)
def test_a_refusal_has_the_status_that_led_to_it(ended, name, status) -> None:
    (fetched,) = ended[name, True].fetched
    assert fetched.http_status == status


def test_after_a_redirect_the_outcome_names_who_answered(ended) -> None:
    for name in ("redirect", "redirect-loop"):
        (fetched,) = ended[name, True].fetched
        assert fetched.final_url != fetched.url
        assert fetched.final_url.startswith(fetched.url)


def test_a_download_that_broke_off_is_continued(ended) -> None:
    (fetched,) = ended["short-and-continued", False].fetched
    assert (fetched.http_status, fetched.attempts) == (206, 2)
