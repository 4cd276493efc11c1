"""Published weights in the cache: fetched once, checked at every use, put there by hand or taken from mirrors."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from loopback import CONTENT, DIGEST, NAME, NOWHERE, OTHER, PAGE, PREFIX, Answer, Server

import densezoo
from densezoo import api
from densezoo.errors import DownloadError
from densezoo.index import download, transfer
from densezoo.index.load import get_spec
from densezoo.types import FileHash, WeightSource

pytestmark = pytest.mark.usefixtures("loopback_only", "cache")


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {".lock"}


def test_a_file_is_fetched_once(server: Server, publish: Callable[..., None], cache: Path) -> None:
    publish(f"{server.url}/a/net-{PREFIX}.pth", hash_prefix=PREFIX, file_size=len(CONTENT))
    path = densezoo.fetch_weights(NAME)
    assert path == cache / f"net-{PREFIX}.pth"
    assert path.read_bytes() == CONTENT
    record = json.loads((cache / f"net-{PREFIX}.pth.json").read_text())
    assert (record["sha256"], record["size"], record["from"]) == (
        DIGEST,
        len(CONTENT),
        f"{server.url}/a/net-{PREFIX}.pth",
    )
    assert densezoo.fetch_weights(NAME) == path
    assert server.requests == [(f"/a/net-{PREFIX}.pth", None, None)]
    assert names(cache) == {path.name, f"{path.name}.json"}


def test_shipped_files_are_returned_as_they_are(cache: Path, loopback_only: list[str]) -> None:
    assert densezoo.fetch_weights("densenet_bc_22_8.densezoo_digits") == api.DEMO[1]
    assert not cache.parent.exists()
    assert loopback_only == []


# Wrong files


def test_a_wrong_file_is_moved_aside_and_the_next_place_asked(
    server: Server, publish: Callable[..., None], cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answers = [Answer(body=OTHER), Answer()]
    publish(f"{server.url}/net.pth", hash_prefix=PREFIX, mirrors=(f"{server.url}/mirror/net.pth",))
    assert densezoo.fetch_weights(NAME).read_bytes() == CONTENT
    aside = cache / f"net.pth.wrong-{hashlib.sha256(OTHER).hexdigest()[:8]}"
    assert aside.read_bytes() == OTHER
    said = f"expected a sha256 that begins with {PREFIX}; not used, moved to {aside}"
    assert said in capsys.readouterr().err


def test_the_next_file_of_the_same_model(server: Server, publish: Callable[..., None], cache: Path) -> None:
    server.answers = [Answer(status=404), Answer()]
    publish(f"{server.url}/one.pth", f"{server.url}/two.pth")
    assert densezoo.fetch_weights(NAME) == cache / "two.pth"
    assert densezoo.fetch_weights(NAME) == cache / "two.pth"
    assert len(server.requests) == 2


@pytest.mark.parametrize("facts", [{}, {"hash_prefix": PREFIX}, {"sha256": DIGEST}])
def test_a_file_that_changed_in_the_cache_is_fetched_anew(
    facts: dict[str, object], server: Server, publish: Callable[..., None], cache: Path
) -> None:
    publish(f"{server.url}/net.pth", **facts)
    path = densezoo.fetch_weights(NAME)
    path.write_bytes(CONTENT[:-1] + b"!")
    aside = f"net.pth.wrong-{digest(path)[:8]}"
    assert densezoo.fetch_weights(NAME).read_bytes() == CONTENT
    assert names(cache) == {"net.pth", "net.pth.json", aside}


def test_the_first_use_is_remembered(server: Server, publish: Callable[..., None], cache: Path) -> None:
    publish(f"{server.url}/net.pth")
    densezoo.fetch_weights(NAME).unlink()
    server.answers = [Answer(body=OTHER)]
    with pytest.raises(DownloadError, match=rf"but was {DIGEST} at its first use; .* remove .*net.pth.json"):
        densezoo.fetch_weights(NAME)
    (cache / "net.pth.json").unlink()
    assert densezoo.fetch_weights(NAME).read_bytes() == OTHER


def test_the_full_hash_is_held_even_where_a_prefix_is_published(
    server: Server, publish: Callable[..., None], cache: Path
) -> None:
    publish(f"{server.url}/net.pth", hash_prefix=DIGEST[:1])
    path = densezoo.fetch_weights(NAME)
    forged = next(f"{i}".encode() for i in range(999) if hashlib.sha256(f"{i}".encode()).hexdigest()[0] == DIGEST[0])
    path.write_bytes(forged)
    assert densezoo.fetch_weights(NAME).read_bytes() == CONTENT


def test_a_record_of_a_file_that_is_published_no_more(server: Server, publish: Callable[..., None]) -> None:
    server.answers = [Answer(body=OTHER), Answer()]
    publish(f"{server.url}/net.pth")
    assert densezoo.fetch_weights(NAME).read_bytes() == OTHER
    publish(f"{server.url}/net.pth", hash_prefix=PREFIX)
    assert densezoo.fetch_weights(NAME).read_bytes() == CONTENT
    assert densezoo.fetch_weights(NAME).read_bytes() == CONTENT
    assert len(server.requests) == 2


# Hashes of other kinds, files that can't be had or read


def zipped(member: str, content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(member, content)
    return file.getvalue()


@pytest.mark.parametrize("member", ["net.pth", "other.pth"])
def test_the_member_of_an_archive_is_held_against_its_hash(
    server: Server, publish: Callable[..., None], cache: Path, member: str
) -> None:
    right, wrong = zipped("net.pth", CONTENT), zipped(member, CONTENT if member == "other.pth" else OTHER)
    server.answers = [Answer(body=wrong), Answer(body=right)]
    sha1 = hashlib.sha1(CONTENT).hexdigest()
    publish(f"{server.url}/net.pth.zip", hashes=(FileHash(sha1=sha1[:8], of="net.pth"),))
    with pytest.raises(
        DownloadError, match=rf"the sha1 of net.pth in it is .*; expected a member .* {sha1[:8]}; not used"
    ):
        densezoo.fetch_weights(NAME)
    assert densezoo.fetch_weights(NAME).read_bytes() == right
    (cache / "net.pth.zip").write_bytes(wrong)
    assert densezoo.fetch_weights(NAME).read_bytes() == right


@pytest.mark.parametrize("algorithm", ["md5", "sha1"])
def test_hashes_of_other_kinds_are_held(server: Server, publish: Callable[..., None], algorithm: str) -> None:
    server.answers = [Answer(body=OTHER), Answer()]
    digest = hashlib.new(algorithm, CONTENT).hexdigest()
    publish(f"{server.url}/net.pth", hashes=(FileHash(**{algorithm: digest}),))
    with pytest.raises(
        DownloadError, match=f"its {algorithm} is [0-9a-f]+; expected the {algorithm} {digest}; not used"
    ):
        densezoo.fetch_weights(NAME)
    assert densezoo.fetch_weights(NAME).read_bytes() == CONTENT


def test_what_is_withdrawn_is_not_asked_for(
    publish: Callable[..., None], cache: Path, loopback_only: list[str], tmp_path: Path
) -> None:
    publish("https://example.org/net.t7", withdrawn="2024-01-09: links removed")
    with pytest.raises(
        DownloadError, match=r"net.t7: withdrawn by its publisher \(2024-01-09.*\n.*find a copy of them"
    ):
        densezoo.fetch_weights(NAME)
    assert loopback_only == []
    (tmp_path / NAME).mkdir()
    (tmp_path / NAME / "net.t7").write_bytes(CONTENT)
    assert densezoo.fetch_weights(NAME, mirrors=[str(tmp_path)]) == cache / "net.t7"


def test_what_can_t_be_read_is_not_fetched(
    server: Server, publish: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(f"{server.url}/net.tar", not_loadable="a static graph")
    with pytest.raises(DownloadError, match=r"can't read its published weights\n  .*net.tar: a static graph"):
        densezoo.fetch_weights(NAME)
    names = {"net.tar": "a static graph", "net.pth": None}
    sources = tuple(WeightSource("torch", "pickle", url=f"{server.url}/{n}", not_loadable=names[n]) for n in names)
    monkeypatch.setattr(download, "get_spec", lambda _: dataclasses.replace(get_spec(NAME), weights=sources))
    assert densezoo.fetch_weights(NAME).name == "net.pth"
    assert [request[0] for request in server.requests] == ["/net.pth"]


# By hand, and from mirrors


def test_what_can_t_be_fetched_is_put_there_by_hand(
    publish: Callable[..., None], cache: Path, loopback_only: list[str]
) -> None:
    publish(NOWHERE, hash_prefix=PREFIX)
    path = cache / f"{NAME}.pickle"
    with pytest.raises(DownloadError, match="is no link to a file") as raised:
        densezoo.fetch_weights(NAME)
    checks = f"where they are checked (a sha256 that begins with {PREFIX}) and used"
    assert f"by hand from {NOWHERE}\nand put them at {path}, {checks}" in str(raised.value)
    path.write_bytes(PAGE)
    with pytest.raises(DownloadError, match="this is an HTML page, saved in place of a download; not used, moved to"):
        densezoo.fetch_weights(NAME)
    path.write_bytes(OTHER)
    with pytest.raises(DownloadError, match="its sha256 is"):
        densezoo.fetch_weights(NAME)
    assert not path.exists()
    path.write_bytes(CONTENT)
    assert densezoo.fetch_weights(NAME).read_bytes() == CONTENT
    assert json.loads((cache / f"{path.name}.json").read_text())["sha256"] == DIGEST
    assert loopback_only == []


@pytest.mark.parametrize("form", ["{}", "{}/", "file://{}"])
@pytest.mark.parametrize("layout", [NAME, ""])
def test_a_mirror_is_a_folder_like_the_cache_or_flat(
    form: str, layout: str, publish: Callable[..., None], tmp_path: Path, loopback_only: list[str]
) -> None:
    folder = tmp_path / "off line" / layout
    folder.mkdir(parents=True)
    (folder / "net.pth").write_bytes(CONTENT)
    mirror = form.format(tmp_path / "off line")
    if form.startswith("file:"):
        mirror = (tmp_path / "off line").as_uri()
    publish("https://example.invalid/net.pth", hash_prefix=PREFIX)
    assert densezoo.fetch_weights(NAME, mirrors=[mirror]).read_bytes() == CONTENT
    assert loopback_only == []


def test_a_flat_mirror_needs_a_published_hash(publish: Callable[..., None], tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(OTHER)  # another model's
    publish("file:///nowhere/model.safetensors")
    with pytest.raises(DownloadError, match=rf"{tmp_path}/{NAME}/model.safetensors: No such file"):
        densezoo.fetch_weights(NAME, mirrors=[str(tmp_path)])


def test_mirrors_are_asked_in_order(
    server: Server, publish: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answers = [Answer(status=404), Answer(status=404), Answer(status=404), Answer()]
    monkeypatch.setenv("DENSEZOO_MIRRORS", f"{server.url}/two, {server.url}/three/\n/no/such/folder")
    publish(f"{server.url}/net.pth")
    densezoo.fetch_weights(NAME, mirrors=[f"{server.url}/one"])
    asked = [path for path, *_ in server.requests]
    assert asked == [f"/one/{NAME}/net.pth", f"/two/{NAME}/net.pth", f"/three/{NAME}/net.pth", "/net.pth"]


# Several processes, and disks


PROGRAM = """
import dataclasses, sys, densezoo
from densezoo.index import download
spec = densezoo.get_spec({name!r})
source = dataclasses.replace(spec.weights[0], url={url!r}, file_size=None, hash_prefix=None)
download.get_spec = lambda name: dataclasses.replace(spec, weights=(source,))
print(densezoo.fetch_weights({name!r}), "torch" in sys.modules)
"""


def start(url: str) -> subprocess.Popen[str]:
    program = PROGRAM.format(name=NAME, url=url)
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", program], stdout=pipe, stderr=pipe, text=True)


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_of_two_processes_one_fetches(server: Server, cache: Path) -> None:
    server.answers = [Answer(stall=1.0)]
    running = [start(f"{server.url}/net.pth") for _ in range(2)]
    done = [process.communicate(timeout=60) for process in running]
    assert [out for out, _ in done] == [f"{cache / 'net.pth'} False\n"] * 2
    assert len(server.requests) == 1
    assert (cache / "net.pth").read_bytes() == CONTENT
    assert names(cache) == {"net.pth", "net.pth.json"}


def test_a_process_that_waits_says_so(server: Server, publish: Callable[..., None], cache: Path) -> None:
    publish(f"{server.url}/net.pth")
    with download._locked(cache):
        waiting = start(f"{server.url}/net.pth")
        assert waiting.stderr is not None
        assert waiting.stderr.readline() == f"waiting for another process that fetches {NAME}\n"
        assert server.requests == []
    assert waiting.communicate(timeout=60)[0] == f"{cache / 'net.pth'} False\n"


def test_a_killed_process_leaves_no_lock_and_a_part_that_is_continued(
    server: Server, publish: Callable[..., None], cache: Path
) -> None:
    server.answers = [Answer(stall=60), Answer()]
    killed = start(f"{server.url}/net.pth")
    part = cache / "net.pth.part"
    wait_for(lambda: server.requests and part.exists() and part.stat().st_size > 0)
    killed.send_signal(signal.SIGKILL)
    killed.communicate(timeout=60)
    kept = part.stat().st_size
    publish(f"{server.url}/net.pth")
    assert densezoo.fetch_weights(NAME).read_bytes() == CONTENT
    assert server.requests[1][1] == f"bytes={kept}-"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="has no /dev/full")
def test_a_full_disk(
    server: Server, publish: Callable[..., None], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(f"{server.url}/net.pth")
    cache.mkdir(parents=True)
    monkeypatch.setattr(transfer, "_begin", lambda url, part, response: part.symlink_to("/dev/full"))
    with pytest.raises(DownloadError, match=r"the cache can't be written \(No space left on device\); make room"):
        densezoo.fetch_weights(NAME)
    assert "net.pth" not in names(cache)


def test_a_cache_that_can_t_be_written(
    server: Server, publish: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("DENSEZOO_HOME", str(tmp_path / "file" / "home"))
    publish(f"{server.url}/net.pth")
    with pytest.raises(DownloadError, match=rf"{tmp_path}/file/home.*: the cache can't be written \(Not a directory\)"):
        densezoo.fetch_weights(NAME)
    assert server.requests == []


def test_a_whole_cache_needs_no_writing(
    server: Server, publish: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(f"{server.url}/net.pth")
    path = densezoo.fetch_weights(NAME)

    def refuse(folder: Path) -> None:
        raise OSError(30, "Read-only file system", str(folder))

    monkeypatch.setattr(download, "_locked", refuse)
    assert densezoo.fetch_weights(NAME) == path
    path.unlink()
    with pytest.raises(DownloadError, match=r"the cache can't be written \(Read-only file system\)"):
        densezoo.fetch_weights(NAME)


def test_a_terminal_shows_how_far_it_is(
    server: Server, publish: Callable[..., None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # to rich, a terminal
    monkeypatch.setenv("COLUMNS", "120")
    publish(f"{server.url}/net.pth")
    densezoo.fetch_weights(NAME)
    out, err = capsys.readouterr()
    assert f"{NAME}: net.pth" in err
    assert "300.0/300.0 kB" in err
    assert out == ""
