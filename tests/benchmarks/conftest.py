import pytest

from bench.corpus import Corpus, draw_corpus


@pytest.fixture(scope="session")
def corpus(tmp_path_factory) -> Corpus:
    """Two JPEG and one PNG, small."""
    return draw_corpus(3, tmp_path_factory.mktemp("corpus"), scale=0.2)
