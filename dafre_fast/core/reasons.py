"""Closed sets of causes: why an image was refused, what to know of one that was made, how it was
proved to be the right one, and why a row of a table was set aside.

Each member is the text that ledgers and tables have, and has a `cause`: a sentence for people.
"""

from enum import StrEnum
from typing import Self

DOCUMENTATION = "https://dafre-fast.github.io/dafre_fast/"
"""The address of the documentation, the same as in pyproject.toml and mkdocs.yml."""


class _Explained(StrEnum):
    """Base of texts that have a sentence about their cause."""

    cause: str

    def __new__(cls, value: str, cause: str = "") -> Self:  # to look one up needs no cause
        member = str.__new__(cls, value)
        member._value_ = value
        member.cause = cause
        return member


class Reason(_Explained):
    """The reason why an image could not be made; the `status` of its row in the manifest."""

    # fetching the original
    NOT_FOUND = "not_found", "The source has no such file."
    FORBIDDEN = "forbidden", "The server denied access to the file."
    UNAUTHORIZED = (
        "unauthorized",
        "The source or a proxy wants a login, or did not accept the one it got.",
    )
    HTTP_ERROR = "http_error", "The server's answer was an error, or was not valid HTTP."
    SERVER_ERROR = "server_error", "The server failed, or was too busy, at every attempt."
    NETWORK_ERROR = "network_error", "The connection failed or broke off at every attempt."
    DNS_ERROR = "dns_error", "The name of the host could not be resolved."
    BAD_CERTIFICATE = "bad_certificate", "The certificate of the server could not be verified."
    BAD_REDIRECT = (
        "bad_redirect",
        "The server redirected too often, to no valid address, or to a private one.",
    )
    DOWNLOAD_TIMEOUT = "download_timeout", "All attempts together took longer than --timeout."
    TOO_SLOW = "too_slow", "The server did not answer in time, or sent less than --min-rate."
    HOST_DOWN = (
        "host_down",
        "The host failed too often, or asked to wait, for longer than --patience.",
    )
    OPTED_OUT = "opted_out", "The server forbids such use: X-Robots-Tag: noai or noimageai."
    BAD_INDEX = "bad_index", "The archive that may hold the file, or its index, cannot be read."
    WRONG_SIZE = "wrong_size", "The file has another size than expected."
    WRONG_HASH = "wrong_hash", "The file has another hash than expected."
    # reading it
    MISSING_ORIGINAL = "missing_original", "The original is not there."
    UNREADABLE_ORIGINAL = "unreadable_original", "The system could not read the original."
    EMPTY_FILE = "empty_file", "The file has no bytes."
    TOO_MANY_BYTES = "too_many_bytes", "The file is larger than --max-bytes."
    # its header
    NOT_AN_IMAGE = "not_an_image", "The file is not an image."
    UNSUPPORTED_FORMAT = "unsupported_format", "No decoder reads this format, or this kind of it."
    CORRUPT_HEADER = "corrupt_header", "The header of the image is damaged."
    TOO_MANY_PIXELS = "too_many_pixels", "The image has more pixels than --max-pixels."
    TOO_SMALL = "too_small", "The short side of the image is less than --min-image-size."
    TOO_ELONGATED = "too_elongated", "The sides of the image differ more than --max-aspect-ratio."
    TOO_MANY_SCANS = "too_many_scans", "The JPEG has more scans than --max-scans."
    TOO_MANY_FRAMES = "too_many_frames", "The image has more frames than --max-frames."
    TOO_MUCH_MEMORY = "too_much_memory", "Decoding would take more than --worker-memory."
    OUTPUT_TOO_LARGE = (
        "output_too_large",
        "The output would have more pixels than --max-pixels, or a side too long for its format.",
    )
    # its pixels
    TRUNCATED = "truncated", "The file ends before the image does."
    CORRUPT = "corrupt", "The pixels of the image are damaged."
    # the head box
    BAD_BOX = "bad_box", "The head box is inverted, not finite, or outside the image."
    EMPTY_BOX = "empty_box", "The head box holds no pixel."
    # its output
    NO_PLACE = "no_place", "The output cannot have this name: a folder, or a file, is in its way."
    # the detector
    NO_HEAD = "no_head", "The detector found no head in the picture."
    DETECTOR_FAILED = "detector_failed", "The detector failed, or returned no scores or boxes."
    # the process that worked on it
    DECODER_FAILED = "decoder_failed", "The decoder raised an unexpected error."
    OUT_OF_MEMORY = "out_of_memory", "The worker process ran out of memory."
    WORKER_CRASHED = "worker_crashed", "The worker process died."
    TIMEOUT = "timeout", "The image took longer than --image-timeout."

    @property
    def transient(self) -> bool:
        """True if the cause may be gone by the next run, which then tries again by itself."""
        return self in _TRANSIENT

    @property
    def bounded(self) -> bool:
        """True if other bounds (`core.settings.images.Bounds`) may lead to another outcome."""
        return self in _BOUNDED

    @property
    def next_run(self) -> str:
        """A sentence about what the command that made the dataset does about it, given again."""
        if self.transient:
            return "The next run tries it again by itself."
        if self.bounded:
            return "The next run tries it again if you change the bound, or with --retry-failed."
        return "The next run tries it again only with --retry-failed."

    @property
    def page(self) -> str:
        """The address of the documentation of this reason, with a remedy."""
        return f"{DOCUMENTATION}trouble/refusals/#{self.value}"

    @property
    def advice(self) -> str:
        """The thing to look at if every image is refused so."""
        return next((advice for advice, reasons in _ADVICE.items() if self in reasons), _RECORDS)

    @property
    def may_mean_missing(self) -> bool:
        """True if some servers answer so for a file that is not there: the original may be found
        under another name.
        """
        return self in _MAY_MEAN_MISSING


_TRANSIENT = frozenset(
    {
        Reason.UNAUTHORIZED,
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
        Reason.TOO_SMALL,
        Reason.TOO_ELONGATED,
        Reason.TOO_MANY_SCANS,
        Reason.TOO_MANY_FRAMES,
        Reason.TOO_MUCH_MEMORY,
        Reason.OUTPUT_TOO_LARGE,
        Reason.TRUNCATED,
        Reason.CORRUPT,
    }
)

_MAY_MEAN_MISSING = frozenset(
    {
        Reason.NOT_FOUND,
        Reason.FORBIDDEN,  # a bucket that may not be listed
        Reason.HTTP_ERROR,  # status 400
        Reason.BAD_REDIRECT,
        Reason.NOT_AN_IMAGE,  # a page, or JSON, with status 200
        Reason.EMPTY_FILE,
        Reason.WRONG_SIZE,
        Reason.WRONG_HASH,
    }
)

_RECORDS = "the manifest says more of each"
_ADVICE = {
    "is the source right?": {
        Reason.NOT_FOUND,
        Reason.HTTP_ERROR,
        Reason.BAD_REDIRECT,
        Reason.MISSING_ORIGINAL,
        Reason.BAD_INDEX,
        Reason.NOT_AN_IMAGE,
        Reason.EMPTY_FILE,
    },
    "does the source want a login, or is it the wrong one?": {
        Reason.FORBIDDEN,
        Reason.UNAUTHORIZED,
    },
    "is the host up, its name right, and does it need a proxy?": {
        Reason.SERVER_ERROR,
        Reason.NETWORK_ERROR,
        Reason.DNS_ERROR,
        Reason.DOWNLOAD_TIMEOUT,
        Reason.TOO_SLOW,
        Reason.HOST_DOWN,
    },
    "--insecure accepts any certificate": {Reason.BAD_CERTIFICATE},
    "--no-respect-noai takes them nevertheless": {Reason.OPTED_OUT},
    "is --metadata of these originals?": {Reason.WRONG_SIZE, Reason.WRONG_HASH},
}


class Note(_Explained):
    """A remark on an image that was made; in the column `notes` of the manifest."""

    PROFILE_IGNORED = (
        "profile_ignored",
        "The colour profile is damaged or unknown: the colours were taken as sRGB.",
    )
    TRUNCATED = (
        "truncated",
        "The file ends before the image does: the rest is white (--truncated keep).",
    )
    MINOR_DAMAGE = (
        "minor_damage",
        "The file is damaged where it costs no pixel: its end, a restart marker, a checksum.",
    )


class Proof(_Explained):
    """The evidence that a fetched original is the right one."""

    MD5 = "md5", "Its MD5 is the one in the metadata."
    SHA256 = "sha256", "Its SHA-256 is the one that the source publishes."
    CRC32 = "crc32", "Its CRC-32 is the one in the zip archive."
    UNVERIFIED = "unverified", "No hash is known; it has the expected length and an end."


SUCCESS = "success"
"""The `status` of an image that was made; every other status is a `Reason`."""


class RowProblem(_Explained):
    """The reason why a row of a table is set aside."""

    # any table
    TOO_LONG = "too_long", "The line is too long to be a row."
    NOT_UTF8 = "not_utf8", "The line is not UTF-8."
    MISSING_COLUMNS = "missing_columns", "The row has too few columns."
    EXTRA_COLUMNS = "extra_columns", "The row has too many columns."
    BAD_TAG_ID = "bad_tag_id", "The tag id is not a number of at most 18 digits."
    DUPLICATE_ROW = "duplicate_row", "An earlier row is the same."
    # faces.tsv
    BAD_PATH = "bad_path", "The path is not a file named by an id, in one numbered folder or none."
    WRONG_FOLDER = (
        "wrong_folder",
        "The folder is not the id modulo 1000: one of the two is damaged.",
    )
    BAD_BOX_TEXT = "bad_box_text", "The head box is not five numbers."
    SEVERAL_HEADS = "several_heads", "The row has the boxes of several heads."
    BAD_CONFIDENCE = "bad_confidence", "The confidence is not between 0 and 1."
    DUPLICATE_ID = (
        "duplicate_id",
        "An earlier row has the same id but differs; the earlier one counts.",
    )
    UNKNOWN_TAG_ID = "unknown_tag_id", "The tag id is not in tagIds.tsv."
    # files of splits
    NO_ROW = "no_row", "The id has no row in faces.tsv that is kept."
    NO_SPLIT = "no_split", "The id is in none of the files of splits."
    OTHER_SPLIT = "other_split", "An earlier file has the same id; that split counts."
    # label files
    BAD_CLASS_ID = "bad_class_id", "The class id is not a number of at most 18 digits."
    # tagIds.tsv
    EMPTY_NAME = "empty_name", "The name is empty."
    BAD_NAME = "bad_name", "The name has a control character, such as NUL or CR."
    DUPLICATE_TAG_ID = (
        "duplicate_tag_id",
        "An earlier row has the same tag id with another name; the earlier one counts.",
    )
    # metadata of originals
    BAD_JSON = "bad_json", "The line is not a JSON object."
    BAD_ID = "bad_id", "The field id is missing, or not a number of at most 18 digits."
    BAD_MD5 = "bad_md5", "The MD5 is not 32 hexadecimal digits."
    BAD_EXTENSION = "bad_extension", "The extension is not 1 to 5 letters or digits."
    BAD_SIZE = "bad_size", "The size is not a positive number."
    TOO_DEEP = "too_deep", "The record is nested a thousand levels deep, or deeper."
    BAD_FLAG = (
        "bad_flag",
        "A flag such as is_deleted is not true, false, 1, 0, t, f or null.",
    )
    BAD_RATING = "bad_rating", "The rating is not text."
    # and of their tags
    NO_TAGS = (
        "no_tags",
        "No field has tags, not even an empty list: tags, tag_string_general, general and others.",
    )
    NO_CATEGORIES = (
        "no_categories",
        "The tags have no categories (wanted: tag_string_general and so on); all are general then.",
    )
    UNKNOWN_CATEGORY = (
        "unknown_category",
        "A tag is in none of Danbooru's categories; only the tag is left out, not the record.",
    )
    UNNAMED_TAG = (
        "unnamed_tag",
        "A tag has no name; only the tag is left out, not the record.",
    )
    # tables of addresses
    BAD_QUOTES = "bad_quotes", "A quoted field goes on behind its end."
    BAD_ADDRESS = (
        "bad_address",
        "The address is empty or cannot be fetched, or a relative one lacks or leaves --source.",
    )
    BAD_KEY = "bad_key", "The key is empty, or has a control character."
    DUPLICATE_KEY = (
        "duplicate_key",
        "An earlier row has the same key but differs; the earlier one counts.",
    )
    KEY_COLLISION = (
        "key_collision",
        "An earlier row with another key gets the same id; the earlier one counts.",
    )
    NO_CLASS = "no_class", "The row has no class, though the table has classes."
    BAD_SPLIT = "bad_split", "The split is none of train, val and test."
    BAD_BOX_COLUMNS = (
        "bad_box_columns",
        "The row has no box, though the table has boxes, or its edges are not numbers.",
    )
    # tables of tags
    BAD_TAGS = "bad_tags", "Tags are neither a list of names nor names in a text."
