"""What single words and pairs of words add to every answer: all the trained model knows of a text but a few facts."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.triage.words import Said, pieces

Floats = NDArray[np.float32]

_ROOM = 4_000
"""Rows for which room is made at once."""
_AT_ONCE = 500
"""Tokens whose parts are added up at once: enough for speed, few enough for flat memory."""


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

    def of_tokens(self, names: Sequence[str]) -> Iterator[tuple[str, Floats, np.float64]]:
        """Each token with what it adds and the square of its length: its word, its word denied, and its parts."""
        rows, values, ends = list[int](), list[float](), list[int]()
        for name in names:
            plain = name.removeprefix("¬")
            whole = (self._words.get(plain), self._negated.get(plain) if name != plain else None)
            split = pieces(plain)
            of_whole = [row for row in whole if row is not None]
            of_parts = [row for row in map(self._pieces.get, split) if row is not None]
            rows += of_whole + of_parts
            values += [1.0] * len(of_whole) + [(len(split) or 1) ** -0.5] * len(of_parts)
            ends.append(len(rows))
        found = np.array(rows, dtype=np.intp)
        weights = self._rows.take(found, axis=0) * self._scales
        weights *= np.array(values, dtype=np.float32)[:, None]
        squares = (self._sizes.take(found) * np.array(values)) ** 2
        for name, start, end in zip(names, [0, *ends], ends, strict=False):
            yield name, np.add.reduce(weights[start:end], axis=0), np.add.reduce(squares[start:end])


class Known(dict[str, int]):
    """The rows of all pairs and of the tokens learnt so far in one table: `known[token]`.

    `squares` are the squares of the rows' lengths. A row once made never changes, so threads may share it.
    """

    def __init__(self, weights: Weights) -> None:
        super().__init__()
        self._weights = weights
        self._adding = Lock()
        self._filled = len(weights.pairs)
        self.pairs = weights.pairs
        self.table, self.squares = weights.of_pairs()

    def learn(self, names: Iterable[str]) -> None:
        """Make the rows of those of these tokens that have none."""
        with self._adding:
            unknown = [name for name in names if name not in self]
            for at in range(0, len(unknown), _AT_ONCE):
                for name, weights, square in self._weights.of_tokens(unknown[at : at + _AT_ONCE]):
                    self._add(name, weights, square)

    def _add(self, name: str, weights: Floats, square: np.float64) -> None:
        row = self._filled
        if row == len(self.table):
            self.table = np.concatenate([self.table, np.empty((_ROOM, self.table.shape[1]), dtype=np.float32)])
            self.squares = np.concatenate([self.squares, np.empty(_ROOM)])
        self.table[row], self.squares[row] = weights, square
        self._filled += 1
        self[name] = row


class Features:
    """What a text is made of: its different tokens, from the last to the first, and its different known pairs.

    `known` has learnt the tokens. Where they stand and what they add is worked out when it is asked for.
    """

    __slots__ = ("_known", "_length", "_names", "_pairs", "_rows", "said")

    def __init__(self, said: Said, known: Known) -> None:
        self.said, self._known = said, known
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

    def spans(self) -> list[tuple[int, int]]:
        """Where each feature stands: a token at its first place, a pair at its last."""
        spans = self.said.spans()
        found = [spans[place] for place in self._names.values()]
        found += [(spans[place][0], spans[place + 1][1]) for place in self._pairs.values()]
        return found

    def __len__(self) -> int:
        return len(self._rows)
