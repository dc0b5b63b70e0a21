"""Commands that `make` would run for its arguments; nothing is run here."""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not here")


def make(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    search = {"PATH": os.environ["PATH"]}
    return subprocess.run(
        ["make", *arguments],
        cwd=ROOT,
        env=search | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def flags_of_full(*variables: str, **environment: str) -> list[str]:
    done = make("-n", "full", *variables, **environment)
    assert done.returncode == 0, done.stderr
    _, _, command, *flags = shlex.split(done.stdout.splitlines()[-1])
    assert command == "dafre_fast.full"
    return flags


def test_without_variables_the_sample_goes_to_out() -> None:
    assert flags_of_full() == ["--output", "out"]


def test_every_variable_is_passed_on_as_it_is() -> None:
    flags = flags_of_full(
        "FACES=my faces.tsv",
        "TAG_IDS=it's.tsv",
        "SOURCE=https://host/{id}.{ext}?a=1&b=$$(2)",
        "OUT=a b",
        "WORKERS=64",
        "PACK=webdataset",
        "DETECTOR=a model.onnx",
    )
    assert dict(zip(flags[::2], flags[1::2], strict=True)) == {
        "--faces": "my faces.tsv",
        "--tag-ids": "it's.tsv",
        "--source": "https://host/{id}.{ext}?a=1&b=$(2)",
        "--output": "a b",
        "--workers": "64",
        "--pack": "webdataset",
        "--detector": "a model.onnx",
    }


def test_a_source_without_tables_is_passed_on_so_that_the_command_says_what_is_missing() -> None:
    assert flags_of_full("SOURCE=/data") == ["--output", "out", "--source", "/data"]


def test_a_detector_alone_finds_the_heads_of_the_sample() -> None:
    assert flags_of_full("DETECTOR=model.onnx") == ["--output", "out", "--detector", "model.onnx"]


def test_metadata_may_be_several_files() -> None:
    assert flags_of_full("METADATA=a.json b.json")[2:] == [
        "--metadata",
        "a.json",
        "--metadata",
        "b.json",
    ]


def test_further_flags_are_words_of_a_shell() -> None:
    flags = flags_of_full("ARGS=--size 128 --log-json 'a b'")
    assert flags[2:] == ["--size", "128", "--log-json", "a b"]


def test_with_a_file_of_settings_that_says_where_the_dataset_goes() -> None:
    assert flags_of_full("CONFIG=job.toml") == ["--config", "job.toml"]
    assert flags_of_full("CONFIG=job.toml", "OUT=ds")[2:] == ["--output", "ds"]


def test_the_environment_may_set_variables_too() -> None:
    assert flags_of_full(OUT="ds", WORKERS="3") == ["--output", "ds", "--workers", "3"]


def test_a_misspelt_variable_ends_make_by_name() -> None:
    done = make("-n", "full", "FACE=faces.tsv")
    assert done.returncode == 2
    assert "no such variable: FACE" in done.stderr


def test_clean_removes_no_dataset() -> None:
    removed = make("-n", "clean", "OUT=precious", OUT="precious").stdout
    assert "rm -rf" in removed
    assert "precious" not in removed
    assert not re.search(r"\bout\b", removed)


def test_help_has_a_line_for_every_target() -> None:
    (phony,) = re.findall(r"\.PHONY:((?:.|\\\n)*)\n\n", (ROOT / "Makefile").read_text())
    targets = {*phony.replace("\\", " ").split()} - {"turbojpeg"}
    described = re.findall(r"^make ([a-z-]+) +\w", make("help").stdout, re.MULTILINE)
    assert {*described} == targets


@pytest.mark.parametrize(
    ("target", "stamps"),
    [("full", ["base"]), ("test", ["base", "dev"]), ("bench", ["base", "dev"])],
)
def test_the_developers_extra_is_installed_only_for_what_needs_it(target, stamps) -> None:
    lines = make("-n", target, "VENV=absent").stdout.splitlines()
    assert [line for line in lines if line.startswith("touch")] == [
        f"touch absent/{stamp}" for stamp in stamps
    ]
    assert any("--editable '.[dev]'" in line for line in lines) == ("dev" in stamps)
