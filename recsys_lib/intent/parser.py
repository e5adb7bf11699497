"""IntentParser: a sentence in; what is wanted and what is refused, how it was said, and its keywords out."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from recsys_lib.encoders import TextEncoder
from recsys_lib.intent import clauses as reading
from recsys_lib.intent import eras, evidence
from recsys_lib.intent.errands import Errands
from recsys_lib.intent.facets import resolve, vocabulary
from recsys_lib.intent.keywords import keywords
from recsys_lib.intent.sentiment import polarity
from recsys_lib.intent.spelling import mended

WANTED = 0.5
DECADES = tuple(f"{year}s" for year in range(1930, 2000, 10))
REGULARISATION = 10.0  # scikit-learn's C
VERDICT = re.compile(r"\b(?:is|are|was|were|feels?|gets?|always|so)\b", re.IGNORECASE)
DISLIKE = -0.3  # "musicals are awful": this much dislike refuses what the clause names


@dataclass(frozen=True)
class Intent:
    """What a request says.

    Attributes
    ----------
    facets : {name: probability that it is wanted}, one each, independent of each other (they do not sum to 1)
    avoid : names of the facets that are refused; their probability is 0
    sentiment : from -1 to 1, how the request is said (English)
    keywords : up to four phrases of the request (English)
    text : the request as it was read: cleaned, the spelling mended, 200 words at most
    errand : whether it is about something else than films ("what's the weather"); then nothing is wanted or refused
    """

    facets: dict[str, float]
    avoid: tuple[str, ...] = ()
    sentiment: float = 0.0
    keywords: tuple[str, ...] = ()
    text: str = ""
    errand: bool = False

    @property
    def wanted(self) -> tuple[str, ...]:
        """The facets whose probability is one half or more."""
        return tuple(name for name, probability in self.facets.items() if probability >= WANTED)

    @property
    def says_anything(self) -> bool:
        """Whether there is something to steer by."""
        return bool(self.wanted or self.avoid)


@dataclass(frozen=True)
class Calibration:
    """From evidence to probability, by the log-odds that a facet is wanted:

    bias + name [named] + hint [hinted at] + silent [nothing is named] + margin / temperature.

    `margin` is by how much the facet's best cosine, of any phrase of the request with any of its prompts, exceeds the
    third best facet's: a cosine alone says little, "a film" is like every prompt. "Nothing" is no facet of the same
    kind: who names no genre means one all the same, if any. The defaults were fitted by `IntentParser.fit` to
    `data/requests/development.csv`; a test fits them again.
    """

    bias: float = -6.86
    name: float = 11.95
    hint: float = 7.94
    silent: float = 3.01
    temperature: float = 0.0664

    def probability(self, features: np.ndarray) -> np.ndarray:
        """(..., 4) features, named, hinted at, silent, margin -> (...) probabilities."""
        return expit(self.bias + features @ np.array([self.name, self.hint, self.silent, 1 / self.temperature]))


class IntentParser:
    """Reads requests for films. Words are read by rules, descriptions by a sentence encoder, in probabilities.

    Parameters
    ----------
    encoder : object with `encode(texts, keep=False) -> (n, d)` unit vectors, optional
        The packaged sentence encoder by default.
    facets : sequence of names or `Facet`, optional
        What can be wanted: by default the genres, moods and topics of the vocabulary and the decades 1930s to 1990s.
        Any name will do (`recsys_lib.intent.facets.resolve`); a decade is written "1980s".
    calibration : Calibration, optional
        What the evidence is worth. The default belongs to the packaged encoder; with another one, call `fit`.
    reads_chinese : bool
        Whether the encoder knows Chinese. The packaged one does not: Chinese is then read by words alone.

    Attributes
    ----------
    errands : Errands or None
        Notices what is no request at all ("cancel my account"), so that it moves no list; None turns it off.
    """

    def __init__(self, encoder=None, facets=None, *, calibration: Calibration | None = None, reads_chinese=False):
        self.encoder = TextEncoder(max_length=64) if encoder is None else encoder
        self.facets = resolve([*vocabulary(), *DECADES] if facets is None else facets)
        self.calibration = calibration or Calibration()
        self.reads_chinese = reads_chinese
        self._worded = [facet for facet in self.facets.values() if facet.kind != "era"]
        self._decades = [facet.name for facet in self.facets.values() if facet.kind == "era"]
        self._words = evidence.Words(self._worded)
        # Every word of the vocabulary, not only of these facets: "western" is no misspelt "modern".
        self.errands = None
        if set(self.facets) <= {*vocabulary(), *self._decades}:  # else an errand here may be a request there
            prompts = [prompt for facet in self._worded for prompt in facet.prompts]
            self.errands = Errands(self.encoder, prompts, reads_chinese)
        self._spelling = evidence.single_words([*vocabulary().values(), *self._worded])

    def parse(self, text: str) -> Intent:
        """Read one request. ValueError if it is no string; anything else has a result, an empty one included."""
        return self.parse_many([text])[0]

    def parse_many(self, texts) -> list[Intent]:
        """Read requests; what the encoder is asked is asked of all at once. Nothing is kept on disk."""
        read = self._all_read(texts)
        if not read:
            return []
        errands = self.errands.among([each.text for each in read]) if self.errands else np.zeros(len(read), bool)
        return [self._intent(*each) for each in zip(read, self._evidence(read), errands, strict=True)]

    def fit(self, texts, wanted, among=None) -> IntentParser:
        """Fit the calibration (logistic regression) to labelled requests, and return self.

        Each request counts twice, once with its hints forgotten: whoever labels requests tends to write the hints at
        the same desk, and other people use other words. The encoder has to read those.

        Parameters
        ----------
        texts : sequence of str
        wanted : sequence of sets of names, one a text
        among : sequence of names, optional
            The facets that the labels speak of: the genres by default. Moods and topics take over what holds for them.
        """
        names = [facet.name for facet in self._worded]
        among = [f.name for f in self._worded if f.kind == "genre"] if among is None else list(among)
        columns = [names.index(name) for name in among]
        read = self._all_read(texts)
        features = np.concatenate([self._evidence(read), self._evidence(read, hints=False)])[:, columns]
        labels = np.array([[name in each for name in among] for each in [*wanted, *wanted]])
        model = LogisticRegression(C=REGULARISATION).fit(features.reshape(labels.size, -1), labels.ravel())
        *weights, margin = (float(weight) for weight in model.coef_[0])
        self.calibration = Calibration(float(model.intercept_[0]), *weights, 1 / max(margin, 1e-6))
        return self

    def features(self, texts) -> np.ndarray:
        """(n_texts, n_facets without eras, 4): named, hinted at, silent, margin, of what is not refused."""
        return self._evidence(self._all_read(texts))

    def _evidence(self, read: list[_Read], hints: bool = True) -> np.ndarray:
        words, margins = np.stack([each.words for each in read]), self._margins([each.wanted for each in read])
        words = words * [1, hints]
        silent = np.zeros(margins.shape)
        for kind in {facet.kind for facet in self._worded}:
            same = [facet.kind == kind for facet in self._worded]
            silent[:, same] = (words[:, same].sum(axis=(1, 2)) == 0)[:, None]
        return np.concatenate([words, silent[..., None], margins[..., None]], axis=2)

    def _all_read(self, texts) -> list[_Read]:
        return [self._read(text, row) for row, text in enumerate(texts)]

    def _read(self, text, row: int) -> _Read:
        if not isinstance(text, str):
            raise ValueError(f"a request must be a string, but row {row} is {type(text).__name__}")
        text = mended(reading.clean(text), self._spelling)
        wanted, refused = [], []
        for clause in reading.clauses(text):
            (refused if clause.refused or self._disliked(clause.text) else wanted).append(clause.text)
        return _Read(
            text,
            wanted,
            refused,
            (sum(map(self._words.count, wanted), np.zeros((len(self._worded), 2))) > 0).astype(float),
        )

    def _disliked(self, clause: str) -> bool:
        """Whether a clause calls what it names bad: "musicals are awful"."""
        named = self._words.count(clause)[:, 0].any()
        return bool(named and VERDICT.search(clause) and polarity(self._words.masked(clause)) <= DISLIKE)

    def _margins(self, wanted: list[list[str]]) -> np.ndarray:
        """(n_requests, n_facets): how much better the best cosine of a facet is than the third best facet's."""
        asked = [[phrase for clause in self._readable(each) for phrase in evidence.phrases(clause)] for each in wanted]
        place = {phrase: row for row, phrase in enumerate(dict.fromkeys(phrase for each in asked for phrase in each))}
        margins = np.zeros((len(wanted), len(self._worded)))
        if not place or len(self._worded) < 3:
            return margins
        best = self.cosines(list(place))
        for row, phrases in enumerate(asked):
            if phrases:
                found = best[[place[phrase] for phrase in phrases]].max(axis=0)
                margins[row] = found - np.partition(found, -3)[-3]
        return margins

    def cosines(self, phrases: list[str]) -> np.ndarray:
        """(n_phrases, n_facets): the best cosine with any prompt of the facet."""
        prompts = [
            (column, prompt) for column, facet in enumerate(self._worded) for prompt in facet.prompts or (facet.name,)
        ]
        owner = np.array([column for column, _ in prompts])
        cosines = self._encode(phrases) @ self.encoder.encode([prompt for _, prompt in prompts]).T
        return np.stack([cosines[:, owner == column].max(axis=1) for column in range(len(self._worded))], axis=1)

    def _readable(self, clauses: list[str]) -> list[str]:
        """The clauses in a language that the encoder knows."""
        return [clause for clause in clauses if self.reads_chinese or not evidence.is_chinese(clause)]

    def _encode(self, texts: list[str]) -> np.ndarray:
        return self.encoder.encode(texts, keep=False)

    def _intent(self, read: _Read, found: np.ndarray, errand: bool) -> Intent:
        if errand:
            return Intent(dict.fromkeys(self.facets, 0.0), text=read.text, errand=True)
        refused = sum((self._words.count(clause)[:, 0] for clause in read.refused), np.zeros(len(self._worded))) > 0
        avoid = {facet.name for facet, is_refused in zip(self._worded, refused, strict=True) if is_refused}
        avoid |= set().union(*(eras.decades(clause, self._decades) for clause in read.refused))
        probability = self.calibration.probability(found) * bool(read.wanted)
        found = {facet.name: float(value) for facet, value in zip(self._worded, probability, strict=True)}
        asked = eras.decades(". ".join(read.wanted), self._decades)
        said = float(self.calibration.probability(np.array([1.0, 0, 0, 0])))
        found |= {name: said if name in asked else 0.0 for name in self._decades}
        return Intent(
            facets={name: 0.0 if name in avoid else found[name] for name in self.facets},
            avoid=tuple(name for name in self.facets if name in avoid),
            sentiment=polarity(self._words.masked(read.text)),
            keywords=tuple(keywords(self._readable(read.wanted), self._encode)),
            text=read.text,
        )


@dataclass(frozen=True)
class _Read:
    """A request on its way: its text, the clauses that want and that refuse, and which facets the first ones name."""

    text: str
    wanted: list[str]
    refused: list[str]
    words: np.ndarray
