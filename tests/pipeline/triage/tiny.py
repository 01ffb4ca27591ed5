"""A model of a handful of words in a folder, in 8 bits like the one that ships: what each word says is told here."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from pipeline.triage.model import QUESTIONS

WORDS = (
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "parcel",
    "broken",
    "love",
    "late",
    "link",
    "1",
    "5",
    "/",
    "stars",
)
SAYS: Mapping[str, Mapping[tuple[str, str], float]] = {
    "broken": {("lane", "service"): 9, ("complaint", "yes"): 9, ("sentiment", "negative"): 6, ("grave", "injury"): 30},
    "late": {("lane", "service"): 5, ("complaint", "yes"): 4, ("sentiment", "negative"): 3},
    "love": {("lane", "experience"): 8, ("complaint", "no"): 7, ("sentiment", "positive"): 20},
    "1": {("sentiment", "negative"): 8},
    "[UNK]": {("lane", "noise"): 1},
}
THREE = ("lane", "complaint", "sentiment")


def answers(heads: Sequence[str] = THREE) -> dict[str, list[str]]:
    """Those heads with their answers in our order."""
    return {head: [str(answer) for answer in QUESTIONS[head]] for head in heads}


def tokenizer() -> Tokenizer:
    """Whole words, between [CLS] and [SEP]."""
    made = Tokenizer(models.WordLevel({word: at for at, word in enumerate(WORDS)}, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $0 [SEP]", special_tokens=[("[CLS]", WORDS.index("[CLS]")), ("[SEP]", WORDS.index("[SEP]"))]
    )
    return made


def network(heads: Mapping[str, Sequence[str]], *, by_token: bool, longest: int = 10_000) -> onnx.ModelProto:
    """Looks each token up, rounds to 8 bits by one scale for all it was given, and tells the logits."""
    every = [(head, answer) for head, told in heads.items() for answer in told]
    table = np.zeros((len(WORDS), len(every)), dtype=np.float32)
    for word, says in SAYS.items():
        for which, much in says.items():
            if which in every:
                table[WORDS.index(word), every.index(which)] = much
    weights: dict[str, NDArray[Any]] = {
        "table": table,
        "places": np.zeros((longest, len(every)), dtype=np.float32),
        "same": np.eye(len(every), dtype=np.int8),
    }
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["looked"]),
        helper.make_node("CumSum", ["attention_mask", "axis"], ["counted"]),
        helper.make_node("Gather", ["places", "counted"], ["placed"]),  # a text may be too long, as for any transformer
        helper.make_node("Add", ["looked", "placed"], ["told"]),
        helper.make_node("DynamicQuantizeLinear", ["told"], ["small", "scale", "zero"]),
        helper.make_node("MatMulInteger", ["small", "same", "zero"], ["summed"]),
        helper.make_node("Cast", ["summed"], ["plain"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["plain", "scale"], ["each"]),
        helper.make_node("Identity", ["each"], ["logits"])
        if by_token
        else helper.make_node("ReduceMean", ["each"], ["logits"], axes=[1], keepdims=0),
    ]
    axes = ["texts", "tokens"]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, TensorProto.INT64, axes) for name in ("input_ids", "attention_mask")],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in weights.items()]
        + [numpy_helper.from_array(np.array(1), "axis")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def folder(
    path: Path,
    heads: Mapping[str, Sequence[str]] | None = None,
    *,
    by_token: bool = True,
    longest: int = 10_000,
    **told: object,
) -> Path:
    """The three files; `told` stands in heads.json beside the heads."""
    heads = heads or answers()
    path.mkdir(parents=True, exist_ok=True)
    onnx.save(network(heads, by_token=by_token, longest=longest), path / "model.onnx")
    tokenizer().save(str(path / "tokenizer.json"))
    (path / "heads.json").write_text(json.dumps({"heads": heads, **told}), encoding="utf-8")
    return path
