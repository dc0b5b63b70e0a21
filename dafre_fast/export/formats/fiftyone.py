"""`fiftyone`: `metadata.json`, `samples.json` and `data/0446/332446.jpg`, a `FiftyOneDataset`.

As FiftyOne itself exports it (https://docs.voxel51.com/user_guide/export_datasets.html), opened by

    fiftyone.Dataset.from_dir(dataset_dir="…", dataset_type=fiftyone.types.FiftyOneDataset)

A sample has its split as a tag, and the fields `image_id`, `label` (the class), `head` (the box, if
there is one) and the tags by kind. Its place in random orders (`_rand`) follows from its id.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import polars as pl

from dafre_fast.core.categories import TAG_KINDS
from dafre_fast.export.formats.common import HEAD, box_of, bucketed, tags_of
from dafre_fast.export.rows import FILE, SIDES, Exporting, Files, Format

_VERSION = "1.4.0"
"""The version of FiftyOne whose form this is; newer ones bring it up to theirs."""
_FIELDS, _LABELS = "fiftyone.core.fields", "fiftyone.core.labels"
_OF_LABEL = {"id": "ObjectId", "tags": "List:String", "label": "String", "confidence": "Float"}
_TYPES = {"jpg": "image/jpeg", "webp": "image/webp", "png": "image/png"}
_OF_BOX = _OF_LABEL | {"bounding_box": "List:Float"}
_OF_METADATA = {
    "size_bytes": "Int",
    "mime_type": "String",
    "width": "Int",
    "height": "Int",
    "num_channels": "Int",
}


def _path(_classes: Sequence[str], extension: str) -> pl.Expr:
    return bucketed("data", extension)


def _files(export: Exporting) -> Files:
    yield "metadata.json", msgspec.json.encode(_description(export))
    samples = b",\n".join(map(msgspec.json.encode, _samples(export.images)))
    yield "samples.json", b'{"samples": [\n' + samples + b"\n]}\n"


def _description(export: Exporting) -> dict[str, Any]:
    of_detections = _field("detections", "List:EmbeddedDocument", f"{_LABELS}.Detection", _OF_BOX)
    fields = [
        *(_field(name, "ObjectId") for name in ("id", "_dataset_id")),
        _field("filepath", "String"),
        _field("tags", "List:String"),
        _embedded("metadata", "fiftyone.core.metadata.ImageMetadata", _OF_METADATA),
        *(_field(name, "DateTime") | {"read_only": True} for name in _TIMES),
        _field("_media_type", "String"),
        _field("_rand", "Float"),
        _field("image_id", "Int"),
        _embedded("label", f"{_LABELS}.Classification", _OF_LABEL),
        _embedded("head", f"{_LABELS}.Detections", {}) | {"fields": [of_detections]},
        *(_field(kind, "List:String") for kind in TAG_KINDS),
    ]
    return {
        "version": _VERSION,
        "name": export.name,
        "media_type": "image",
        "tags": [],
        "info": {},
        "classes": {"label": list(export.classes)} if export.classes else {},
        "default_classes": [],
        "mask_targets": {},
        "default_mask_targets": {},
        "skeletons": {},
        "sample_fields": fields,
        "frame_fields": [],
        "saved_views": [],
        "workspaces": [],
        "annotation_runs": {},
        "brain_methods": {},
        "evaluations": {},
        "runs": {},
    }


_TIMES = ("created_at", "last_modified_at")


def _embedded(name: str, document: str, fields: dict[str, str]) -> dict[str, Any]:
    return _field(name, "EmbeddedDocument", document, fields)


def _field(
    name: str, kind: str, document: str | None = None, fields: dict[str, str] | None = None
) -> dict[str, Any]:
    """Return the description of a field; `List:Float` is a list of floats."""
    outer, _, inner = kind.partition(":")
    return {
        "name": name,
        "ftype": f"{_FIELDS}.{outer}Field",
        "embedded_doc_type": document,
        "subfield": f"{_FIELDS}.{inner}Field" if inner else None,
        "fields": [_field(one, of) for one, of in (fields or {}).items()],
        "db_field": "_id" if name == "id" else name,
        "description": None,
        "info": None,
        "read_only": False,
    }


def _samples(images: pl.DataFrame) -> Iterator[dict[str, Any]]:
    for row in images.iter_rows(named=True):
        image = row["id"]
        width, height = (row[side] for side in SIDES)
        sample = {
            "_id": _oid(image, 0),
            "filepath": row[FILE],
            "tags": [row["split"]],
            "metadata": {
                "_cls": "ImageMetadata",
                "mime_type": _TYPES[row[FILE].rpartition(".")[2]],
                "width": width,
                "height": height,
                "num_channels": 3,
            },
            "_media_type": "image",
            "_rand": _rand(image),
            "image_id": image,
            **tags_of(row),
        }
        name = row.get("class_name")
        if "class_id" in row:
            sample["label"] = _label("Classification", image, 1, name)
        if box := box_of(row):
            detection = _label("Detection", image, 2, name or HEAD)
            detection |= {"attributes": {}, "bounding_box": [round(edge, 6) for edge in box]}
            if row.get("confidence") is not None:
                detection["confidence"] = row["confidence"]
            sample["head"] = {"_cls": "Detections", "detections": [detection]}
        yield sample


def _label(kind: str, image: int, number: int, name: str | None) -> dict[str, Any]:
    return {"_id": _oid(image, number), "_cls": kind, "tags": [], "label": name}


def _oid(image: int, number: int) -> dict[str, str]:
    """Return an ObjectId, 24 hexadecimal digits, for a thing of an image."""
    return {"$oid": f"{number:08x}{image:016x}"}


def _rand(image: int) -> float:
    digest = hashlib.sha256(b"%d" % image).digest()
    return int.from_bytes(digest[:6]) / 2**48


FORMAT = Format(_path, _files)
