"""Copies a file from a URL or a local path; over HTTP it continues an attempt that was cut off.

With urllib, which every Python has: this is one GET with two headers. httpx is no dependency of densezoo's own, and
huggingface_hub fetches from its own hub only.
"""

from __future__ import annotations

import json
import re
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException, HTTPMessage, HTTPResponse, InvalidURL
from pathlib import Path
from typing import IO
from urllib.parse import quote, urlsplit

from densezoo.errors import DownloadError
from densezoo.formats.identity import impostor

CHUNK = 1 << 18  # bytes
LIMIT = 4 << 30  # bytes of a file whose publisher states no size; the largest DenseNet known has 300 MB
TIMEOUT = 30.0  # seconds without a byte
PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)  # seconds before each further attempt
PASSING = {408, 425, 429, 500, 502, 503, 504}  # HTTP statuses that another attempt may not meet

_AS_IT_IS = "!#$%&'()*+,/:;=?@[]~"  # what a URL may hold beside letters, digits and -._

#: Is told how many bytes are there, and how many there will be, if anyone says.
Progress = Callable[[int, int | None], None]


@dataclass(frozen=True)
class Expected:
    """What is known of a file beforehand.

    Args:
        size: bytes, or None where nobody states it.
        hashed: whether the caller can tell the whole file from a part of it by a published hash.
    """

    size: int | None
    hashed: bool


class _Interrupted(Exception):
    """Another attempt may go further; says what happened."""


def transfer(location: str, part: Path, expected: Expected, progress: Progress) -> None:
    """Copy a file from a location into ``part``; bytes that ``part`` has from the same URL are kept and continued.

    Args:
        location: a URL (https, http, file) or a path.
        part: the file to fill.
        expected: what is known of the file.
        progress: is called with the bytes that are there, and the size of the file or None.

    Raises:
        DownloadError: the location doesn't give the file; names the location.
        OSError: ``part`` can't be written.
    """
    if location.startswith(("https://", "http://")):
        _download(location, part, expected, progress)
    elif location.startswith("file:"):
        _copy(Path(urllib.request.url2pathname(urlsplit(location).path)), part)
    else:
        _copy(Path(location).expanduser(), part)


def _copy(path: Path, part: Path) -> None:
    try:
        source = open(path, "rb")  # noqa: SIM115  closed below; an error of part is not one of the location
    except OSError as error:
        raise DownloadError(f"{path}: {error.strerror}") from None
    discard(part)
    with source, open(part, "wb") as file:
        shutil.copyfileobj(source, file, CHUNK)


def _download(url: str, part: Path, expected: Expected, progress: Progress) -> None:
    for pause in (*PAUSES, None):
        try:
            return _attempt(url, part, expected, progress)
        except _Interrupted as error:
            if pause is None:
                raise DownloadError(f"{url}: {error}; gave up after {len(PAUSES) + 1} attempts") from None
        time.sleep(pause)


def _attempt(url: str, part: Path, expected: Expected, progress: Progress) -> None:
    """One request, and all that its answer gives.

    Raises:
        _Interrupted: the file is not whole yet.
        DownloadError: the server has no such file.
    """
    start, validator = _kept(url, part)
    with _request(url, part, start, validator) as response:
        if response.status != 206:  # the whole file, because it is another one now, or the server ignores Range
            start = 0
            _begin(url, part, response)
        elif not _continues(response, start, validator):
            discard(part)
            raise _Interrupted(f"the server answers with {response.headers.get('Content-Range')} of another file")
        total = None if response.length is None else start + response.length
        have, cut = _receive(url, response, part, start, expected, lambda done: progress(done, expected.size or total))
    if have == expected.size:
        return  # whatever the server announced: size and hash are the publisher's
    size = expected.size if total is None else total
    if cut or (size is not None and have < size):
        of_size = "" if size is None else f" of {size:,}"
        raise _Interrupted(f"the connection broke off ({cut or 'closed'}) after {have:,}{of_size} bytes")
    if size is None and not response.chunked and not expected.hashed:
        raise DownloadError(
            f"{url}: the server doesn't say how long the file is, and its publisher states neither size nor hash: "
            f"whether the {have:,} bytes that came are the whole file is not known"
        )


def _request(url: str, part: Path, start: int, validator: str | None) -> HTTPResponse:
    headers = {"User-Agent": "densezoo"}
    if start and validator:
        headers |= {"Range": f"bytes={start}-", "If-Range": validator}
    try:
        request = urllib.request.Request(quote(url, safe=_AS_IT_IS), headers=headers)  # noqa: S310  http or https
        response: HTTPResponse = urllib.request.build_opener(_Redirects).open(request, timeout=TIMEOUT)
        return response
    except urllib.error.HTTPError as error:
        error.close()
        answer = f"the server answers HTTP {error.code} ({error.reason})"
        if error.code == 416:  # the file has become shorter than what is here
            discard(part)
        if error.code == 416 or error.code in PASSING:
            raise _Interrupted(answer) from None
        raise DownloadError(f"{url}: {answer}") from None
    except urllib.error.URLError as error:  # no connection: neither soon, most likely
        raise DownloadError(f"{url}: no connection ({error.reason})") from None
    except (InvalidURL, ValueError) as error:
        raise DownloadError(f"{url}: not a URL ({error})") from None
    except (OSError, HTTPException) as error:
        raise _Interrupted(f"no answer ({error or type(error).__name__})") from None


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but not from https to http, where the bytes could be changed on their way."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        if not newurl.startswith(("https://",) if req.type == "https" else ("https://", "http://")):
            raise DownloadError(f"{req.full_url}: redirects to {newurl}; expected {req.type} there too")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _receive(
    url: str, response: HTTPResponse, part: Path, have: int, expected: Expected, progress: Callable[[int], None]
) -> tuple[int, Exception | None]:
    """Append the answer's bytes; return how many bytes are there, and the error that cut the answer off, if any.

    Raises:
        DownloadError: a page in place of the file, or more bytes than it can have.
    """
    first, limit = have == 0, expected.size or LIMIT
    with open(part, "ab") as file:
        while True:
            try:
                block = response.read1(CHUNK)
            except (OSError, HTTPException) as error:
                return have, error
            if first:
                _refuse_page(url, response, block)
                first = False
            if not block:
                return have, None
            have += len(block)
            if have > limit:
                discard(part)
                raise DownloadError(f"{url}: gives more than {limit:,} bytes, all that the file can have")
            file.write(block)
            progress(have)


def _refuse_page(url: str, response: HTTPResponse, head: bytes) -> None:
    """Refuse a page (quota, login, error), which servers send with status 200.

    Raises:
        DownloadError: it is a page; says its title.
    """
    page = "an HTML page" if response.headers.get_content_type() == "text/html" else impostor(head)
    if page:
        title = re.search(rb"<title[^>]*>([^<]{1,200})", head, re.IGNORECASE)
        named = f" ({' '.join(title[1].decode('utf-8', 'replace').split())!r})" if title else ""
        raise DownloadError(f"{url}: this is {page}{named}; expected the file itself")


# What a part belongs to stands beside it: it is continued only from the same URL, and only while the file there is
# the same one, by a validator that the server holds it against (RFC 9110, 13.1.5: If-Range).


def discard(part: Path) -> None:
    """Remove a part and the note beside it.

    Args:
        part: the file.
    """
    part.unlink(missing_ok=True)  # first: a note without a part says nothing
    _note(part).unlink(missing_ok=True)


def _note(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _begin(url: str, part: Path, response: HTTPResponse) -> None:
    discard(part)
    _note(part).write_text(json.dumps({"url": url, "validator": _validator(response)}), encoding="utf-8")


def _kept(url: str, part: Path) -> tuple[int, str | None]:
    """(bytes that are there and can be continued, the validator to send with the request)."""
    try:
        note, size = json.loads(_note(part).read_text(encoding="utf-8")), part.stat().st_size
    except (OSError, ValueError):
        return 0, None
    if not isinstance(note, dict) or note.get("url") != url or not isinstance(note.get("validator"), str):
        return 0, None
    return size, note["validator"]


def _validator(response: HTTPResponse) -> str | None:
    """A strong validator; a weak ETag may be of files with other bytes."""
    etag = response.headers.get("ETag")
    if etag:
        return None if etag.startswith("W/") else str(etag)
    return response.headers.get("Last-Modified")


def _continues(response: HTTPResponse, start: int, validator: str | None) -> bool:
    """Whether a partial answer has the bytes from the part's end to the file's end, of the same file."""
    sent = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", response.headers.get("Content-Range", ""))
    if sent is None or start == 0:
        return False
    first, last, length = map(int, sent.groups())
    return first == start and last + 1 == length and _validator(response) in (validator, None)
