"""A hook of mkdocs: takes what documents link to outside docs/ into the site, so that no link is dead.

Markdown files become pages; other files are copied below repository/. A folder has no page, so a link to one becomes
plain text.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"(?P<picture>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^)\s#]+)(?P<anchor>#[^)\s]*)?\)")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
#: {document beside docs/: its page}; a README.md would be taken for the site's first page.
TOP = {"README.md": "overview.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}


def on_files(files: Any, config: Any) -> Any:
    """Add the documents beside docs/, and every file that a document links to.

    Args:
        files: of docs/.
        config: mkdocs's.
    """
    for name, place in TOP.items():
        files.append(File.generated(config, place, abs_src_path=str(ROOT / name)))
    for page in list(files.documentation_pages()):
        text = Path(page.abs_src_path).read_text(encoding="utf-8")
        for match in LINK.finditer(FENCE.sub("", text)):
            path = _outside(page.abs_src_path, match["target"])
            if path and path.is_file() and _place(path) not in files.src_uris:
                files.append(File.generated(config, _place(path), abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """The page with its links into the repository led to where the files are in the site.

    Args:
        markdown: of the page.
        page, config, files: mkdocs's.
    """
    own = page.file

    def led(match: re.Match[str]) -> str:
        source = Path(own.abs_src_path)
        path = _outside(own.abs_src_path, match["target"])
        if path is None and source.parent == ROOT:  # docs/x.md as README.md has it
            path = (source.parent / match["target"]).resolve()
            path = path if path.exists() else None
        if path is None:
            return match[0]
        if path.is_dir():
            return match["text"]
        place = os.path.relpath(_place(path), os.path.dirname(own.src_uri) or ".")
        return f"{match['picture']}[{match['text']}]({place}{match['anchor'] or ''})"

    parts = re.split(f"({FENCE.pattern})", markdown, flags=FENCE.flags)
    return "".join(part if part.startswith("```") else LINK.sub(led, part) for part in parts)


def _outside(document: str, target: str) -> Path | None:
    """The file or folder of the repository that a relative link leads to, if it is outside docs/; else None."""
    if ":" in target:
        return None
    path = (Path(document).parent / target).resolve()
    inside = path.is_relative_to(ROOT / "docs")
    return path if path.exists() and path.is_relative_to(ROOT) and not inside else None


def _place(path: Path) -> str:
    """Where a file of the repository is in the site."""
    if path.is_relative_to(ROOT / "docs"):
        return path.relative_to(ROOT / "docs").as_posix()
    name = path.relative_to(ROOT).as_posix()
    return TOP.get(name, f"repository/{name}")
