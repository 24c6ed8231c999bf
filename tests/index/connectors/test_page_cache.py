"""Pages wait on the disk for whoever indexes them, whatever other threads and processes do to the same folder."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from index.connectors import page_cache
from index.connectors.page_cache import PageCache


def test_a_page_is_taken_once(tmp_path: Path) -> None:
    cache = PageCache(tmp_path / "web")
    assert cache.take("a") is None
    cache.put("a", "page.v2.html", b"text")
    cache.put("ab", "other.html", b"other")
    assert PageCache(tmp_path / "web").take("a") == ("page.v2.html", b"text")
    assert cache.take("a") is None
    assert cache.take("ab") == ("other.html", b"other")
    assert list((tmp_path / "web").iterdir()) == []


def test_pages_of_the_same_text_come_and_go_at_once(tmp_path: Path) -> None:
    data = [os.urandom(2**16) for _ in range(8)]

    def put(number: int) -> None:
        PageCache(tmp_path).put("same", f"{number % 2}.html", data[number % 8])

    with ThreadPoolExecutor(8) as threads:
        puts = [threads.submit(put, number) for number in range(400)]
        takes = [threads.submit(PageCache(tmp_path).take, "same") for _ in range(400)]
        for done in puts:
            done.result()
        taken = [found for take in takes if (found := take.result())]
    assert taken
    assert all(found in data for _, found in taken), "none is half of one"
    while PageCache(tmp_path).take("same"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_what_nobody_took_for_an_hour_is_gone(tmp_path: Path) -> None:
    cache = PageCache(tmp_path / "web")
    cache.prune()
    cache.put("old", "a.html", b"text")
    cache.put("new", "b.html", b"text")
    folder = tmp_path / "web" / "of-an-older-version"
    folder.mkdir()
    (folder / "c.html").write_bytes(b"text")
    for file in (folder, tmp_path / "web" / "old.a.html"):
        os.utime(file, (0, time.time() - page_cache.MAX_AGE_S - 1))
    cache.prune()
    assert cache.take("old") is None
    assert cache.take("new") == ("b.html", b"text")
    assert not folder.exists()


def test_a_look_keeps_no_more_than_its_share(tmp_path: Path) -> None:
    cache = PageCache(tmp_path)
    cache._held = page_cache.MAX_FOLDER - 4
    cache.put("a", "a.html", b"text")
    cache.put("b", "b.html", b"more")
    assert cache.take("a") == ("a.html", b"text")
    assert cache.take("b") is None
