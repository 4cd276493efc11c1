from __future__ import annotations

import pytest

from densezoo.results.site.environment import breakable, environment, inline, location, web


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "kaggle:a/b", 'https://a"b', None, "//a.b"])
def test_only_the_web_is_linked(url: str | None) -> None:
    assert web(url) is None
    assert web("https://example.org/a?b=c") == "https://example.org/a?b=c"


def test_text_is_escaped_whatever_marks_it_up() -> None:
    assert inline("<b> `<i>` [<u>](https://a.b/?c=1&d)") == (
        '&lt;b&gt; <code>&lt;i&gt;</code> <a href="https://a.b/?c=1&amp;d">&lt;u&gt;</a>'
    )
    assert inline("[x](javascript:alert)") == "[x](javascript:alert)"
    assert breakable("<a_b>.c") == "&lt;a_<wbr>b&gt;<wbr>.c"
    filled = environment().from_string("{{ text }} {{ text | tojson }}").render(text="</script>&")
    assert filled == "&lt;/script&gt;&amp; " + r'"\u003c/script\u003e\u0026"'


def test_a_location_is_a_file_and_its_host() -> None:
    assert location("https://a.org/b/c.pth") == "c.pth, a.org"
    assert location("https://a.org/") == "a.org"
    assert location("https://drive.google.com/file/d/1/view") == "Google Drive, drive.google.com"
