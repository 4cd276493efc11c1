"""Writes one model's card. Imports no torch."""

from __future__ import annotations

from densezoo.index.load import get_spec, load_index
from densezoo.results.cards import model_card as architecture_card
from densezoo.results.hub import hub_card


def model_card(name: str, *, hub: bool = False) -> str:
    """The card of a model's architecture in Markdown, as ``docs/models/`` has it.

    Args:
        name: of a model, or an alias.
        hub: put the YAML before it that huggingface.co reads: licence, datasets, and every published accuracy.

    Raises:
        UnknownNameError: there is no such model; names the nearest.
    """
    spec = get_spec(name)
    specs = [other for other in load_index().values() if other.arch == spec.arch]
    card = architecture_card(spec.arch, [spec, *(other for other in specs if other != spec)])
    return hub_card(spec, card) if hub else card
