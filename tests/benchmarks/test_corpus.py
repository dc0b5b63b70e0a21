from collections import Counter

import pytest

from bench.corpus import BadInput, Corpus, copies, draw_corpus, load, take_corpus
from bench.peers import floor


@pytest.fixture(scope="session")
def drawn(tmp_path_factory) -> Corpus:
    return draw_corpus(25, tmp_path_factory.mktemp("drawn"), scale=0.02)


def test_the_drawn_mix_is_that_of_danbooru(drawn) -> None:
    assert Counter(original.format for original in drawn.originals) == {"jpeg": 18, "png": 7}


def test_drawn_jpeg_and_png_are_of_the_size_of_real_ones(drawn) -> None:
    for _, part in drawn.parts():
        mean = part.megapixels / len(part.originals) / 0.02**2
        assert mean == pytest.approx(2.7, rel=0.1)


def test_the_same_corpus_is_drawn_every_time(corpus, tmp_path) -> None:
    again = draw_corpus(len(corpus.originals), tmp_path, scale=0.2)
    for one, other in zip(corpus.originals, again.originals, strict=True):
        assert one.path.read_bytes() == other.path.read_bytes()


def test_what_not_every_decoder_reads_is_left_out_of_a_folder(corpus, tmp_path) -> None:
    source = tmp_path / "source" / "deep"
    source.mkdir(parents=True)
    jpeg = corpus.originals[0].path.read_bytes()
    (source / "good.jpeg").write_bytes(jpeg)
    (source / "short.jpg").write_bytes(jpeg[: len(jpeg) // 2])
    (source / "notes.txt").write_text("no image")
    taken = take_corpus(source.parent, 10, tmp_path / "corpus")
    assert [original.path.read_bytes() for original in taken.originals] == [jpeg]


def test_a_folder_is_read_up_to_a_number_of_images(drawn, tmp_path) -> None:
    assert len(take_corpus(drawn.folder, 5, tmp_path / "corpus").originals) == 5


def test_a_corpus_is_not_taken_from_where_it_is_put(corpus) -> None:
    with pytest.raises(BadInput, match="links"):
        take_corpus(corpus.folder, 5, corpus.folder)
    assert load(corpus.folder) == corpus


def test_copies_fill_up_to_a_number_under_ids_of_their_own(corpus, tmp_path) -> None:
    many = copies(corpus, 7, tmp_path / "many")
    assert [original.path.stem for original in many.originals] == [*map(str, range(1, 10))]
    assert many.megapixels == pytest.approx(3 * corpus.megapixels)


@pytest.mark.parametrize("make", [load, lambda folder: take_corpus(folder, 1, folder / "corpus")])
def test_a_folder_without_originals_is_bad_input(make, tmp_path) -> None:
    with pytest.raises(BadInput, match="no JPEG or PNG files"):
        make(tmp_path)


def test_encoders_choose_several_filters_for_the_rows_of_drawn_png(corpus) -> None:
    """Grain everywhere would make all of them choose the same one, unlike in real pictures."""
    filters = Counter[int]()
    for original in corpus.originals:
        if original.format == "png":
            data = original.path.read_bytes()
            width, channels = int.from_bytes(data[16:20], "big"), 4 if data[25] == 6 else 3
            filters.update(floor.inflate(data)[:: 1 + width * channels])
    assert max(filters.values()) < 0.75 * filters.total()
    assert len(filters) >= 3


def test_the_floor_of_png_inflates_every_row(drawn) -> None:
    for original in drawn.originals:
        if original.format == "png":
            rows = len(floor.inflate(original.path.read_bytes()))
            pixels = round(original.megapixels * 1e6)
            assert rows // pixels in (3, 4)
