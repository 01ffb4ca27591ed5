"""Kept: answers about single words and the like, most of which come again in the next text."""

from collections.abc import Callable
from typing import TypeVar

Answer = TypeVar("Answer")

_MOST = 50_000
_LONGEST = 40


class Kept(dict[str, Answer]):
    """What a function says of a short string, worked out once: `kept[said]`. Forgets all when it is full.

    Not kept is what hardly comes again: a link, an address, a handle, a string of more than 40 characters. So memory
    stays small whatever is read. Safe to share between threads: at worst two work out the same.
    """

    def __init__(self, answer: Callable[[str], Answer]) -> None:
        super().__init__()
        self._answer = answer

    def __missing__(self, said: str) -> Answer:
        answer = self._answer(said)
        if len(said) == 1 or (len(said) <= _LONGEST and "@" not in said and "/" not in said):
            if len(self) >= _MOST:
                self.clear()
            self[said] = answer
        return answer
