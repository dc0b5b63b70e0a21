"""Compare manifest, ledger and labels with each other: tables in, tables of findings out.

A table of findings has the text columns `flaw` (a value of `Flaw`), `where` and `detail`. Manifests
are read by `read_manifest`, outcomes by `read_outcomes`, lines of label files by `read_labels`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import polars as pl

from dafre_fast.core.errors import InputError
from dafre_fast.core.findings import Flaw
from dafre_fast.core.reasons import SUCCESS
from dafre_fast.core.settings.images import Output
from dafre_fast.dataset.ledger_lines import check
from dafre_fast.dataset.outcomes import last_outcomes, status
from dafre_fast.dataset.output_columns import prefix_of
from dafre_fast.dataset.outputs import FIELDS, columns_of
from dafre_fast.dataset.places import placed
from dafre_fast.tables.unreadable import reading

_OF_CATALOGUE = {
    "path": pl.String(),
    "class_id": pl.Int64(),
    "class_name": pl.String(),
    "split": pl.String(),
}


def read_manifest(path: Path, outputs: Sequence[Output]) -> pl.DataFrame:
    """Read what is verified of a manifest: `key` (the id of an image, or the path of an original),
    status, and sizes and hashes of the outputs; for a catalogue also path, class and split.

    Raises InputError if the file cannot be read or is no manifest.
    """
    with reading(path, "is damaged, or no manifest"):
        with path.open("rb") as file:
            manifest = pl.read_parquet(file)
        of_catalogue = "class_id" in manifest.columns
        columns = _of_outcome(outputs) | (_OF_CATALOGUE if of_catalogue else {})
        rows = manifest.select(
            pl.col("id" if of_catalogue else "path").cast(pl.String).alias("key"),
            *(pl.col(name).cast(kind) for name, kind in columns.items()),
        )
    return _with_keys(path, rows)


def _of_outcome(outputs: Sequence[Output]) -> dict[str, pl.DataType]:
    return {"status": pl.String(), **columns_of(outputs)}


def read_outcomes(ledger: Path, outputs: Sequence[Output]) -> pl.DataFrame:
    """Read the last outcome of making each key: `key`, status, sizes and hashes of the outputs.

    Raises InputError that names the line if one cannot be read.
    """
    made = last_outcomes(ledger, "make", outputs).with_columns(status())
    with reading(ledger):
        try:
            rows = made.select("key", *_of_outcome(outputs)).collect()
        except pl.exceptions.PolarsError as error:
            if damaged := _damaged_line(ledger):
                raise InputError(f"{ledger}: {damaged}") from error
            raise
    return _with_keys(ledger, rows)


def _damaged_line(ledger: Path) -> str | None:
    """Describe the first line that cannot be read; polars does not say which it is."""
    with ledger.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                return f"line {number} is incomplete; the next run drops it and goes on"
            try:
                check(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                return f"line {number} is damaged: {error}"
    return None


def _with_keys(path: Path, rows: pl.DataFrame) -> pl.DataFrame:
    nameless = rows["key"].is_null().arg_true()
    if len(nameless):
        raise InputError(f"{path}: row {nameless[0] + 1} of {rows.height} names no image")
    return rows


def read_labels(path: Path, second: str) -> pl.DataFrame:
    """Read the lines of a label file: `where` (file:line), class_id int64, and the text behind the
    first comma as column `second`. A line of another form has nulls; a missing file has no lines.

    Raises InputError if the file cannot be read.
    """
    try:
        text = path.read_bytes().decode("utf-8", "replace")
    except FileNotFoundError:
        text = ""
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    lines = pl.Series("fields", text.removesuffix("\n").split("\n") if text else [], pl.String)
    fields = lines.str.splitn(",", 2).struct.rename_fields(["class_id", second])
    return (
        fields.to_frame()
        .unnest("fields")
        .select(
            pl.format(
                "{}/{}:{}", pl.lit(path.parent.name), pl.lit(path.name), pl.row_index() + 1
            ).alias("where"),
            pl.col("class_id").cast(pl.Int64, strict=False),
            second,
        )
    )


def standing_outcomes(manifest: pl.DataFrame, made: pl.DataFrame) -> pl.DataFrame:
    """Return the last outcome of each row of the manifest: that of the ledger, which is written
    first, or else that of the manifest.
    """
    rows = manifest.unique("key", maintain_order=True)
    in_ledger = made.join(rows, on="key", how="semi")
    alone = rows.join(made, on="key", how="anti")
    return pl.concat([in_ledger, alone.select(in_ledger.columns)])


def path_column(extension: str) -> str:
    """Return the column of the paths of files with an extension (`outputs_of`)."""
    return f"path {extension}"


def outputs_of(
    outcomes: pl.DataFrame, places: pl.DataFrame | None, folders: Mapping[Output, str]
) -> pl.DataFrame:
    """Return the pictures that should be there: `key` and the columns of `core.findings.Output`.

    The outcomes have the path of the outputs of an image, each below its own folder, in a column
    for each extension (`path_column`).
    `places` are those of pictures in shards (`dataset.places`), None if there are no shards.
    """
    return pl.concat(
        placed(
            outcomes.filter(pl.col(f"{prefix_of(output.name)}sha256").is_not_null()).select(
                "key",
                file=pl.lit(folder) + pl.col(path_column(output.extension)),
                **{name: pl.col(f"{prefix_of(output.name)}{name}") for name in FIELDS},
            ),
            places,
            output,
            [*folders],
        )
        for output, folder in folders.items()
    )


def compare_with_ledger(manifest: pl.DataFrame, made: pl.DataFrame) -> pl.DataFrame:
    """Find rows of the manifest without an outcome, or with another outcome than the ledger has."""
    again, first = _again(manifest.with_columns(where="key"), "key")
    decided = first.drop_nulls("status")
    both = decided.join(made, on="key", how="inner", suffix="_made").with_columns(
        differences=pl.concat_str(
            [_difference(name) for name in made.columns if name != "key"],
            separator="; ",
            ignore_nulls=True,
        )
    )
    return pl.concat(
        [
            _found(Flaw.REPEATED_ROW, again),
            _found(Flaw.NO_OUTCOME, first.filter(pl.col("status").is_null())),
            _found(Flaw.NOT_IN_LEDGER, decided.join(made, on="key", how="anti"), "{}", "status"),
            _found(
                Flaw.DIFFERS_FROM_LEDGER,
                both.filter(pl.col("differences") != ""),
                "{}",
                "differences",
            ),
        ]
    )


def compare_labels(lines: pl.DataFrame, manifest: pl.DataFrame) -> pl.DataFrame:
    """Find lines of labels (where, split, class_id, path) that differ from the manifest, and rows
    of the manifest without a line.
    """
    broken, whole = _broken(lines)
    again, first = _again(whole, "path")
    rows = manifest.unique("path", maintain_order=True).with_columns(where="path")
    known = first.join(rows.drop("where"), on="path", how="inner", suffix="_row")
    return pl.concat(
        [
            _found(Flaw.MALFORMED_LABEL, broken),
            _found(Flaw.REPEATED_LABEL, again, "{}", "path"),
            _found(Flaw.UNKNOWN_LABEL, first.join(rows, on="path", how="anti"), "{}", "path"),
            _found(
                Flaw.WRONG_CLASS,
                known.filter(_differ("class_id")),
                "{} is of class {}, of {} in the manifest",
                "path",
                "class_id",
                "class_id_row",
            ),
            _found(
                Flaw.WRONG_SPLIT,
                known.filter(_differ("split")),
                "{} is of {} in the manifest",
                "path",
                "split_row",
            ),
            _found(
                Flaw.NO_LABEL,
                rows.join(first, on="path", how="anti"),
                "class {}, {}",
                "class_id",
                "split",
            ),
        ]
    )


def compare_class_names(lines: pl.DataFrame, manifest: pl.DataFrame) -> pl.DataFrame:
    """Find lines of class names (where, class_id, class_name) that differ from the manifest, and
    classes without a line.
    """
    broken, whole = _broken(lines)
    again, first = _again(whole, "class_id")
    classes = manifest.select(
        "class_id",
        pl.col("class_name").fill_null(""),
        where=pl.format("class {}", "class_id"),
    ).unique(maintain_order=True)
    both = first.join(classes.drop("where"), on="class_id", how="left", suffix="_row")
    return pl.concat(
        [
            _found(Flaw.MALFORMED_LABEL, broken),
            _found(Flaw.REPEATED_LABEL, again, "class {}", "class_id"),
            _found(
                Flaw.WRONG_CLASS_NAME,
                both.filter(_differ("class_name")),
                "class {} is {}, {} in the manifest",
                "class_id",
                "class_name",
                "class_name_row",
            ),
            _found(
                Flaw.NO_LABEL,
                classes.join(first, on="class_id", how="anti"),
                "{}",
                "class_name",
            ),
        ]
    )


def labels_of_refused(lines: pl.DataFrame, manifest: pl.DataFrame) -> int:
    """Count the labelled images that were refused."""
    refused = manifest.filter(pl.col("status") != SUCCESS)
    return refused.unique("path").join(lines, on="path", how="semi").height


def _broken(lines: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the malformed lines, and the others."""
    broken = pl.any_horizontal(pl.all().is_null())
    return lines.filter(broken), lines.filter(~broken)


def _again(rows: pl.DataFrame, name: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the rows that repeat the value of an earlier row in a column, and the others."""
    first = pl.col(name).is_first_distinct()
    return rows.filter(~first), rows.filter(first)


def _differ(name: str) -> pl.Expr:
    return pl.col(name).ne_missing(pl.col(f"{name}_row"))


def _difference(name: str) -> pl.Expr:
    """Return the expression of a difference in words; null if manifest and ledger agree."""
    here, there = pl.col(name), pl.col(f"{name}_made")
    text = pl.format("{} {}, {} in the ledger", pl.lit(name), _text(name), _text(f"{name}_made"))
    return pl.when(here.ne_missing(there)).then(text)


def _found(flaw: Flaw, rows: pl.DataFrame, detail: str = "", *names: str) -> pl.DataFrame:
    """Return a finding per row, at its `where`. `detail` is a format for the columns in `names`."""
    text = pl.format(detail, *map(_text, names)) if names else pl.lit(detail)
    return rows.select(flaw=pl.lit(flaw.value), where="where", detail=text)


def _text(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.String).fill_null("nothing")
