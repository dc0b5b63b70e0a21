"""Answers to requests, as all routes of the gallery make them."""

from http import HTTPStatus

from aiohttp import web


class Redirect(Exception):
    """The request is answered at another address, which is the argument, without the prefix.

    The answer to a form (POST) is asked for with GET there (303). Browsers keep the `cookie`, a
    name and a value.
    """

    def __init__(self, address: str, cookie: tuple[str, str] | None = None) -> None:
        super().__init__(address)
        self.cookie = cookie


def html(text: str, status: int = 200) -> web.Response:
    """Return a page."""
    return web.Response(text=text, content_type="text/html", status=status)


def unless_known(request: web.Request, tag: str, content: bytes, kind: str) -> web.Response:
    """Return an answer with the content, or 304 if the browser has it already."""
    if any(known.value in {tag, "*"} for known in request.if_none_match or ()):
        answer = web.Response(status=HTTPStatus.NOT_MODIFIED)
    else:
        charset = "utf-8" if kind.startswith("text/") else None
        answer = web.Response(body=content, content_type=kind, charset=charset)
    answer.etag = tag
    return answer
