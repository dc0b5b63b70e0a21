import pytest
from hypothesis import given
from hypothesis import strategies as st

from dafre_fast.core.errors import Refusal
from dafre_fast.core.formats import Format
from dafre_fast.core.reasons import Reason
from dafre_fast.pixels.sniff import SNIFF_BYTES, sniff
from tests.pixels.pictures import result_or_reason

PICTURES = {
    "JFIF": (b"\xff\xd8\xff\xe0\0\x10JFIF\0", Format.JPEG),
    "JPEG with Exif": (b"\xff\xd8\xff\xe1\0\x10Exif\0", Format.JPEG),
    "bare JPEG": (b"\xff\xd8\xff\xdb", Format.JPEG),
    "PNG": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", Format.PNG),
    "GIF of 1987": (b"GIF87a", Format.GIF),
    "GIF of 1989": (b"GIF89a", Format.GIF),
    "WebP": (b"RIFF\x10\0\0\0WEBPVP8 ", Format.WEBP),
    "TIFF of Intel": (b"II*\0\x08\0\0\0", Format.TIFF),
    "TIFF of Motorola": (b"MM\0*\0\0\0\x08", Format.TIFF),
    "AVIF": (b"\0\0\0\x20ftypavif\0\0\0\0", Format.AVIF),
    "AVIF sequence": (b"\0\0\0\x20ftypavis\0\0\0\0", Format.AVIF),
    "HEIC": (b"\0\0\0\x20ftypheic\0\0\0\0", Format.HEIC),
    "HEIC of 10 bits": (b"\0\0\0\x20ftypheix\0\0\0\0", Format.HEIC),
    "HEIF of any codec": (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", Format.HEIC),
    "HEIF that fits AVIF": (b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif", Format.AVIF),
    "big TIFF of Intel": (b"II+\0\x08\0\0\0", Format.TIFF),
    "big TIFF of Motorola": (b"MM\0+\0\x08\0\0", Format.TIFF),
    "BMP": (b"BM\x36\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0", Format.BMP),
}
PICTURES_NOT_READ = {
    "PSD": (b"8BPS\0\1", "Photoshop"),
    "icon": (b"\0\0\1\0\1\0", "icon"),
    "JPEG XL stream": (b"\xff\x0a\x10", "JPEG XL"),
    "JPEG XL container": (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
    "JPEG 2000": (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
    "JPEG 2000 stream": (b"\xff\x4f\xff\x51\0\x2f", "JPEG 2000"),
    "JPEG XR": (b"II\xbc\x01\x20\0\0\0", "JPEG XR"),
    "MNG": (b"\x8aMNG\r\n\x1a\n", "MNG"),
    "JNG": (b"\x8bJNG\r\n\x1a\n", "JNG"),
    "GIMP": (b"gimp xcf v011\0", "GIMP"),
    "Clip Studio Paint": (b"CSFCHUNK\0\0", "Clip Studio"),
    "QOI": (b"qoif\0\0\0\x10", "QOI"),
    "FLIF": (b"FLIF1\x21", "FLIF"),
    "BPG": (b"BPG\xfb\0", "BPG"),
    "DDS": (b"DDS |\0\0\0", "DirectDraw"),
    "OpenEXR": (b"v/1\x01\2\0\0\0", "OpenEXR"),
    "Radiance": (b"#?RADIANCE\n", "Radiance"),
    "DjVu": (b"AT&TFORM\0\0\0\x10DJVU", "DjVu"),
    "TGA": (b"\0\0\2\0\0\0\0\0\0\0\0\0\x40\0", "TGA"),
    "packed TGA": (b"\0\0\x0a\0\0\0\0\0\0\0\0\0\x40\0", "TGA"),
    "cursor": (b"\0\0\2\0\1\0\x20\x20", "cursor"),
    "PCX": (b"\x0a\5\1\x08", "PCX"),
    "PPM": (b"P6\n60 40\n255\n", "Netpbm"),
    "PAM": (b"P7\nWIDTH 60\n", "Netpbm"),
    "Canon raw": (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", "Canon"),
    "Fujifilm raw": (b"FUJIFILMCCD-RAW 0201", "Fujifilm"),
    "Panasonic raw": (b"IIU\0\x18\0\0\0", "Panasonic"),
    "Olympus raw": (b"IIRO\x08\0\0\0", "Olympus"),
    "HEIF with AVC": (b"\0\0\0\x18ftypavci\0\0\0\0avcimiaf", "AVC"),
    "HEIF with VVC": (b"\0\0\0\x18ftypvvic\0\0\0\0vvicmiaf", "VVC"),
    "HEIF with JPEG 2000": (b"\0\0\0\x18ftypj2ki\0\0\0\0j2kimiaf", "JPEG 2000"),
}
OTHERS = {
    "zip": (b"PK\3\4\x14\0", "zip"),
    "RAR": (b"Rar!\x1a\x07\1\0", "RAR"),
    "7-Zip": (b"7z\xbc\xaf\x27\x1c\0\4", "7-Zip"),
    "plain Flash": (b"FWS\x09", "Flash"),
    "packed Flash": (b"CWS\x09", "Flash"),
    "LZMA Flash": (b"ZWS\x0d", "Flash"),
    "MP4": (b"\0\0\0\x20ftypisom\0\0\2\0", "MP4"),
    "QuickTime": (b"\0\0\0\x14ftypqt  \0\0\0\0", "QuickTime"),
    "WebM": (b"\x1aE\xdf\xa3\x9fB\x86\x81", "WebM"),
    "AVI": (b"RIFF\x10\0\0\0AVI LIST", "AVI"),
    "Ogg": (b"OggS\0\2", "Ogg"),
    "MP4 that names brands to fit": (b"\0\0\0\x18ftypisom\0\0\2\0isommp41", "MP4"),
    "HTML": (b"<!DOCTYPE html><html>", "HTML"),
    "HTML without doctype": (b"<html><body>", "HTML"),
    "HTML after blanks": (b"\r\n\t <html>", "HTML"),
    "HTML after a BOM": (b"\xef\xbb\xbf<!doctype html>", "HTML"),
    "HTML after a BOM and blanks": (b"\xef\xbb\xbf\n <!doctype html>", "HTML"),
    "HTML after a comment": (b"<!-- error --><html>", "HTML"),
    "HTML that begins with its head": (b"<head><title>", "HTML"),
    "HTML in upper case": (b"<HTML><HEAD>", "HTML"),
    "JSON": (b'{"success": false}', "JSON"),
    "JSON after blanks": (b'\n {"error": 404}', "JSON"),
    "gzip": (b"\x1f\x8b\x08\0", "gzip"),
    "PDF": (b"%PDF-1.7", "PDF"),
    "PostScript": (b"%!PS-Adobe-3.0 EPSF-3.0", "PostScript"),
    "SVG": (b'<svg xmlns="http://www.w3.org/2000/svg">', "SVG"),
    "XML": (b'<?xml version="1.0"?>', "XML"),
}
MAGICS = [magic for magic, _ in (PICTURES | PICTURES_NOT_READ | OTHERS).values()]
heads = st.binary() | st.builds(bytes.__add__, st.sampled_from(MAGICS), st.binary())


def table(cases):
    return [pytest.param(*case, id=name) for name, case in cases.items()]


@pytest.mark.parametrize(("head", "format"), table(PICTURES))
def test_picture_is_known_by_its_first_bytes(head, format):
    assert sniff(head) is format


@pytest.mark.parametrize(("head", "name"), table(PICTURES_NOT_READ))
def test_picture_that_is_not_read_is_unsupported_by_name(head, name):
    with pytest.raises(Refusal, match=name) as refused:
        sniff(head)
    assert refused.value.reason is Reason.UNSUPPORTED_FORMAT


@pytest.mark.parametrize(("head", "name"), table(OTHERS))
def test_other_file_is_refused_by_the_name_of_what_it_is(head, name):
    with pytest.raises(Refusal, match=name) as refused:
        sniff(head)
    assert refused.value.reason is Reason.NOT_AN_IMAGE


def test_unknown_file_is_refused_with_its_first_bytes():
    with pytest.raises(Refusal, match="no pic") as refused:
        sniff(b"no picture at all")
    assert refused.value.reason is Reason.NOT_AN_IMAGE


def test_empty_file_is_refused_as_empty():
    with pytest.raises(Refusal) as refused:
        sniff(b"")
    assert refused.value.reason is Reason.EMPTY_FILE


@pytest.mark.parametrize(("head", "format"), table(PICTURES))
def test_magic_cut_short_is_not_that_picture(head, format):
    with pytest.raises(Refusal) as refused:
        sniff(head[:2])
    assert refused.value.reason is Reason.NOT_AN_IMAGE, format


@given(heads)
def test_any_bytes_are_a_format_or_refused(head):
    found = result_or_reason(sniff, head)
    refusals = {Reason.EMPTY_FILE, Reason.UNSUPPORTED_FORMAT, Reason.NOT_AN_IMAGE}
    assert isinstance(found, Format) or found in refusals


@given(heads, st.integers(0, 2 * SNIFF_BYTES))
def test_first_bytes_tell_as_much_as_the_whole_file(head, blanks):
    def verdict(data):
        try:
            return sniff(data)
        except Refusal as refusal:
            return str(refusal)

    data = b" " * blanks + head
    assert verdict(data) == verdict(data[:SNIFF_BYTES])
