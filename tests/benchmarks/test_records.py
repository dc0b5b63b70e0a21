import math

from bench.records import Result, Role, Sample, with_mix


def result(part: str, *costs: float, contender: str = "full") -> Result:
    return Result(
        benchmark="images",
        source="0",
        contender=contender,
        part=part,
        role=Role.OURS,
        images=2,
        megapixels=6.0,
        samples=[Sample(cost, 2 * cost) for cost in costs],
    )


def test_figures_are_medians() -> None:
    measured = result("", 1.0, 9.0, 2.0)
    assert (measured.cpu_seconds, measured.seconds) == (2.0, 4.0)


def test_the_mix_adds_up_what_was_measured_in_the_same_round() -> None:
    *_, mix = with_mix([result("jpeg", 1.0, 2.0), result("png", 10.0, 20.0)])
    assert (mix.part, mix.images, mix.megapixels) == ("mix", 4, 12.0)
    assert [sample.cpu_seconds for sample in mix.samples] == [11.0, 22.0]


def test_there_is_no_mix_of_one_part() -> None:
    alone = [result("jpeg", 1.0), result("png", 1.0, contender="other")]
    assert with_mix(alone) == alone


def test_one_sample_has_no_spread() -> None:
    assert math.isnan(result("", 1.0).spread)
