"""Options of img2dataset, as its users type them."""

import pytest

from dafre_fast.core.errors import UsageError
from dafre_fast.core.settings.img2dataset import OPTIONS, translated
from dafre_fast.download.__main__ import command as download
from dafre_fast.full.__main__ import command as full
from dafre_fast.resize.__main__ import command as resize

THEIRS = [
    "url_list",
    "image_size",
    "output_folder",
    "processes_count",
    "resize_mode",
    "resize_only_if_bigger",
    "upscale_interpolation",
    "downscale_interpolation",
    "encode_quality",
    "encode_format",
    "skip_reencode",
    "output_format",
    "input_format",
    "url_col",
    "caption_col",
    "bbox_col",
    "thread_count",
    "number_sample_per_shard",
    "extract_exif",
    "save_additional_columns",
    "timeout",
    "enable_wandb",
    "wandb_project",
    "oom_shard_count",
    "compute_hash",
    "verify_hash",
    "distributor",
    "subjob_size",
    "retries",
    "disable_all_reencoding",
    "min_image_size",
    "max_image_area",
    "max_aspect_ratio",
    "incremental_mode",
    "max_shard_retry",
    "user_agent_token",
    "disallowed_header_directives",
    "ignore_ssl_certificate",
]
"""All options of img2dataset 1.47."""


def full_flags(*args: str) -> list[str]:
    return translated(args, full.settings, "full")


@pytest.mark.parametrize("option", THEIRS)
def test_every_option_is_a_flag_here_or_is_known(option) -> None:
    assert option in full.settings or option.replace("_", "-") in OPTIONS


def test_no_other_option_is_known() -> None:
    assert {name.replace("-", "_") for name in OPTIONS} <= {*THEIRS}


@pytest.mark.parametrize("option", OPTIONS.values())
def test_every_flag_that_stands_for_one_exists(option) -> None:
    flags = (
        [f"--{option.flag}"] if option.flag else [one[0] for one in option.values.values() if one]
    )
    for flag in flags:
        name = flag.removeprefix("--").removeprefix("no-").replace("-", "_")
        assert name in full.settings
    assert option.flag or option.instead


def test_equals_are_put_in_place_with_their_values() -> None:
    args = [
        "--url_list",
        "l.parquet",
        "--image-size=64",
        "--output_folder",
        "o",
        "--processes_count",
        "2",
    ]
    flags = ["--table", "l.parquet", "--size=64", "--output", "o", "--workers", "2"]
    assert full_flags(*args) == flags


@pytest.mark.parametrize(
    ("args", "flags"),
    [
        ("--output_format webdataset --limit 3", "--compat img2dataset --limit 3"),
        ("--output_format=files", ""),
        ("--ignore_ssl_certificate --limit 3", "--insecure --limit 3"),
        ("--ignore_ssl_certificate True", "--insecure"),
        ("--skip_reencode=False --limit 3", "--limit 3"),
        ("--incremental_mode overwrite", "--no-resume"),
        ("--distributor ray", "--executor ray"),
        ("--disallowed_header_directives []", "--no-respect-noai"),
        ("--resize_mode border --encode_format webp", "--resize_mode border --encode_format webp"),
        ("--timeout 10 --retries 0", "--timeout 10 --retries 0"),
    ],
)
def test_values_have_flags_of_their_own(args, flags) -> None:
    assert full_flags(*args.split()) == flags.split()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ("--output_format tfrecord", "run `pack --format parquet`"),
        ("--resize_only_if_bigger", "--min-image-size refuses them"),
        ("--resize_only_if_bigger=True", "--min-image-size refuses them"),
        ("--bbox_col boxes", "--box-columns"),
        ("--distributor pyspark", "--part I/N"),
        ("--compute_hash md5", "is SHA-256"),
        ("--save_additional_columns ['a']", "all columns of a table are kept"),
        ("--enable_wandb", "--metrics-file"),
    ],
)
def test_what_has_no_equal_is_refused_with_what_to_do(args, message) -> None:
    with pytest.raises(UsageError, match=message):
        full_flags(*args.split())


def test_a_flag_that_a_command_lacks_is_named() -> None:
    with pytest.raises(UsageError, match="--number_sample_per_shard is --shard-size here, which"):
        translated(["--number_sample_per_shard", "5"], resize.settings, "resize")


def test_a_value_that_looks_like_an_option_is_left_alone() -> None:
    assert full_flags("--contact", "url_list") == ["--contact", "url_list"]


@pytest.mark.parametrize("command", [full, download, resize])
def test_no_flag_of_ours_is_hidden(command) -> None:
    for name in command.settings:
        flag = f"--{name.replace('_', '-')}"
        assert translated([flag, "x"], command.settings, "") == [flag, "x"]
