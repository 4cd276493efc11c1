"""One location into a file: cut connections, lengths that don't fit, statuses, redirects and pages in place of it."""

from __future__ import annotations

import io
import urllib.request
from collections.abc import Callable
from http.client import HTTPMessage
from pathlib import Path

import pytest
from loopback import CONTENT, DIGEST, NAME, NOWHERE, OTHER, PAGE, PREFIX, Answer, Server

import densezoo
from densezoo.errors import DownloadError
from densezoo.index import transfer

pytestmark = pytest.mark.usefixtures("loopback_only", "cache")


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {".lock"}


def test_a_cut_connection_is_continued(server: Server, publish: Callable[..., None]) -> None:
    server.answers = [Answer(send=100_000), Answer(send=50_000), Answer()]
    publish(f"{server.url}/net.pth")
    assert densezoo.fetch_weights(NAME).read_bytes() == CONTENT
    assert [asked for _, *asked in server.requests] == [
        [None, None],
        ["bytes=100000-", '"one"'],
        ["bytes=150000-", '"one"'],
    ]


def test_a_later_run_continues(
    server: Server, publish: Callable[..., None], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "PAUSES", ())
    server.answers = [Answer(send=100_000), Answer()]
    publish(f"{server.url}/net.pth")
    with pytest.raises(DownloadError, match=r"broke off \(closed\) after 100,000 of 300,000 bytes; gave up after 1 "):
        densezoo.fetch_weights(NAME)
    assert names(cache) == {"net.pth.part", "net.pth.part.json"}
    assert densezoo.fetch_weights(NAME).read_bytes() == CONTENT
    assert server.requests[1][1] == "bytes=100000-"
    assert names(cache) == {"net.pth", "net.pth.json"}


def test_a_part_of_another_url_is_not_continued(
    server: Server, publish: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "PAUSES", ())
    server.answers = [Answer(body=OTHER, send=100_000), Answer()]
    publish(f"{server.url}/one/net.pth", mirrors=(f"{server.url}/two/net.pth",))
    assert densezoo.fetch_weights(NAME).read_bytes() == CONTENT
    assert [path for path, *_ in server.requests] == ["/one/net.pth", "/two/net.pth"]
    assert server.requests[1][1] is None


@pytest.mark.parametrize(
    "second",
    [
        Answer(ranges="no"),
        Answer(ranges="shifted"),
        Answer(body=OTHER, etag='"two"'),
        Answer(body=OTHER, etag='"two"', ranges="careless"),
        Answer(body=OTHER[:50_000], etag='"one"', ranges="careless"),
    ],
    ids=["ignores Range", "gives another range", "changed", "changed, ignores If-Range", "became shorter"],
)
def test_a_part_that_can_t_be_continued_is_begun_anew(
    second: Answer, server: Server, publish: Callable[..., None]
) -> None:
    server.answers = [Answer(send=100_000), second]
    publish(f"{server.url}/net.pth")
    assert densezoo.fetch_weights(NAME).read_bytes() == second.body
    assert server.requests[1][1:] == ("bytes=100000-", '"one"')


@pytest.mark.parametrize("etag", ['W/"one"', None])
def test_without_a_strong_validator_nothing_is_continued(
    etag: str | None, server: Server, publish: Callable[..., None]
) -> None:
    server.answers = [Answer(body=OTHER, etag=etag, send=100_000), Answer(etag=etag, ranges="careless")]
    publish(f"{server.url}/net.pth")
    assert densezoo.fetch_weights(NAME).read_bytes() == CONTENT
    assert server.requests[1][1] is None


def test_a_server_that_falls_silent(
    server: Server, publish: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "TIMEOUT", 0.2)
    server.answers = [Answer(stall=1), Answer()]
    publish(f"{server.url}/net.pth")
    assert densezoo.fetch_weights(NAME).read_bytes() == CONTENT
    assert server.requests[1][1] == f"bytes={len(CONTENT) - 1}-"
    server.answers = [Answer(body=OTHER, stall=1)]
    publish(f"{server.url}/other.pth")
    monkeypatch.setattr(transfer, "PAUSES", ())
    with pytest.raises(DownloadError, match=r"other.pth: the connection broke off \(timed out\) after 309,999 of 310"):
        densezoo.fetch_weights(NAME)


def test_silence_is_no_end_where_no_length_is_announced(
    server: Server, publish: Callable[..., None], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "TIMEOUT", 0.2)
    server.answers = [Answer(announce=None, stall=1), Answer()]
    publish(f"{server.url}/net.pth", hash_prefix=PREFIX)
    assert densezoo.fetch_weights(NAME).read_bytes() == CONTENT
    assert names(cache) == {"net.pth", "net.pth.json"}


@pytest.mark.parametrize("announce", [100, None])
@pytest.mark.parametrize("facts", [{"file_size": len(CONTENT)}, {"file_size": len(CONTENT), "sha256": DIGEST}])
def test_the_published_size_tells_the_end(
    announce: int | None, facts: dict[str, object], server: Server, publish: Callable[..., None]
) -> None:
    server.answers = [Answer(announce=announce)]
    publish(f"{server.url}/net.pth", **facts)
    assert densezoo.fetch_weights(NAME).read_bytes() == CONTENT
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("answer", "facts", "message"),
    [
        (
            Answer(announce=100, ranges="no"),
            {},
            r"broke off .* after 300,000 of 300,100 bytes; gave up after 6 a",
        ),
        (Answer(announce=-100), {"file_size": len(CONTENT)}, "it has 299,900 bytes; expected 300,000 bytes"),
        (
            Answer(announce=-100),
            {"hash_prefix": PREFIX},
            r"its sha256 is \w{64}; expected a sha256 that begins with " + PREFIX,
        ),
        (Answer(announce=None), {}, "whether the 300,000 bytes that came are the whole file is not known"),
        (Answer(announce=None, send=1000), {"hash_prefix": PREFIX}, r"its sha256 is \w{64}; expected"),
        (Answer(announce=None, send=1000, ranges="no"), {"file_size": 300_000}, r"after 1,000 of 300,000 bytes"),
        (Answer(body=CONTENT * 2), {"file_size": len(CONTENT)}, "gives more than 300,000 bytes"),
        (Answer(body=b""), {}, "it is empty"),
    ],
)
def test_a_file_of_another_length_is_never_used(
    answer: Answer, facts: dict[str, object], message: str, server: Server, publish: Callable[..., None], cache: Path
) -> None:
    server.answers = [answer]
    publish(f"{server.url}/net.pth", **facts)
    with pytest.raises(DownloadError, match=message):
        densezoo.fetch_weights(NAME)
    assert "net.pth" not in names(cache)


def test_an_absent_length_with_a_published_hash(server: Server, publish: Callable[..., None]) -> None:
    server.answers = [Answer(announce=None)]
    publish(f"{server.url}/net.pth", hash_prefix=PREFIX)
    assert densezoo.fetch_weights(NAME).read_bytes() == CONTENT


def test_a_body_without_end(
    server: Server, publish: Callable[..., None], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "LIMIT", 200_000)
    publish(f"{server.url}/net.pth")
    with pytest.raises(DownloadError, match="gives more than 200,000 bytes"):
        densezoo.fetch_weights(NAME)
    assert names(cache) == set()


@pytest.mark.parametrize(("status", "requests"), [(404, 1), (403, 1), (410, 1), (500, 6), (503, 6), (429, 6)])
def test_only_what_may_pass_is_asked_again(
    status: int, requests: int, server: Server, publish: Callable[..., None]
) -> None:
    server.answers = [Answer(body=PAGE, status=status)]
    publish(f"{server.url}/net.pth")
    with pytest.raises(DownloadError, match=f"{server.url}/net.pth: the server answers HTTP {status} "):
        densezoo.fetch_weights(NAME)
    assert len(server.requests) == requests


def test_a_server_that_comes_back(server: Server, publish: Callable[..., None]) -> None:
    server.answers = [Answer(status=503, body=b""), Answer()]
    publish(f"{server.url}/net.pth")
    assert densezoo.fetch_weights(NAME).read_bytes() == CONTENT


def test_a_redirect_is_followed_and_continued_there(server: Server, publish: Callable[..., None]) -> None:
    to = Answer(status=302, body=b"", location="/elsewhere")
    server.answers = [to, Answer(send=100_000), to, Answer()]
    publish(f"{server.url}/net.pth")
    assert densezoo.fetch_weights(NAME).read_bytes() == CONTENT
    assert server.requests[3] == ("/elsewhere", "bytes=100000-", '"one"')


@pytest.mark.parametrize(("origin", "to"), [("https", "http://b.example/x"), ("http", "ftp://b.example/x")])
def test_a_redirect_to_where_bytes_may_be_changed_is_refused(origin: str, to: str) -> None:
    request = urllib.request.Request(f"{origin}://a.example/x")
    with pytest.raises(DownloadError, match=f"{origin}://a.example/x: redirects to {to}; expected {origin} there too"):
        transfer._Redirects().redirect_request(request, io.BytesIO(), 302, "Found", HTTPMessage(), to)


def test_no_server_at_all(publish: Callable[..., None]) -> None:
    with Server() as gone:
        url = gone.url
    publish(f"{url}/net.pth")
    with pytest.raises(DownloadError, match=f"{url}/net.pth: no connection"):
        densezoo.fetch_weights(NAME)


@pytest.mark.parametrize("mirror", ["http:///x", "http://[bad", "http://127.0.0.1:port"])
def test_a_mirror_that_is_no_url(mirror: str, publish: Callable[..., None]) -> None:
    publish(NOWHERE)
    with pytest.raises(DownloadError, match=r"(not a URL|no connection)"):
        densezoo.fetch_weights(NAME, mirrors=[mirror])


@pytest.mark.parametrize(
    ("content_type", "start"), [("text/html; charset=utf-8", b"<!-- hello -->"), ("application/octet-stream", b"\n")]
)
def test_a_page_in_place_of_the_file(
    content_type: str, start: bytes, server: Server, publish: Callable[..., None], cache: Path
) -> None:
    server.answers = [Answer(body=start + PAGE, content_type=content_type)]
    publish(f"{server.url}/net.pth")
    with pytest.raises(DownloadError, match=r"this is an HTML page.* \('Google Drive - Quota exceeded'\)") as raised:
        densezoo.fetch_weights(NAME)
    assert f"by hand from {server.url}/net.pth\nand put them at {cache / 'net.pth'}, where they are " in str(
        raised.value
    )
    assert "net.pth" not in names(cache)
