import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.verdict import LEAST_SAMPLES, SAMPLES, Verdict, judge

TRIALS, NOISE = 200, 0.05

pairs = st.lists(
    st.tuples(st.floats(1e-3, 1e3), st.floats(1e-3, 1e3)), min_size=LEAST_SAMPLES, max_size=12
)


def noisy(rng: np.random.Generator, cost: float = 1.0) -> np.ndarray:
    return cost * rng.lognormal(0, NOISE, SAMPLES)


def count(verdict: Verdict, slowdown: float) -> int:
    """Number of trials in which a slow-down under noise gets this verdict."""
    rng = np.random.default_rng(2018)
    judged = [judge(noisy(rng), noisy(rng, slowdown)).verdict for _ in range(TRIALS)]
    return judged.count(verdict)


def test_a_slow_down_of_15_percent_is_caught_under_noise_of_5_percent() -> None:
    assert count(Verdict.WORSE, 1.15) >= 0.95 * TRIALS


def test_a_speed_up_is_seen_as_one() -> None:
    assert count(Verdict.BETTER, 1 / 1.15) >= 0.95 * TRIALS


def test_a_version_hardly_ever_differs_from_itself() -> None:
    assert count(Verdict.NO_DIFFERENCE, 1.0) >= 0.96 * TRIALS


def test_a_busy_machine_that_doubles_the_cost_of_both_hides_nothing() -> None:
    rng = np.random.default_rng(2018)
    busy = rng.choice([1.0, 2.0], (TRIALS, SAMPLES))
    judged = [judge(noisy(rng) * load, noisy(rng, 1.15) * load) for load in busy]
    assert sum(one.verdict is Verdict.WORSE for one in judged) >= 0.95 * TRIALS


def test_samples_without_any_noise_are_told_apart() -> None:
    assert judge([1.0] * 7, [1.15] * 7).verdict is Verdict.WORSE
    assert judge([1.0] * 7, [1.0] * 7).verdict is Verdict.NO_DIFFERENCE


def test_one_sample_that_was_disturbed_changes_no_verdict() -> None:
    steady = [1.0, 1.01, 0.99, 1.02, 0.98, 1.03, 0.97]
    assert judge(steady, [*steady[:-1], 50.0]).verdict is Verdict.NO_DIFFERENCE


def test_a_verdict_needs_seven_samples_a_side() -> None:
    with pytest.raises(ValueError, match="7 samples"):
        judge([1.0] * 7, [1.0] * 6)


@given(pairs)
def test_changing_sides_turns_the_verdict_around(pairs) -> None:
    base, new = zip(*pairs, strict=True)
    there, back = judge(base, new), judge(new, base)
    turned = {Verdict.BETTER: Verdict.WORSE, Verdict.WORSE: Verdict.BETTER}
    assert back.verdict is turned.get(there.verdict, there.verdict)
    assert back.ratio == pytest.approx(1 / there.ratio)


@given(pairs)
def test_samples_do_not_differ_from_themselves(pairs) -> None:
    base, _ = zip(*pairs, strict=True)
    judged = judge(base, base)
    assert (judged.verdict, judged.ratio) == (Verdict.NO_DIFFERENCE, 1.0)


@given(pairs)
def test_the_ratio_lies_on_the_side_of_the_verdict(pairs) -> None:
    judged = judge(*zip(*pairs, strict=True))
    if judged.verdict is Verdict.WORSE:
        assert judged.ratio > 1
    if judged.verdict is Verdict.BETTER:
        assert judged.ratio < 1


@given(pairs, st.randoms())
def test_the_order_of_pairs_does_not_matter(pairs, random) -> None:
    mixed = judge(*zip(*random.sample(pairs, len(pairs)), strict=True))
    assert mixed.verdict is judge(*zip(*pairs, strict=True)).verdict
