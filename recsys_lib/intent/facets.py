"""Facets: what a request can be about. Each has words that say it, and descriptions for the encoder."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from functools import cache

from recsys_lib.paths import data_folder

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

KINDS = ("genre", "mood", "topic", "era")


@dataclass(frozen=True)
class Facet:
    """One thing that can be wanted or refused.

    Attributes
    ----------
    name : str
        "Horror", "1980s", "cheerful".
    kind : "genre", "mood", "topic" or "era"
        Eras are read from numbers and a few words (`recsys_lib.intent.eras`), the others from what follows.
    names, names_zh : words and phrases that say it outright, in lower case and in the singular
    hints, hints_zh : words that suggest it; they cannot be refused (who wants no car chases may want action)
    prompts : short descriptions that a sentence encoder compares a request with
    """

    name: str
    kind: str = "genre"
    names: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    names_zh: tuple[str, ...] = ()
    hints_zh: tuple[str, ...] = ()
    prompts: tuple[str, ...] = ()


@cache
def vocabulary() -> dict[str, Facet]:
    """The facets of `data/requests/vocabulary.toml` by name: MovieLens' genres, and moods and topics."""
    return {
        name: Facet(name, kind, **{field: tuple(words) for field, words in entry.items()})
        for kind, entries in _file().items()
        if kind in KINDS
        for name, entry in entries.items()
    }


def request_words() -> dict[str, dict[str, list[str]]]:
    """What tells a "wish" for a film from an "errand": `prompts` and words of each."""
    return _file()["request"]


@cache
def _file() -> dict:
    return tomllib.loads((data_folder() / "requests" / "vocabulary.toml").read_text(encoding="utf-8"))


def resolve(facets) -> dict[str, Facet]:
    """What `IntentParser` takes, as facets by name.

    Parameters
    ----------
    facets : sequence of str or Facet
        A name of the vocabulary brings its words and prompts; a decade like "1980s" is an era; any other name is
        its own word and prompt.
    """
    facets = [facets] if isinstance(facets, str | Facet) else list(facets)
    if not facets:
        raise ValueError("facets is empty: name at least one, for instance dataset.genre_names")
    found = {}
    for facet in facets:
        if isinstance(facet, str):
            facet = vocabulary().get(facet) or _unknown(facet)
        if not isinstance(facet, Facet):
            raise ValueError(f"facets takes names or Facet objects, not {type(facet).__name__}")
        if facet.name in found:
            raise ValueError(f"the facet {facet.name!r} is there twice")
        found[facet.name] = facet
    return found


def _unknown(name: str) -> Facet:
    if not name.strip():
        raise ValueError("a facet's name is empty")
    if re.fullmatch(r"\d{4}s", name):
        return Facet(name, "era")
    return Facet(name, "topic", names=(name.lower(),), prompts=(name, f"a film about {name.lower()}"))
