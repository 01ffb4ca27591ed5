"""What single words and pairs of words add to every answer: all the trained model knows of a text but a few facts."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.triage.words import Said, pieces

Floats = NDArray[np.float32]

_ROOM = 4_000
"""Rows for which room is made at once."""


class Weights:
    """The weights as they ship: a row and a length for each pair of tokens, each token and each part of one."""

    def __init__(self, weights: Mapping[str, NDArray[Any]]) -> None:
        self._rows: NDArray[np.int8] = weights["weights"]
        self._scales: Floats = weights["scales"]
        self._sizes: NDArray[np.float64] = weights["sizes"].astype(np.float64)
        sorts: dict[str, dict[str, int]] = {"b": {}, "w": {}, "n": {}, "c": {}}
        for row, name in enumerate(bytes(weights["names"]).decode().split("\n")):
            sorts.setdefault(name[:1], {})[name[2:]] = row
        self._words, self._negated, self._pieces = sorts["w"], sorts["n"], sorts["c"]
        self._paired = list(sorts["b"].values())
        self.pairs = {tuple(name.split(" ")): number for number, name in enumerate(sorts["b"])}
        """The number of each known pair, by its two names without marks."""

    def of_pairs(self) -> tuple[Floats, NDArray[np.float64]]:
        """What the pairs add, a row each in the order of their numbers, and the squares of their lengths."""
        return self._rows.take(self._paired, axis=0) * self._scales, self._sizes.take(self._paired) ** 2

    def of_token(self, name: str) -> tuple[Floats, float]:
        """What one token adds, and the square of its length: its word, its word denied, and its parts."""
        plain = name.removeprefix("¬")
        whole = [self._words.get(plain), self._negated.get(plain) if name != plain else None]
        split = pieces(plain)
        rows = np.array([row for row in (*whole, *map(self._pieces.get, split)) if row is not None], dtype=np.intp)
        values = np.full(len(rows), (len(split) or 1) ** -0.5)
        values[: len(whole) - whole.count(None)] = 1.0
        weights = self._rows.take(rows, axis=0) * self._scales
        total: Floats = np.add.reduce(weights * values.astype(np.float32)[:, None], axis=0)
        return total, float(np.add.reduce((self._sizes.take(rows) * values) ** 2))


class Known(dict[str, int]):
    """The rows of all pairs and of the tokens met so far in one table: `known[token]`, made when it is asked for.

    `squares` are the squares of the rows' lengths. A row once made never changes, so threads may share it.
    """

    def __init__(self, weights: Weights) -> None:
        super().__init__()
        self._weights = weights
        self._adding = Lock()
        self._filled = len(weights.pairs)
        self.pairs = weights.pairs
        self.table, self.squares = weights.of_pairs()

    def __missing__(self, name: str) -> int:
        weights, square = self._weights.of_token(name)
        with self._adding:
            row = self.get(name, self._filled)
            if row == len(self.table):
                self.table = np.concatenate([self.table, np.empty((_ROOM, self.table.shape[1]), dtype=np.float32)])
                self.squares = np.concatenate([self.squares, np.empty(_ROOM)])
            if row == self._filled:
                self.table[row], self.squares[row] = weights, square
                self._filled += 1
                self[name] = row
        return row


class Features:
    """What a text is made of: its different tokens, from the last to the first, and its different known pairs.

    Where they stand and what they add is worked out when it is asked for.
    """

    __slots__ = ("_known", "_length", "_names", "_pairs", "_places", "_rows", "said")

    def __init__(self, said: Said, known: Known) -> None:
        self.said, self._known = said, known
        self._places: list[int] = []
        names = said.names
        # Each name with its first place in the text, each pair with its last.
        self._names = dict(zip(reversed(names), range(len(names) - 1, -1, -1), strict=True))
        self._pairs = dict(zip(map(known.pairs.get, pairwise(said.plain)), range(len(names)), strict=False))
        self._pairs.pop(None, None)
        self._rows = np.array([*map(known.__getitem__, self._names), *self._pairs], dtype=np.intp)
        self._length = np.float32(np.add.reduce(known.squares.take(self._rows)) ** 0.5 or 1.0)

    def shares(self) -> Floats:
        """What each feature (a row) adds to each answer (a column), divided by the length of all of them."""
        shares: Floats = self._known.table.take(self._rows, axis=0)
        shares /= self._length
        return shares

    def against(self, chosen: Sequence[int], rival: Sequence[int]) -> Floats:
        """What each feature (a column) adds to the rival answers beyond the chosen ones (a row each)."""
        sides = self._known.table.take(self._rows, axis=0).take([*rival, *chosen], axis=1)
        sides /= self._length
        added: Floats = (sides[:, : len(rival)] - sides[:, len(rival) :]).T
        return added

    def span(self, number: int) -> tuple[int, int]:
        """Where a feature stands: a token at its first place, a pair at its last."""
        if not self._places:
            self._places = [*self._names.values(), *self._pairs.values()]
        place = self._places[number]
        start, end = self.said.span(place)
        return start, end if number < len(self._names) else self.said.span(place + 1)[1]

    def __len__(self) -> int:
        return len(self._rows)
