"""Names in a settings file: every one is a setting or a command, or the run does not begin."""

import pytest

from dafre_fast.core.errors import InputError, UsageError
from dafre_fast.core.settings.config_file import read_settings

KNOWN = {
    "labels": {"min_images", "output", "json"},
    "tags": {"labels", "output", "min_length"},
    "full": {"workers", "tags", "min_images"},
}


@pytest.fixture
def read(tmp_path):
    def read(text: str, command: str = "labels") -> dict[str, object]:
        path = tmp_path / "settings.toml"
        path.write_text(text)
        return read_settings(path, command, KNOWN)

    return read


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("wrokers = 2", "no command has a setting wrokers; did you mean workers?"),
        ("min-imags = 2", "min-imags; did you mean min_images?"),
        ("xyzzy = 2", "no command has a setting xyzzy"),
        ("lables = 'a'", "no command has a setting lables; did you mean labels?"),
        ("[lables]\nmin_images = 2", "[lables]: there is no such command; did you mean [labels]?"),
        ("[workers]\nnumber = 2", "[workers]: is no command but a setting: write workers = …"),
        ("[min-images]", "[min-images]: is no command but a setting: write min_images = …"),
        ("[labels]\nmin_imgs = 2", "[labels] has no setting min_imgs; did you mean min_images?"),
        ("[labels]\nworkers = 2", "[labels] has no setting workers (workers is one of other"),
        ("[labels]\nwrokers = 2", "[labels] has no setting wrokers; did you mean workers?"),
        ("[tags]\nmin_lenght = 2", "[tags] has no setting min_lenght; did you mean min_length?"),
        ("[labels.full]\nworkers = 2", "[labels] has no setting full"),
        ("[labels.output]\npath = 'a'", "[labels] output: is a table; give it a value"),
        ("[[labels]]\noutput = 'a'", "[[labels]]: a command has one table: write [labels]"),
        ("min-images = 2\nmin_images = 3", "min_images: stands there twice, with - and with _"),
    ],
)
def test_a_name_that_no_command_knows_is_refused_with_the_nearest_that_is(read, text, said) -> None:
    with pytest.raises(UsageError) as refused:
        read(text)
    assert said in str(refused.value)
    assert "settings.toml" in str(refused.value)


def test_a_table_may_have_the_name_of_a_setting_and_a_setting_that_of_a_command(read) -> None:
    text = "[tags]\nmin_length = 2\n[full]\ntags = false\n"
    assert (read(text, "tags"), read(text, "full")) == ({"min_length": 2}, {"tags": False})
    text = "tags = false\nlabels = ['a']\n"
    assert (read(text, "full"), read(text, "tags")) == ({"tags": False}, {"labels": ["a"]})
    assert read(text, "labels") == {}


def test_the_own_table_comes_before_the_top_level_and_those_of_others_do_not_count(read) -> None:
    text = "min-images = 1\noutput = 'a'\n[labels]\nmin_images = 2\n[full]\nmin_images = 3\n"
    assert read(text) == {"min_images": 2, "output": "a"}
    assert read(text, "full") == {"min_images": 3}


@pytest.mark.parametrize("text", ["min-images = ", "x = " + "[" * 5000])
def test_what_is_no_toml_is_an_input_error_that_names_the_file(read, text) -> None:
    with pytest.raises(InputError, match=r"settings\.toml"):
        read(text)
