import os
import re
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pytest

from dafre_fast import cli
from dafre_fast.__main__ import COMMANDS
from dafre_fast.core.errors import UsageError
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.core.settings.groups import Group
from dafre_fast.core.settings.images import (
    Bounds,
    Encoding,
    FaceImage,
    FullImage,
)
from dafre_fast.core.settings.running import Reporting, Running
from dafre_fast.core.settings.tables import CatalogueTables, Selection
from dafre_fast.core.summaries import Summary
from tests import commands
from tests.commands import here

INPUTS = ("--faces", "faces.tsv", "--tag-ids", "tagIds.tsv")


@pytest.fixture
def folder(tmp_path) -> Path:
    """Write the tables of two classes of 20 heads into a folder."""
    heads = [
        f"{image:04d}\\{image}.jpg\t{image % 2}\t0.1, 0.2, 0.3, 0.4 0.9\n" for image in range(40)
    ]
    (tmp_path / "faces.tsv").write_text("".join(heads))
    (tmp_path / "tagIds.tsv").write_text("even\t0\nodd\t1\n")
    return tmp_path


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return commands.run([sys.executable, *arguments], folder)


def main(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the main command in this process."""
    return here("", *arguments, cwd=folder)


def assert_fails_with_one_line(
    done: subprocess.CompletedProcess[str], status: int, named: str
) -> None:
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.endswith("\n")
    assert named in done.stderr
    assert done.stdout == ""


@dataclass(frozen=True)
class Wrong:
    """Wrong arguments, or a wrong configuration file, and the text that the message must name."""

    what: str
    arguments: tuple[str, ...]
    named: str
    config: str | bytes = ""


WRONG = [
    Wrong("unknown flag", (*INPUTS, "--bogus", "1"), "--bogus"),
    Wrong("abbreviated flag", (*INPUTS, "--min-imag", "1"), "--min-imag"),
    Wrong("flag without its value", (*INPUTS, "--output"), "--output"),
    Wrong("value where none belongs", (*INPUTS, "--json=yes"), "--json"),
    Wrong("argument without flag", (*INPUTS, "stray"), "stray"),
    Wrong("required flag missing", INPUTS[:2], "--tag-ids"),
    Wrong("no arguments", (), "--faces"),
    Wrong("wrong type", (*INPUTS, "--min-images", "many"), "--min-images"),
    Wrong("broken number", (*INPUTS, "--min-images", "2.5"), "--min-images"),
    Wrong("out of bounds", (*INPUTS, "--min-confidence", "1.01"), "--min-confidence"),
    Wrong("nan", (*INPUTS, "--min-confidence", "nan"), "--min-confidence"),
    Wrong("wrong type in the file", INPUTS, "--min-images", 'min-images = "many"'),
    Wrong("out of bounds in the file", INPUTS, "--min-images", "[labels]\nmin_images = 0"),
    Wrong("list for a number in the file", INPUTS, "--min-images", "min-images = [20]"),
    Wrong(
        "number for a path in the file",
        INPUTS[:2],
        "--tag-ids",
        "tag-ids = 5",
    ),
    Wrong("unknown key in the own table", INPUTS, "setting bogus", "[labels]\nbogus = 1"),
    Wrong("unknown key of every command", INPUTS, "did you mean workers?", "wrokers = 2"),
    Wrong("unknown table", INPUTS, "did you mean [labels]?", "[lables]\nmin_images = 2"),
    Wrong("unknown key in the table of another", INPUTS, "[crop] has no", "[crop]\nbogus = 1"),
    Wrong("a table where a value belongs", INPUTS, "is a table", "[labels.output]\nto = 'a'"),
    Wrong("file is not TOML", INPUTS, "config.toml", "min-images = "),
    Wrong("file is not UTF-8", INPUTS, "config.toml", b"output = '\xff'"),
    Wrong("no such file", (*INPUTS, "--config", "missing.toml"), "missing.toml"),
    Wrong("a folder for a file", (*INPUTS, "--config", "."), ".: "),
    Wrong("no such faces.tsv", ("--faces", "missing.tsv", *INPUTS[2:]), "missing.tsv"),
    Wrong("no such tagIds.tsv", (*INPUTS[:2], "--tag-ids", "missing.tsv"), "missing.tsv"),
    Wrong("a path that is not UTF-8", (*INPUTS, "--output", "a\udcff"), "--output 'a\\udcff'"),
    Wrong("a selection of nothing", (*INPUTS, "--min-images", "21"), "faces.tsv"),
]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.what)
def test_wrong_usage_or_input_is_status_2_and_one_line_that_names_it(folder, wrong):
    arguments = wrong.arguments
    if wrong.config:
        content = wrong.config if isinstance(wrong.config, bytes) else wrong.config.encode()
        (folder / "config.toml").write_bytes(content)
        arguments += ("--config", "config.toml")
    assert_fails_with_one_line(here("labels", *arguments, cwd=folder), 2, wrong.named)


@pytest.mark.parametrize(
    "wrong",
    [one for one in WRONG if one.what in {"out of bounds", "a path that is not UTF-8"}],
    ids=lambda wrong: wrong.what,
)
def test_a_process_of_its_own_ends_no_other_way(folder, wrong):
    done = run(folder, "-m", "dafre_fast.labels", *wrong.arguments)
    assert_fails_with_one_line(done, 2, wrong.named)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("bogus",), "bogus"),
        (("--bogus",), "--bogus"),
        (("labels", "--bogus"), "--bogus"),
        (("full", "--faces", "faces.tsv"), "--tag-ids"),
    ],
)
def test_wrong_usage_of_the_main_command_is_status_2_and_one_line(folder, arguments, named):
    assert_fails_with_one_line(main(folder, *arguments), 2, named)


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("fulll",), "Did you mean 'full'?"),
        (("verfy", "--deep"), "Did you mean 'verify'?"),
        (("labels", "--min-imags", "3"), "--min-images"),
    ],
)
def test_a_misspelt_command_or_flag_gets_a_suggestion(folder, arguments, hint):
    assert_fails_with_one_line(main(folder, *arguments), 2, hint)


@pytest.mark.parametrize(
    ("command", "flags", "message"),
    [
        (
            "pack",
            ("--format", "hff"),
            "--format 'hff': must be one of hf, img2dataset, parquet, tar, webdataset",
        ),
        ("audit", ("--distance", "300"), "--distance '300': must be a whole number from 0 to 63"),
        ("pack", ("--workers", "two"), "--workers 'two': must be a whole number of at least 1"),
        ("labels", ("--min-confidence", "2"), "--min-confidence '2': must be a number from 0 to 1"),
        ("resize", ("--image-timeout", "0"), "--image-timeout '0': must be a number above 0"),
        ("gallery", ("--host", ""), "--host '': must be text that is not empty"),
    ],
)
def test_the_error_for_a_wrong_value_says_what_is_allowed(folder, command, flags, message):
    required = INPUTS if command == "labels" else ()
    done = here(command, *required, *flags, cwd=folder)
    assert_fails_with_one_line(done, 2, f"dafre-fast {command}: {message}\n")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("min-images = 0.5", "--min-images 0.5: must be a whole number of at least 1"),
        ("output = 5", "--output 5: must be a path"),
        ("json = 'perhaps'", "--json 'perhaps': must be true or false"),
    ],
)
def test_the_error_for_a_wrong_value_in_the_file_says_what_is_allowed(folder, config, message):
    (folder / "config.toml").write_text(config)
    done = here("labels", *INPUTS, "--config", "config.toml", cwd=folder)
    assert_fails_with_one_line(done, 2, message)


def stumble(folder: Path, error: str) -> subprocess.CompletedProcess[str]:
    """Run a command that raises `error`."""
    (folder / "stumble.py").write_text(
        "from dafre_fast import cli\n"
        "from dafre_fast.core import errors\n"
        "@cli.command('stumble')\n"
        f"def stumble():\n  'Stumble.'\n  raise {error}\n"
        "cli.run(stumble)\n"
    )
    return run(folder, "stumble.py")


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        ("errors.UsageError('what')", 2, "what"),
        ("errors.InputError('which\\nfile')", 2, "which file"),
        ("errors.OutputError('disk full')", 1, "disk full"),
    ],
)
def test_an_error_of_a_command_becomes_one_line_and_a_status(tmp_path, error, status, message):
    done = stumble(tmp_path, error)
    assert_fails_with_one_line(done, status, f"dafre-fast stumble: {message}\n")


def test_an_interrupted_command_says_so_with_status_130(tmp_path):
    done = stumble(tmp_path, "KeyboardInterrupt")
    assert done.returncode == 130
    assert done.stderr.strip().startswith("dafre-fast stumble: stopped")  # a line end goes before
    assert "Traceback" not in done.stderr


def test_an_output_that_cannot_be_written_is_status_1_and_one_line(folder):
    (folder / "taken").touch()
    done = here("labels", *INPUTS, "--output", "taken", cwd=folder)
    assert_fails_with_one_line(done, 1, "taken")


@pytest.mark.parametrize("name", [*COMMANDS])
def test_help_of_a_command_is_the_same_for_both_ways_to_start_it(tmp_path, monkeypatch, name):
    monkeypatch.setenv("COLUMNS", "80")
    module = run(tmp_path, "-m", f"dafre_fast.{name.replace('-', '_')}", "--help")
    inside = main(tmp_path, name, "-h")
    assert module.returncode == inside.returncode == 0
    assert module.stdout == inside.stdout
    assert f"dafre-fast {name}" in module.stdout
    assert "--config" in module.stdout


def test_help_of_the_main_command_lists_every_command(tmp_path):
    done = main(tmp_path, "--help")
    assert done.returncode == 0
    assert re.findall(r"^  ([a-z][a-z-]+)  ", done.stdout, re.MULTILINE) == [*COMMANDS]
    assert "_DAFRE_FAST_COMPLETE=bash_source" in done.stdout


@pytest.mark.parametrize("name", [*COMMANDS])
def test_the_list_of_commands_has_the_first_line_of_each_commands_own_help(tmp_path, name):
    listed = re.sub(r"\s+", " ", main(tmp_path, "--help").stdout)
    own = re.sub(r"\s+", " ", main(tmp_path, name, "--help").stdout)
    first = cli.description(name).splitlines()[0]
    assert f"{name} {first}" in listed
    assert re.search(rf"\[OPTIONS\]( \[[A-Z]+\]…)? {re.escape(first)}", own)


@pytest.mark.parametrize(
    "arguments", [("dafre_fast",), ("dafre_fast", "full"), ("dafre_fast.full",)]
)
def test_the_version_is_that_of_the_package(tmp_path, arguments):
    done = run(tmp_path, "-m", *arguments, "--version")
    assert (done.returncode, done.stdout) == (0, f"dafre-fast {version('dafre_fast')}\n")


def test_help_of_the_main_command_imports_no_command(tmp_path):
    script = (
        "import sys\nfrom dafre_fast.__main__ import main\n"
        "sys.argv = ['dafre-fast', '--help']\n"
        "try: main()\nexcept SystemExit: pass\n"
        "heavy = {'polars', 'numpy', 'rich', 'aiohttp', 'numba'} & {*sys.modules}\n"
        "commands = [name for name in sys.modules if name.endswith(('.__main__', '.run'))]\n"
        "assert (heavy, commands) == (set(), ['dafre_fast.__main__']), (heavy, commands)\n"
    )
    done = run(tmp_path, "-c", script)
    assert done.returncode == 0, done.stderr


def test_the_help_of_a_command_has_its_flags_in_sections_each_flag_once(tmp_path):
    text = main(tmp_path, "full", "--help").stdout
    sections = re.split(r"^(\S.*):$", text, flags=re.MULTILINE)[1:]
    flags = {
        heading: re.findall(r"^  (--[a-z-]+)", body, re.MULTILINE)
        for heading, body in zip(sections[::2], sections[1::2], strict=True)
    }
    (of_faces,) = (found for found in flags.values() if "--faces" in found)
    (of_size,) = (found for found in flags.values() if "--size" in found)
    assert "--source" in of_faces
    assert of_size == ["--size", "--exact", "--resize-mode"]
    assert flags["Other options"] == ["--config", "--version"]
    every = [flag for found in flags.values() for flag in found]
    assert len(every) == len({*every}) > 60


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("dafre-fast ver", ["verify"]),
        ("dafre-fast full --metrics-p", ["--metrics-port"]),
        ("dafre-fast pack --format w", ["webdataset"]),
    ],
)
def test_a_shell_completes_commands_flags_and_choices(tmp_path, line, offered):
    asked = {"_DAFRE_FAST_COMPLETE": "bash_complete", "COMP_WORDS": line}
    done = subprocess.run(
        [sys.executable, "-m", "dafre_fast"],
        env={**os.environ, **asked, "COMP_CWORD": str(len(line.split()) - 1)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert [line.partition(",")[2] for line in done.stdout.splitlines()] == offered


def test_a_command_does_the_same_for_both_ways_to_start_it(folder):
    module = run(folder, "-m", "dafre_fast.labels", *INPUTS, "--output", "a")
    inside = run(folder, "-m", "dafre_fast", "labels", *INPUTS, "--output", "b")
    assert module.returncode == inside.returncode == 0
    assert module.stdout == inside.stdout
    assert module.stderr == inside.stderr == ""
    made, made_too = (
        {path.name: path.read_bytes() for path in (folder / output).iterdir()} for output in "ab"
    )
    assert made == made_too
    assert len(made) == 5


def test_settings_may_all_come_from_the_file(folder):
    (folder / "config.toml").write_text('faces = "faces.tsv"\ntag_ids = "tagIds.tsv"\njson = true')
    done = here("labels", "--config", "config.toml", cwd=folder)
    assert done.returncode == 0
    assert '"images": 40' in done.stdout
    assert (folder / "labels/train.csv").exists()


# A command that returns its settings, in this process.


@pytest.fixture
def settings_of(tmp_path):
    def settings_of(group: type[Group], *arguments: str, config: str = "") -> Group:
        seen = []

        @cli.command("labels", group)
        def command(settings: Group) -> int:
            seen.append(settings)
            return 0

        (tmp_path / "config.toml").write_text(config)
        command.main([*arguments, "--config", str(tmp_path / "config.toml")], standalone_mode=False)
        return seen[0]

    return settings_of


@pytest.mark.parametrize(
    ("flags", "table", "top", "images"),
    [
        (("--min-images", "2"), "min-images = 3", "min-images = 4", 2),
        ((), "min-images = 3", "min-images = 4", 3),
        ((), "", "min-images = 4", 4),
        ((), "", "", None),
        (("--min-images", "2"), "", "min-images = 4", 2),
        (("--min-images", "20"), "min-images = 3", "", 20),
        (("--min-images", "2", "--min-images", "5"), "", "", 5),
    ],
)
def test_a_flag_comes_before_the_own_table_before_the_top_level_before_the_default(
    settings_of, flags, table, top, images
):
    config = f"{top}\n[labels]\n{table}\n[crop]\nmin-images = 99\n"
    assert settings_of(Selection, *flags, config=config).min_images == images


@pytest.mark.parametrize("flag", ["--max-bad-rows", "--max_bad_rows", "--max-bad_rows"])
@pytest.mark.parametrize("form", ["{} 0.5", "{}=0.5"])
def test_a_flag_may_be_written_with_either_dash(settings_of, flag, form):
    assert settings_of(Selection, *form.format(flag).split()).max_bad_rows == 0.5


@pytest.mark.parametrize("key", ["max-bad-rows", "max_bad_rows"])
@pytest.mark.parametrize("table", ["", "[labels]\n"], ids=["top level", "own table"])
def test_a_key_may_be_written_with_either_dash(settings_of, key, table):
    assert settings_of(Selection, config=f"{table}{key} = 0.5").max_bad_rows == 0.5


def test_a_dash_in_a_value_is_left_alone(settings_of):
    settings = settings_of(CatalogueTables, "--faces", "my_faces-1.tsv", "--tag_ids=my_tags-1.tsv")
    assert settings == CatalogueTables(faces=Path("my_faces-1.tsv"), tag_ids=Path("my_tags-1.tsv"))


def test_a_key_that_only_another_command_knows_is_no_error(settings_of):
    assert settings_of(Selection, config="quality = 5\n[crop]\nface_size = 1") == Selection()


@pytest.mark.parametrize("name", [*COMMANDS])
def test_every_command_refuses_a_file_with_a_name_that_none_knows(tmp_path, name):
    (tmp_path / "config.toml").write_text("wrokers = 2")
    done = main(tmp_path, name, "--config", "config.toml")
    assert_fails_with_one_line(done, 2, "no command has a setting wrokers; did you mean workers?")


@pytest.mark.parametrize(
    ("flags", "config", "json"),
    [
        (("--json",), "", True),
        (("--no-json",), "json = true", False),
        (("--no_json",), "json = true", False),
        ((), "json = true", True),
        ((), "", False),
    ],
)
def test_a_switch_can_be_turned_on_and_off(settings_of, flags, config, json):
    assert settings_of(Reporting, *flags, config=config).json is json


@pytest.mark.parametrize(
    ("flags", "config"),
    [
        (("--extensions", "png,jpg"), ""),
        (("--extensions", " png, jpg,"), ""),
        ((), 'extensions = "png,jpg"'),
        ((), 'extensions = ["png", "jpg"]'),
    ],
)
def test_a_list_is_separated_by_commas_or_is_a_list_of_the_file(settings_of, flags, config):
    assert settings_of(Fetching, *flags, config=config).extensions == ("png", "jpg")


def test_a_tilde_is_the_home_folder(settings_of):
    settings = settings_of(CatalogueTables, "--faces", "~/f.tsv", "--tag-ids", "t.tsv")
    assert settings.faces == Path.home() / "f.tsv"


@dataclass(frozen=True)
class Bound:
    """The last value of a setting that is allowed, and the first that is not."""

    group: type[Group]
    flag: str
    inside: str
    outside: str


BOUNDS = [
    Bound(Selection, "--min-confidence", "0", "-0.000001"),
    Bound(Selection, "--min-confidence", "1", "1.000001"),
    Bound(Selection, "--min-images", "1", "0"),
    Bound(Selection, "--max-bad-rows", "0", "-0.000001"),
    Bound(Selection, "--max-bad-rows", "1", "1.000001"),
    Bound(Fetching, "--connections", "1", "0"),
    Bound(Fetching, "--retries", "0", "-1"),
    Bound(Fetching, "--timeout", "0.001", "0"),
    Bound(Fetching, "--max-bytes", "1", "0"),
    Bound(FullImage, "--size", "1", "0"),
    Bound(FullImage, "--size", "65500", "65501"),
    Bound(FaceImage, "--face-margin", "0", "-0.001"),
    Bound(FaceImage, "--face-margin", "10", "10.001"),
    Bound(FaceImage, "--face-size", "1", "0"),
    Bound(Encoding, "--quality", "1", "0"),
    Bound(Encoding, "--quality", "100", "101"),
    Bound(Encoding, "--subsampling", "4:4:4", "4:2:2"),
    Bound(Bounds, "--max-pixels", "1", "0"),
    Bound(Bounds, "--max-bytes", "1", "0"),
    Bound(Bounds, "--max-scans", "1", "0"),
    Bound(Bounds, "--max-frames", "1", "0"),
    Bound(Bounds, "--worker-memory", "100000000", "99999999"),
    Bound(Bounds, "--truncated", "keep", "mend"),
    Bound(Running, "--workers", "1", "0"),
    Bound(Running, "--image-timeout", "0.001", "0"),
    Bound(Reporting, "--max-refused", "0", "-1"),
]


@pytest.mark.parametrize("bound", BOUNDS, ids=lambda bound: f"{bound.flag} {bound.outside}")
def test_a_setting_is_taken_up_to_its_bound_and_refused_beyond(settings_of, bound):
    settings = settings_of(bound.group, f"{bound.flag}={bound.inside}")
    taken = getattr(settings, bound.flag[2:].replace("-", "_"))
    assert taken == type(taken)(bound.inside)
    with pytest.raises(UsageError, match=f"{bound.flag} '{bound.outside}'"):
        settings_of(bound.group, f"{bound.flag}={bound.outside}")


@pytest.mark.parametrize(("allowed", "status"), [(None, 0), (2, 0), (3, 0), (1, 1), (0, 1)])
def test_the_status_is_1_beyond_the_refusals_allowed(allowed, status):
    summary = Summary(images=5, success=3, refused={"corrupt": 1, "timeout": 1})
    assert cli.report(summary, Reporting(max_refused=allowed)) == status


PATHS = {
    "a,b.json": ["a,b.json"],
    "a,b.json,c.json": ["a,b.json", "c.json"],
    "c.json, a,b.json": ["c.json", "a,b.json"],
    "d,e,f/g,h.json": ["d,e,f/g,h.json"],
    "a,c.json": ["a", "c.json"],
    "x,y.json": ["x", "y.json"],
    "c.json,": ["c.json"],
}


@pytest.mark.parametrize(("given", "expected"), PATHS.items())
@pytest.mark.parametrize("from_file", [False, True])
def test_paths_with_commas_are_one_path_if_they_exist(
    settings_of, tmp_path, monkeypatch, given, expected, from_file
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a,b.json", "c.json", "d,e,f/g,h.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    if from_file:
        found = settings_of(Fetching, config=f"metadata = {given!r}")
    else:
        found = settings_of(Fetching, "--metadata", given)
    assert found.metadata == tuple(map(Path, expected))


def test_items_of_a_toml_list_and_words_with_commas_stay_what_they_are(settings_of) -> None:
    found = settings_of(Fetching, config="metadata = ['x,y', ' z']\nextensions = 'jpg,png'")
    assert found.metadata == (Path("x,y"), Path(" z"))
    assert found.extensions == ("jpg", "png")
