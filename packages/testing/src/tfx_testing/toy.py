"""A toy encoder with the usual heads, so that heads and tasks can be checked where no family is installed."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from torch import Tensor, nn

import tfx_core
from tfx_core import ArchitectureSpec, hookimpl
from tfx_core.checkpoint import BackboneRules, Rename
from tfx_core.errors import InputError
from tfx_core.model import Architecture, Backbone, HeadPlan, ModelConfig, ModelOutput
from tfx_core.model.heads import (
    MaskedLMHead,
    QuestionAnsweringHead,
    SequenceClassificationHead,
    TokenClassificationHead,
)
from tfx_core.nn import AttentionKernel, can_read, look_up

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = """
    the a of ann bob smith lives in new york paris london who where ? . , - ' cat dog ##s ##ing sing good bad cafe\u0301
"""
VOCABULARY = [*SPECIAL, *WORDS.split()]


@dataclass(kw_only=True)
class ToyConfig(ModelConfig):
    """Keys of its ``config.json``."""

    model_type = "toy"

    vocab_size: int = len(VOCABULARY)
    hidden_size: int = 8
    max_position_embeddings: int | None = 32


class ToyBackbone(Backbone):
    """Each token's state is its own vector, its place and the average of the text."""

    def __init__(self, config: ToyConfig) -> None:
        super().__init__(config.hidden_size, max_positions=config.max_position_embeddings, causal=False)
        self.embedding = nn.Embedding(config.vocab_size, config.hidden_size)

    def embed(self, input_ids: Tensor) -> Tensor:
        """Ids ``(B, S)`` -> vectors ``(B, S, D)``."""
        return look_up(self.embedding, input_ids, "input_ids")

    @property
    def token_tables(self) -> Sequence[tuple[nn.Module, str]]:
        """The one."""
        return [(self, "embedding")]

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        attention: AttentionKernel | None = None,
    ) -> ModelOutput:
        """States ``(B, S, D)``, and the mean of those of real tokens, ``(B, D)``.

        Raises `InputError` for a text that is longer than there are positions.
        """
        if input_ids is not None:
            x = self.embed(input_ids)
        elif inputs_embeds is not None:
            x = inputs_embeds
        else:
            raise InputError("a call needs input_ids or inputs_embeds")
        real = x.new_ones(x.shape[:2]) if attention_mask is None else attention_mask
        limit = self.max_positions
        if limit is not None and can_read(real) and int(real.sum(-1).max()) > limit:
            raise InputError(f"text of {int(real.sum(-1).max())} tokens: this model has positions for {limit}")
        mask = real.unsqueeze(-1).to(x.dtype)  # (B, S, 1)
        x = x + 0.1 * (mask.cumsum(1) - 1)
        if token_type_ids is not None:
            x = x + 0.3 * token_type_ids.unsqueeze(-1).to(x.dtype)
        mean = (x * mask).sum(1) / mask.sum(1)  # (B, D)
        states = x + mean.unsqueeze(1)
        return ModelOutput(
            last_hidden_state=states,
            pooler_output=mean,
            token_mask=None if attention_mask is None else attention_mask.bool(),
        )


def initialise(path: str, module: nn.Module, config: ToyConfig, generator: torch.Generator | None) -> None:
    """Fill one module's own parameters."""
    for parameter in module.parameters(recurse=False):
        nn.init.normal_(parameter, generator=generator)


CLASSIFIER = (Rename("classifier.{p}", "head.classifier.{p}"),)
ARCHITECTURE = Architecture(
    config=ToyConfig,
    backbone=lambda config, parts: ToyBackbone(config),
    heads={
        "masked-lm": HeadPlan(
            lambda config, backbone: MaskedLMHead(nn.Linear(backbone.width, config.vocab_size)),
            rules={"predictions": (Rename("predictions.{p}", "head.predictions.{p}"),)},
        ),
        "sequence-classification": HeadPlan(
            lambda config, backbone: SequenceClassificationHead(nn.Linear(backbone.width, config.num_labels), config),
            rules={"sequence-classifier": CLASSIFIER},
        ),
        "token-classification": HeadPlan(
            lambda config, backbone: TokenClassificationHead(nn.Linear(backbone.width, config.num_labels)),
            rules={"token-classifier": CLASSIFIER},
        ),
        "question-answering": HeadPlan(
            lambda config, backbone: QuestionAnsweringHead(nn.Linear(backbone.width, 2)),
            rules={"spans": (Rename("classifier.{p}", "head.qa_outputs.{p}"),)},
        ),
    },
    weights=lambda config, parts: BackboneRules(
        (Rename("toy.embedding.weight", "backbone.embedding.weight"),), prefix="toy."
    ),
    initialise=initialise,
    capabilities={"token-states": (), "pooled-state": ()},
)


class Plugin:
    """Provides the toy architecture."""

    @hookimpl
    def tfx_architectures(self) -> list[ArchitectureSpec]:
        """The one."""
        classes = {
            "ToyModel": "backbone",
            "ToyForMaskedLM": "masked-lm",
            "ToyForSequenceClassification": "sequence-classification",
            "ToyForTokenClassification": "token-classification",
            "ToyForQuestionAnswering": "question-answering",
        }
        return [
            ArchitectureSpec(
                "toy",
                target=f"{__name__}:ARCHITECTURE",
                hf_classes=classes,
                capabilities=("token-states", "pooled-state"),
                summary="for tests",
            )
        ]


def save(folder: Path, head: str, *, special: bool = True, padding_side: str = "right", **config: Any) -> str:
    """Save a random model and its tokenizer; ``special`` is whether texts get [CLS] and [SEP]."""
    tfx_core.new_model("toy", head=head, seed=0, **config).save_pretrained(folder)
    return save_tokenizer(folder, special=special, padding_side=padding_side)


def save_tokenizer(folder: Path, *, special: bool = True, padding_side: str = "right") -> str:
    """Save a tokenizer of the `VOCABULARY`."""
    vocabulary = {token: number for number, token in enumerate(VOCABULARY)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.add_special_tokens(SPECIAL)
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True, strip_accents=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    if special:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
        )
    tokenizer.save(str(folder / "tokenizer.json"))
    roles = ", ".join(f'"{name.strip("[]").lower()}_token": "{name}"' for name in SPECIAL)
    names = '"model_input_names": ["input_ids", "token_type_ids", "attention_mask"]'
    (folder / "tokenizer_config.json").write_text(
        f'{{"tokenizer_class": "PreTrainedTokenizerFast", "padding_side": "{padding_side}", {roles}, {names}}}'
    )
    return str(folder)


def files() -> Mapping[str, object]:
    """The files of such a tokenizer, as those of an `tfx_testing.ArchitectureCase`."""
    with TemporaryDirectory() as folder:
        save_tokenizer(Path(folder))
        return {file.name: json.loads(file.read_text(encoding="utf-8")) for file in Path(folder).iterdir()}
