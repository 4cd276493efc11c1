"""Names as people type them: other case, other separators, a slip of the pen. A number is never taken for another."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase

from densezoo.types import ModelSpec

_NEAR = 0.85  # similarity of two words: densnet is a slip for densenet, resnet and condensenet are not
_SHORTEST = 4  # letters of a word that may hold a slip; shorter ones differ by a letter and mean something else
_PAPER = re.compile(r"\(l=(\d+), ?k=(\d+)\)")  # how the paper names a network: DenseNet-BC (L=100, k=12)
_TOKEN = re.compile(r"[a-z]+|[0-9]+|\[[^\]]*\]|[.*?]")  # a word, a number, what a shell pattern is made of


def normal(text: str) -> str:
    """A name or shell pattern without case and separators: "DenseNet-BC (L=100, k=12)" is "densenetbc100_12"."""
    tokens = _TOKEN.findall(_PAPER.sub(r"\1 \2", text.lower()))
    ends = [*tokens[1:], ""]
    return "".join(f"{token}_" if token.isdecimal() and end.isdecimal() else token for token, end in zip(tokens, ends))


def matching(patterns: str | Sequence[str], specs: Iterable[ModelSpec]) -> tuple[list[ModelSpec], list[str]]:
    """The models whose name, alias or architecture's name one of several shell patterns matches, and who matches none.

    Case, separators and slips in a word are forgiven, numbers are not.

    Returns:
        The models in the index's order, and the patterns that match nothing.
    """
    specs = list(specs)
    known = {spec.name: (spec.name, *spec.aliases, spec.arch) for spec in specs}
    names = [name for own in known.values() for name in own]
    matches = {each: set(search(each, names)) for each in ([patterns] if isinstance(patterns, str) else patterns)}
    chosen = set().union(*matches.values())
    return (
        [spec for spec in specs if chosen.intersection(known[spec.name])],
        [each for each, names_found in matches.items() if not names_found],
    )


def search(pattern: str, names: Iterable[str]) -> list[str]:
    """The names that a shell pattern matches; where it matches none, those that it may have been meant for.

    Tried in this order: the pattern itself in any case; without separators; as a part of a name; with each misspelt
    word in the nearest spelling that a name has.
    """
    names = list(dict.fromkeys(names))
    for form in dict.fromkeys((pattern, respelled(pattern, names))):
        for matches in _WAYS:
            if found := [name for name in names if matches(name, form)]:
                return found
    return []


def _by_pattern(name: str, pattern: str) -> bool:
    return fnmatchcase(name.lower(), pattern.lower())


def _without_separators(name: str, pattern: str) -> bool:
    return fnmatchcase(normal(name), normal(pattern))


def _as_a_part(name: str, pattern: str) -> bool:
    """Whether it is a part of the name that cuts no number in two: "121" of densenet121, but not of rdnet1210."""
    part = normal(pattern)
    if not re.search("[a-z0-9]", part) or re.search(r"[*?\[]", part):
        return False
    start, end = r"(?<![0-9])" * part[0].isdecimal(), r"(?![0-9])" * part[-1].isdecimal()
    return re.search(start + re.escape(part) + end, normal(name)) is not None


#: How a name may match a pattern, the strictest way first.
_WAYS: tuple[Callable[[str, str], bool], ...] = (_by_pattern, _without_separators, _as_a_part)


def respelled(text: str, names: Iterable[str]) -> str:
    """A name or pattern with each word that no name has as the nearest one that a name has; numbers as they are."""
    words = {token for name in names for token in _TOKEN.findall(name.lower()) if token.isalpha()}

    def nearest(match: re.Match[str]) -> str:
        word = match[0].lower()
        near = [] if len(word) < _SHORTEST else get_close_matches(word, words, n=1, cutoff=_NEAR)
        return near[0] if near and word not in words else match[0]

    return re.sub(r"[A-Za-z]+", nearest, text)


def nearest_name(name: str, names: Iterable[str]) -> str | None:
    """The name that may have been meant: of the same architecture's words and numbers; None: there is none."""
    names = list(names)
    asked = normal(respelled(name, names))
    same = {normal(known): known for known in names if _architecture(normal(known)) == _architecture(asked)}
    near = get_close_matches(asked, same, n=1, cutoff=0.0)
    return same[near[0]] if near else None


def _architecture(normalised: str) -> str:
    return normalised.partition(".")[0]
