"""Why an image was refused, what is to be known of one that was made, and why a row of a table was
set aside: closed sets.
"""

from enum import StrEnum


class Reason(StrEnum):
    """Why one image could not be made. The value stands as `status` in the manifest."""

    # fetching the original
    NOT_FOUND = "not_found"
    FORBIDDEN = "forbidden"
    HTTP_ERROR = "http_error"
    SERVER_ERROR = "server_error"
    NETWORK_ERROR = "network_error"
    DNS_ERROR = "dns_error"
    BAD_CERTIFICATE = "bad_certificate"
    BAD_REDIRECT = "bad_redirect"
    DOWNLOAD_TIMEOUT = "download_timeout"
    TOO_SLOW = "too_slow"
    HOST_DOWN = "host_down"
    """Its host failed too often, or asked to wait, for longer than `--patience`."""
    OPTED_OUT = "opted_out"
    """Its server says `X-Robots-Tag: noai` or `noimageai`."""
    BAD_INDEX = "bad_index"
    """The archive that may hold it, or its index, cannot be read."""
    WRONG_SIZE = "wrong_size"
    WRONG_HASH = "wrong_hash"
    # reading it
    MISSING_ORIGINAL = "missing_original"
    UNREADABLE_ORIGINAL = "unreadable_original"
    EMPTY_FILE = "empty_file"
    TOO_MANY_BYTES = "too_many_bytes"
    # its header
    NOT_AN_IMAGE = "not_an_image"
    UNSUPPORTED_FORMAT = "unsupported_format"
    CORRUPT_HEADER = "corrupt_header"
    TOO_MANY_PIXELS = "too_many_pixels"
    TOO_MANY_SCANS = "too_many_scans"
    TOO_MANY_FRAMES = "too_many_frames"
    TOO_MUCH_MEMORY = "too_much_memory"
    OUTPUT_TOO_LARGE = "output_too_large"
    # its pixels
    TRUNCATED = "truncated"
    CORRUPT = "corrupt"
    # the head box
    BAD_BOX = "bad_box"
    EMPTY_BOX = "empty_box"
    # its output
    NO_PLACE = "no_place"
    # the process that worked on it
    DECODER_FAILED = "decoder_failed"
    OUT_OF_MEMORY = "out_of_memory"
    WORKER_CRASHED = "worker_crashed"
    TIMEOUT = "timeout"

    @property
    def transient(self) -> bool:
        """True where the next run should try again without being asked to."""
        return self in _TRANSIENT

    @property
    def bounded(self) -> bool:
        """True where other bounds (`core.settings.groups.Bounds`) may lead to another outcome."""
        return self in _BOUNDED


_TRANSIENT = frozenset(
    {
        Reason.SERVER_ERROR,
        Reason.NETWORK_ERROR,
        Reason.DNS_ERROR,
        Reason.BAD_CERTIFICATE,
        Reason.DOWNLOAD_TIMEOUT,
        Reason.TOO_SLOW,
        Reason.HOST_DOWN,
        Reason.BAD_INDEX,
        Reason.WRONG_SIZE,
        Reason.WRONG_HASH,
        Reason.MISSING_ORIGINAL,
        Reason.UNREADABLE_ORIGINAL,
        Reason.OUT_OF_MEMORY,
        Reason.WORKER_CRASHED,
        Reason.TIMEOUT,
    }
)

_BOUNDED = frozenset(
    {
        Reason.TOO_MANY_BYTES,
        Reason.TOO_MANY_PIXELS,
        Reason.TOO_MANY_SCANS,
        Reason.TOO_MANY_FRAMES,
        Reason.TOO_MUCH_MEMORY,
        Reason.OUTPUT_TOO_LARGE,
        Reason.TRUNCATED,
        Reason.CORRUPT,
    }
)


class Note(StrEnum):
    """What is to be known of an image that was made; stands in `notes` of the manifest."""

    PROFILE_IGNORED = "profile_ignored"
    """Its colour profile is broken: the colours were taken as sRGB."""
    TRUNCATED = "truncated"
    """Its file breaks off: the rest of the picture is white (`--truncated keep`)."""


class Proof(StrEnum):
    """By what a fetched original was found to be the right one."""

    MD5 = "md5"
    SHA256 = "sha256"
    CRC32 = "crc32"
    UNVERIFIED = "unverified"
    """No hash of it was known: it has its length and comes to its end, no more is known."""


SUCCESS = "success"
"""The `status` of an image that was made; every other status is a `Reason`."""


class RowProblem(StrEnum):
    """Why a row of a table is set aside."""

    # any table
    TOO_LONG = "too_long"
    NOT_UTF8 = "not_utf8"
    MISSING_COLUMNS = "missing_columns"
    EXTRA_COLUMNS = "extra_columns"
    BAD_TAG_ID = "bad_tag_id"
    DUPLICATE_ROW = "duplicate_row"
    """The same as one before it."""
    # faces.tsv
    BAD_PATH = "bad_path"
    """Not a file named by an id, in one folder of digits or none."""
    WRONG_FOLDER = "wrong_folder"
    """The folder is not `id % 1000`: one of the two is damaged."""
    BAD_BOX_TEXT = "bad_box_text"
    SEVERAL_HEADS = "several_heads"
    BAD_CONFIDENCE = "bad_confidence"
    """Not from 0 to 1."""
    DUPLICATE_ID = "duplicate_id"
    """One before it has the same image with another tag or box; the first counts."""
    UNKNOWN_TAG_ID = "unknown_tag_id"
    # label files
    BAD_CLASS_ID = "bad_class_id"
    # tagIds.tsv
    EMPTY_NAME = "empty_name"
    BAD_NAME = "bad_name"
    """With a control character, such as NUL or CR."""
    DUPLICATE_TAG_ID = "duplicate_tag_id"
    """One before it has the same tag id with another name; the first counts."""
    # metadata of originals
    BAD_JSON = "bad_json"
    BAD_ID = "bad_id"
    BAD_MD5 = "bad_md5"
    BAD_EXTENSION = "bad_extension"
    BAD_SIZE = "bad_size"
    BAD_FIELD = "bad_field"
    """A field is of another type than it should be."""
    # and of their tags
    NO_TAGS = "no_tags"
    """It says nothing of tags. An empty list of them is good."""
    UNKNOWN_CATEGORY = "unknown_category"
    """A tag is in none of Danbooru's categories: it alone is set aside, not its record."""
    UNNAMED_TAG = "unnamed_tag"
    """A tag has no name: it alone is set aside, not its record."""
    # tables of tags
    BAD_TAGS = "bad_tags"
    """Not a list of names."""
