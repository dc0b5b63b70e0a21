import tempfile
from pathlib import Path

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from dafre_fast.core.splits import SPLITS
from dafre_fast.tables.labels import write_labels
from dafre_fast.verify.agreement import compare_class_names, compare_labels, read_labels

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\n\0"), min_size=1)


@st.composite
def manifests(draw) -> pl.DataFrame:
    """Rows of a manifest: some classes with names of any letters, and images of any of them."""
    names = draw(st.lists(NAMES, min_size=1, max_size=5))
    classes = draw(st.lists(st.integers(0, len(names) - 1), min_size=1, max_size=20))
    splits = draw(st.lists(st.sampled_from(SPLITS), min_size=len(classes), max_size=len(classes)))
    return pl.DataFrame(
        {
            "path": [f"{image:04}/{image}.jpg" for image in range(len(classes))],
            "class_id": classes,
            "class_name": [names[one] for one in classes],
            "split": splits,
            "status": ["success"] * len(classes),
        }
    )


def written(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Lines of the label files of these rows, and of the names of their classes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_labels(rows, folder)
        labels = pl.concat(
            read_labels(folder / f"{split}.csv", "path").with_columns(split=pl.lit(split))
            for split in SPLITS
        )
        return labels, read_labels(folder / "classid_classname.csv", "class_name")


@given(manifests())
def test_label_files_agree_with_the_rows_they_were_written_from(rows) -> None:
    labels, names = written(rows)
    assert compare_labels(labels, rows).is_empty()
    assert compare_class_names(names, rows).is_empty()


@given(manifests(), st.data())
def test_one_row_that_is_other_than_its_label_is_found_and_nothing_else(rows, data) -> None:
    labels, _ = written(rows)
    path = data.draw(st.sampled_from(rows["path"].to_list()))
    column, value = data.draw(
        st.sampled_from([("path", "0000/x.jpg"), ("class_id", 99), ("split", "none")])
    )
    this = pl.col("path") == path
    other = rows.with_columns(pl.when(this).then(pl.lit(value)).otherwise(column).alias(column))
    expected = {
        "path": ["unknown_label", "no_label"],
        "class_id": ["wrong_class"],
        "split": ["wrong_split"],
    }
    assert compare_labels(labels, other)["flaw"].to_list() == expected[column]
