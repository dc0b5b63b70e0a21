from dafre_fast.core.formats import EXTENSIONS, USUAL_EXTENSIONS, Format


def test_every_format_that_is_decoded_has_an_extension_and_no_other_has() -> None:
    assert {*EXTENSIONS.values()} == {*Format}


def test_extensions_that_are_tried_are_extensions_of_pictures() -> None:
    assert {*USUAL_EXTENSIONS} <= {*EXTENSIONS}
