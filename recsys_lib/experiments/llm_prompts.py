"""What a language model is asked when it re-ranks films, and how its answer is read; see `llm_reranking`."""

from __future__ import annotations

import re

QUESTIONS = {
    "varied": "Choose 10 of these 20 films that together make a varied list, with different genres and periods, and "
    "that the user will still like.",
    "relevant": "Choose the 10 of these 20 films that the user will like best.",
}


def spoken(text: str) -> str:
    """A film as people write it: MovieLens puts the article behind the title.

    >>> spoken("Birdcage, The (1996). Comedy")
    'The Birdcage (1996). Comedy'
    """
    return re.sub(r"^([^(]+), (The|A|An) (?=\()", r"\2 \1 ", text)


def prompt(liked: list[str], films: list[str], wanted: str) -> str:
    """What the model reads: films ("title (year). genres") that the user liked, those to choose from, the question."""
    likes = "\n".join(f"- {film}" for film in liked)
    numbered = "\n".join(f"{number}. {film}" for number, film in enumerate(films, 1))
    return (
        f"A user likes these films:\n{likes}\n\nThese films can be recommended:\n{numbered}\n\n"
        f"{QUESTIONS[wanted]} Answer with 10 numbers only, separated by commas."
    )


def relation_prompt(films: list[str], relation: str) -> str:
    """Asks for a film in a relation to those already chosen, "different from" or "similar to"."""
    listed = "\n".join(f"- {film}" for film in films)
    return f"Name a film that is very {relation} these films:\n{listed}"


def parse(answer: str, films: list[str], k: int = 10) -> tuple[list[int], int, int]:
    """(places of the films that are chosen, in order, k at most; how many entries name no film; how many repeat one).

    An entry is a line, what stands between semicolons, or what ends with a year. It chooses the film whose title it
    begins or ends with, whatever number stands before it, or else the films whose numbers it lists. Headings, which end
    with a colon, are no entries; what comes after the k-th choice is not read.

    >>> films = ["Alien (1979). Horror", "Gandhi (1982). Drama"]
    >>> parse("1. Gandhi (1982). Drama, War\\n2. Gandhi\\n3. Shrek", films)
    ([1], 1, 1)
    >>> parse("2, 1, 7", films)
    ([1, 0], 1, 0)
    """
    chosen, n_unlisted, n_repeated = [], 0, 0
    for line in re.split(r"[\n;]", answer.lower()):
        for entry in re.findall(r".*?\(\d{4}\)", line) or [line]:
            for place in _named(entry.strip(), films):
                if len(chosen) == k:
                    return chosen, n_unlisted, n_repeated
                if place is None:
                    n_unlisted += 1
                elif place in chosen:
                    n_repeated += 1
                else:
                    chosen.append(place)
    return chosen, n_unlisted, n_repeated


def _named(entry: str, films: list[str]) -> list[int | None]:
    """The places of the films that one entry names; None for what is not among them."""
    if not entry or entry.endswith(":"):
        return []
    fitting = {}  # place -> the length of its title: of "Alien" and "Alien 3" the longer one is meant
    for place, film in enumerate(films):
        title, year = re.fullmatch(r"(.*?)( \(\d{4}\))?\. [^.]*", film.lower()).groups()
        begins = rf"(\W*|\d+[.)]\s*){re.escape(title)}(:?\s*\(|[.,]|\s*$)"
        if re.match(begins, entry) or re.search(rf"(?<!\w){re.escape(title + (year or ''))}$", entry):
            fitting[place] = len(title)
    if fitting:
        return [max(fitting, key=fitting.get)]
    numbers = re.findall(r"\d+", entry)
    if re.search(r"[a-z]", entry):  # words that are no title may still introduce a list of numbers
        listed = re.search(r"\d+(\s*(,|and|\s)\s*\d+)+", entry)
        numbers = re.findall(r"\d+", listed.group()) if listed else []
    return [int(number) - 1 if 1 <= int(number) <= len(films) else None for number in numbers] or [None]
