"""A further opinion: a transformer, or any other classifier, asked where the fast model is not sure, or always.

Those that ship and one of your own have the same shape, a folder with `model.onnx`, `tokenizer.json` and
`heads.json`; a Python class can be asked as well (docs/classifiers.md).
"""

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Annotated

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from tokenizers import Tokenizer

from pipeline.classifier import Reading
from pipeline.errors import SettingsError
from pipeline.sentiment import described
from pipeline.triage.model import QUESTIONS
from pipeline.triage.opinion import Checked, Floats, Opinion, Second

__all__ = ["LARGE", "READ", "SMALL", "Encoded", "Encoder", "Folder", "Heads", "Opinion", "Second", "is_class", "named"]

SMALL, LARGE = Path(__file__).parent / "small", Path(__file__).parent / "large"
"""The small transformer and the large one that ship."""
READ = 5_000
"""Characters of a mention that are read."""
_TAIL = 4
"""Of a text that is too long, this part of the tokens is taken from its end: verdicts stand there."""
_WORD = re.compile(r"\S+")
_LINK = re.compile(r"https?://|www\.", re.IGNORECASE)
_CLASS = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
_BY_TOKEN = 2
"""Dimensions of one text's logits, where the model tells them token by token."""


class Heads(BaseModel):
    """What `heads.json` says of the model beside it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    heads: dict[str, list[str]] = Field(
        min_length=1, description="The questions it answers, with the answers in the order of the model's columns."
    )
    trust: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(
        default={},
        description="For each question, how much it counts beside those asked before it, 0 to 1; 1 if not given.",
    )
    temperature: dict[str, Annotated[float, Field(gt=0)]] = Field(
        default={},
        description="What each question's logits are divided by, to make its probabilities honest; 1 if not given.",
    )
    bias: dict[str, dict[str, float]] = Field(
        default={}, description="For a question, what is added to the logit of an answer, after that; 0 if not given."
    )
    tokens: int = Field(default=128, ge=8, le=8192, description="Tokens of a text that are read, at most.")
    stars: bool = Field(default=False, description='Whether "4/5 stars." is written before a text that has a rating.')
    emoji: bool = Field(default=False, description="Whether an emoji is read as its name, for a model that knows none.")
    sha256: dict[str, Annotated[str, Field(pattern="^[0-9a-f]{64}$")]] = Field(
        default={}, description="Hashes of files beside it, by name; checked before anything is judged."
    )

    @model_validator(mode="after")
    def _ours(self) -> "Heads":
        for head, answers in self.heads.items():
            if head not in QUESTIONS:
                raise ValueError(f'"{head}" is no question of ours; there are: {", ".join(QUESTIONS)}')
            if sorted(answers) != sorted(QUESTIONS[head]):
                raise ValueError(
                    f'the answers to "{head}" must be {", ".join(QUESTIONS[head])}: each once, in any order'
                )
        for head in (*self.trust, *self.temperature, *self.bias):
            if head not in self.heads:
                raise ValueError(
                    f'"{head}" is not among its heads, so neither trust nor temperature nor bias can be given for it'
                )
            if strange := self.bias.get(head, {}).keys() - set(self.heads[head]):
                raise ValueError(f'"{head}" has no answer {", ".join(sorted(strange))}, so no bias for it')
        return self

    @property
    def width(self) -> int:
        """How many numbers the model gives."""
        return sum(map(len, self.heads.values()))

    def columns(self) -> dict[str, list[int]]:
        """Where each head's answers stand among the model's columns, in the order of `QUESTIONS`."""
        every = [(head, answer) for head, answers in self.heads.items() for answer in answers]
        return {head: [every.index((head, answer)) for answer in QUESTIONS[head]] for head in self.heads}


class Folder:
    """A model in a folder. Safe to share between threads; SettingsError where a file is missing, damaged or strange."""

    def __init__(self, folder: Path, *, threads: int = 0) -> None:
        """`threads`: texts that are read side by side; 0 for as many as there are processor cores to use."""
        self.heads = _heads(folder)
        self._encoder = Encoder(_content(folder / "tokenizer.json"), self.heads.tokens, folder)
        weights = {path.name for path in folder.glob("model.onnx*")}  # a large model keeps its numbers in a second file
        files = sorted({"heads.json", "model.onnx", "tokenizer.json", *weights, *self.heads.sha256})
        digests = {name: hashlib.sha256(_content(folder / name)).hexdigest() for name in files}
        for name, digest in self.heads.sha256.items():
            if digests[name] != digest:
                raise SettingsError(f"{folder / name} is not the file that heads.json describes: {_mend(folder)}")
        self._digest = hashlib.sha256("".join(digests[name] for name in files).encode()).hexdigest()
        self._columns = self.heads.columns()
        self._session = _session(folder)
        self._inputs = [wanted.name for wanted in self._session.get_inputs()]
        self._try(folder)
        self._threads = threads or _cores()

    @property
    def version(self) -> str:
        """Names the folder's content by its hash."""
        return f"deep-{self._digest[:12]}"

    @property
    def trust(self) -> Mapping[str, float]:
        """As `heads.json` says."""
        return {head: self.heads.trust.get(head, 1.0) for head in self.heads.heads}

    def opinions(self, readings: Sequence[Reading]) -> list[Opinion]:
        """One for each reading, in order; no answers where nothing was said.

        One text at a call: 8-bit models take one scale for all numbers of a call, so a text's answers would depend on
        its company. It is as fast, because nothing is padded; cores are kept busy by several calls at a time.
        """
        with ThreadPoolExecutor(self._threads) as side_by_side:
            return list(side_by_side.map(self._opinion, readings))

    def _try(self, folder: Path) -> None:
        """Ask once for the shortest text and once for the longest, with the tokenizer's last token: faults come now."""
        path = folder / "model.onnx"
        if unknown := set(self._inputs) - {"input_ids", "attention_mask", "token_type_ids"}:
            raise SettingsError(f"{path} asks for {', '.join(sorted(unknown))}, which is not given: {_mend(folder)}")
        for count in (1, self.heads.tokens):
            try:
                logits = self._logits([self._encoder.last] * count)
            except Exception as error:  # the runtime's errors share no class
                what = f"{path} cannot read {count} tokens made by tokenizer.json ({type(error).__name__})"
                raise SettingsError(f"{what}: {_mend(folder)}") from error
            if logits.shape not in {(self.heads.width,), (count, self.heads.width)}:
                what = f"{path} gives numbers of shape {logits.shape} for a text of {count} tokens"
                raise SettingsError(f"{what}; heads.json names {self.heads.width} answers: {_mend(folder)}")

    def _logits(self, ids: Sequence[int]) -> Floats:
        """Shape (answers), or (tokens, answers) where the model tells them token by token."""
        row = np.array([ids], dtype=np.int64)
        given = {"input_ids": row, "attention_mask": np.ones_like(row), "token_type_ids": np.zeros_like(row)}
        logits: Floats = self._session.run(None, {name: given[name] for name in self._inputs})[0][0]
        return logits.astype(np.float32, copy=False)

    def _opinion(self, reading: Reading) -> Opinion:
        encoded = self._encoder.encode(reading, stars=self.heads.stars, emoji=self.heads.emoji)
        starred = self.heads.stars and reading.stars is not None
        if not encoded.ids or not (encoded.spans or starred):
            return Opinion({})
        logits = self._logits(encoded.ids)
        if not np.isfinite(logits).all():  # numbers of 16 bits overflow
            return Opinion({}, encoded.spans)
        chances, shares = {}, {}
        by_token = logits.ndim == _BY_TOKEN
        total = logits.mean(axis=0) if by_token else logits
        words = np.zeros((len(encoded.spans), self.heads.width), dtype=np.float32)
        if by_token:
            inside = encoded.words >= 0
            np.add.at(words, encoded.words[inside], logits[inside] / np.float32(len(logits)))
        for head, columns in self._columns.items():
            temperature = np.float32(self.heads.temperature.get(head, 1.0))
            bias = self.heads.bias.get(head, {})
            leaning = np.array([bias.get(answer, 0.0) for answer in QUESTIONS[head]], dtype=np.float32)
            told = total[columns] / temperature + leaning
            raised = np.exp(told - told.max())
            chances[head] = (raised / raised.sum()).tolist()
            if by_token:
                shares[head] = words[:, columns] / temperature
        return Opinion(chances, encoded.spans, shares)


@dataclass(frozen=True, slots=True)
class Encoded:
    """A text as numbers: for each token its id and the word it belongs to, -1 for none; and the words' spans."""

    ids: list[int]
    words: NDArray[np.int64]
    spans: list[tuple[int, int]]


class Encoder:
    """Words to tokens, each token knowing its word. Any text at all has tokens, be it none."""

    def __init__(self, content: bytes, longest: int, folder: Path) -> None:
        """`content` of a tokenizer.json in `folder`; at most `longest` tokens of a text."""
        try:
            self._tokenizer = Tokenizer.from_buffer(content)
        except Exception as error:  # the library raises plain exceptions
            raise SettingsError(f"{folder / 'tokenizer.json'} cannot be read: {_mend(folder)}") from error
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._tokenizer.encode_special_tokens = True  # who writes "[SEP]" says a word, and ends nothing
        self._longest = longest
        self.last = max(self._tokenizer.get_vocab().values(), default=0)

    def encode(self, reading: Reading, *, stars: bool, emoji: bool = False) -> Encoded:
        """The tokens of the first `READ` characters; of a long text those of its beginning and of its end."""
        said = list(_WORD.finditer(reading.words, 0, READ))
        before: list[str] = []
        if stars and reading.stars is not None:
            before = [f"{reading.rating:g}/{reading.rating_max:g}", "stars."]
        line = before + ["link" if _LINK.match(word.group()) else word.group() for word in said]
        if emoji:
            line = [word if word.isascii() else described(word) for word in line]
        # Half a character of UTF-16, which the tokenizer cannot take, becomes a question mark: places stay the same.
        encoding = self._tokenizer.encode(" ".join(line).encode("utf-8", "replace").decode("utf-8"))
        ids, places = encoding.ids, np.array(encoding.offsets, dtype=np.int64).reshape(-1, 2)
        ends = np.cumsum([len(word) + 1 for word in line])
        words = np.searchsorted(ends, places[:, 1] - 1, side="right") - len(before)
        words[(places[:, 0] == places[:, 1]) | (words < 0)] = -1
        if len(ids) > self._longest:
            tail = self._longest // _TAIL
            kept = [*range(self._longest - tail), *range(len(ids) - tail, len(ids))]
            ids, words = [ids[at] for at in kept], words[kept]
        return Encoded(ids, words, [word.span() for word in said])


@cache
def named(told: str | None = None, threads: int = 0) -> Second:
    """The classifier that settings name: none the small one that ships, a folder, or "package.module:Class".

    SettingsError says what is wrong with it. Made once and kept.
    """
    if told is None or not is_class(told):
        return Folder(Path(told or SMALL), threads=threads)
    module, _, name = told.partition(":")
    try:
        made: Second = getattr(import_module(module), name)()
    except SettingsError as error:
        raise SettingsError(f"[judgement] classifier {told}: {error}") from error
    except ModuleNotFoundError as error:
        mend = "install it beside Earful, or put its folder on PYTHONPATH"
        raise SettingsError(f"[judgement] classifier {told}: there is no module {error.name}: {mend}") from error
    except Exception as error:  # whatever a stranger's code raises
        raise SettingsError(f"[judgement] classifier {told}: {type(error).__name__}: {error}") from error
    return Checked(told, made)


def is_class(told: str) -> bool:
    """Whether settings name a Python class, "package.module:Class"; anything else is a folder."""
    return _CLASS.fullmatch(told) is not None


def _mend(folder: Path) -> str:
    if folder in {SMALL, LARGE}:
        return "install Earful again"
    return "make the folder that [judgement] classifier names anew: see docs/classifiers.md"


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        what = "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read ({type(error).__name__})"
        raise SettingsError(f"{path} {what}: {_mend(path.parent)}") from error


def _heads(folder: Path) -> Heads:
    content = _content(folder / "heads.json")
    try:
        return Heads.model_validate_json(content)
    except ValidationError as error:
        fault = error.errors()[0]
        said = ": ".join([*map(str, fault["loc"]), fault["msg"].removeprefix("Value error, ")])
        raise SettingsError(f"{folder / 'heads.json'}: {said}: {_mend(folder)}") from error


def _session(folder: Path) -> onnxruntime.InferenceSession:
    """The model, one processor core a call: who waits for work must not spin while another process has some."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what it would say on the terminal is told by our error
    try:
        return onnxruntime.InferenceSession(str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime's errors share no class
        raise SettingsError(f"{folder / 'model.onnx'} cannot be read as ONNX: {_mend(folder)}") from error


def _cores() -> int:
    """Processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
