from dafre_fast.core.summaries import (
    Bottleneck,
    Downloads,
    Summary,
    TagCount,
    TagsSummary,
    TagStep,
    Work,
)
from dafre_fast.views.summary import show


def test_tags_are_shown_under_the_names_of_their_categories(capsys) -> None:
    counts = {0: TagCount(5, 50), 3: TagCount(2, 20), 4: TagCount(1, 10)}
    show(TagsSummary(3, 3, {}, [TagStep("records", 3, counts)]), as_json=False)
    head, row, _ = capsys.readouterr().out.splitlines()
    assert head.split()[2:] == ["general", "uses", "series", "uses", "character", "uses"]
    assert row.split() == ["records", "3", "5", "50", "2", "20", "1", "10"]


def test_the_limits_of_a_run_are_shown_in_words_the_largest_share_first(capsys) -> None:
    shares = {Bottleneck.NETWORK: 0.25, Bottleneck.RATE_LIMITS: 0.7, Bottleneck.CPU: 0.05}
    downloads = Downloads(1, 5, 1, 0, Bottleneck.RATE_LIMITS, shares)
    show(Summary(1, 1, {}, Work(1, 1.0, 1.0, downloads)), as_json=False)
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "limited by: rate limits 70%, network 25%, CPU 5%"
