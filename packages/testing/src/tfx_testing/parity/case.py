"""A case of parity: one variant of an architecture, one head, inputs with labels, and the reference's class."""

import inspect
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from tfx_core.model import ModelConfig, load_architecture
from tfx_testing.cases import CHOICE_HEADS, ArchitectureCase, Inputs, Variant

BATCH, LENGTH, SOURCE_LENGTH, CHOICES = 3, 11, 7, 2


@dataclass(frozen=True)
class Case:
    """One variant with one head."""

    architecture: ArchitectureCase
    variant: Variant
    head: str

    @property
    def model_type(self) -> str:
        """The architecture's name."""
        return self.architecture.model_type

    def __str__(self) -> str:
        return f"{self.model_type}-{self.variant.name}-{self.head}".replace(" ", "-")

    @property
    def config(self) -> dict[str, Any]:
        """Keys of the config, with the number of classes that the head can have."""
        case = self.architecture
        config = deepcopy({**case.tiny, "num_labels": 3, **case.compared, **self.variant.changes})
        if self.head in ("question-answering", "multiple-choice", "pretraining"):
            config.pop("num_labels", None)
        return config

    def takes(self, name: str) -> bool:
        """Whether the reference's model takes an input of this name."""
        return name in inspect.signature(self.reference_type.forward).parameters

    @property
    def has_reference(self) -> bool:
        """Whether the reference has a class for this head: ConvBERT's discriminator it left behind."""
        return self.head in self.variant.heads_of_reference or self._known_class is not None

    @property
    def _known_class(self) -> str | None:
        return load_architecture(self.model_type).class_of(self.head)

    @property
    def reference_class(self) -> str:
        """The reference's class for this head."""
        if self.head in self.variant.heads_of_reference:
            return self.variant.heads_of_reference[self.head]
        name = self._known_class
        assert name is not None
        return name

    @property
    def reference_type(self) -> Any:
        """That class itself."""
        return getattr(import_module(self.architecture.reference_module), self.reference_class)

    def inputs(self, *, padded: bool = False, labels: bool = True, seed: int = 0) -> Inputs:
        """A batch ``(3, 11)``, padded if asked for."""
        generator = torch.Generator().manual_seed(seed)
        make = self.variant.inputs or self.architecture.inputs or encoder_inputs
        made = make(self, generator)
        if not labels:
            made = {name: x for name, x in made.items() if not is_label(name)}
        if not padded:
            return made
        return padded_right(made, self) if self.variant.padded is None else self.variant.padded(made)


def cases_of(architecture: ArchitectureCase) -> Iterator[Case]:
    """Every variant of an architecture with every head that it is meant for."""
    for variant in architecture.variants:
        for head in variant.heads or ("backbone", *architecture.spec.heads):
            case = Case(architecture, variant, head)
            if case.has_reference:
                yield case


def is_label(name: str) -> bool:
    """Whether an input is what a loss compares with."""
    return "label" in name or name in ("start_positions", "end_positions", "is_impossible")


def encoder_inputs(case: Case, generator: torch.Generator) -> Inputs:
    """Token ids, types and mask, with the labels of the head."""

    def random(high: int, *shape: int) -> Tensor:
        return torch.randint(1, high, shape, generator=generator)

    config = case.config
    vocab, labels = config["vocab_size"], config.get("num_labels", 2)
    shape = (BATCH, CHOICES, LENGTH) if case.head in CHOICE_HEADS else (BATCH, LENGTH)
    ids = random(vocab, *shape)
    inputs: Inputs = {
        "input_ids": ids.masked_fill(ids == padding_id(case), vocab - 1),  # by which some models know padding
        "attention_mask": torch.ones(shape, dtype=torch.long),
    }
    if case.takes("token_type_ids"):
        inputs["token_type_ids"] = random(3, *shape) - 1
    if case.variant.source_width is not None:
        inputs["encoder_hidden_states"] = torch.randn(
            BATCH, SOURCE_LENGTH, case.variant.source_width, generator=generator
        )
        source_mask = torch.ones(BATCH, SOURCE_LENGTH, dtype=torch.long)
        source_mask[1, 4:] = 0
        inputs["encoder_attention_mask"] = source_mask
    inputs.update(head_labels(case, vocab, labels, generator))
    return inputs


def seq2seq_inputs(case: Case, generator: torch.Generator) -> Inputs:
    """A source with an end token, a target of another length where the head learns from one, and labels."""
    config = case.config
    end = config.get("eos_token_id", 2)

    def random(length: int) -> Tensor:
        return torch.randint(5, config["vocab_size"], (BATCH, length), generator=generator)

    source = random(LENGTH)
    source[:, -1] = end
    inputs: Inputs = {"input_ids": source, "attention_mask": torch.ones_like(source)}
    if case.head in ("backbone", "conditional-generation"):
        inputs["decoder_input_ids"] = random(SOURCE_LENGTH)
    if case.head == "conditional-generation":
        labels = random(SOURCE_LENGTH)
        labels[1, 5:] = -100
        inputs["labels"] = labels
    else:
        inputs.update(head_labels(case, config["vocab_size"], config.get("num_labels", 2), generator))
    return inputs


def head_labels(case: Case, vocab: int, labels: int, generator: torch.Generator) -> Inputs:
    """Labels for the standard heads."""

    def random(high: int, *shape: int) -> Tensor:
        return torch.randint(0, high, shape, generator=generator)

    token_labels = random(vocab, BATCH, LENGTH)
    token_labels[:, 2:4] = -100
    own = case.architecture.labels(case.head, token_labels, generator)
    if own is not None:
        return own
    if case.head == "double-heads":
        return {
            "labels": random(vocab, BATCH, CHOICES, LENGTH),
            "mc_labels": random(CHOICES, BATCH),
            "mc_token_ids": random(LENGTH, BATCH, CHOICES),
        }
    if case.head in ("masked-lm", "causal-lm"):
        return {"labels": token_labels}
    if case.head == "token-classification":
        classes = random(labels, BATCH, LENGTH)
        classes[:, 0] = -100
        return {"labels": classes}
    if case.head == "question-answering":
        ends = random(LENGTH, BATCH)
        ends[0] = LENGTH + 5  # beyond the text: does not count
        return {"start_positions": random(LENGTH, BATCH), "end_positions": ends}
    if case.head == "sequence-classification":
        if case.config.get("problem_type") == "multi_label_classification":
            return {"labels": random(2, BATCH, labels).float()}
        return {"labels": torch.randn(BATCH, generator=generator) if labels == 1 else random(labels, BATCH)}
    if case.head == "next-sentence":
        return {"labels": random(2, BATCH)}
    if case.head == "multiple-choice":
        return {"labels": random(CHOICES, BATCH)}
    return {}


def padded_right(inputs: Inputs, case: Case) -> Inputs:
    """The batch with its rows cut to different lengths; labels of padding do not count."""
    mask = inputs["attention_mask"].clone()
    for row, real in enumerate((LENGTH, 4, 8)):
        mask[row, ..., real:] = 0
    made = {**inputs, "attention_mask": mask, "input_ids": inputs["input_ids"].masked_fill(mask == 0, padding_id(case))}
    if case.architecture.end_token is not None:  # a classifier reads it
        made["input_ids"].scatter_(-1, mask.sum(-1, keepdim=True) - 1, inputs["input_ids"][..., -1:])
    if "mc_token_ids" in inputs:
        made["mc_token_ids"] = inputs["mc_token_ids"].minimum(mask.sum(-1) - 1)
    if "labels" in inputs and inputs["labels"].shape == mask.shape:
        made["labels"] = inputs["labels"].masked_fill(mask == 0, -100)
    return made


def padding_id(case: Case) -> int:
    """The token that padding is made of."""
    return int(case.config.get("pad_token_id", 0))


def config_of(case: Case) -> ModelConfig:
    """Our configuration of the case."""
    config: ModelConfig = load_architecture(case.model_type).config.from_dict(case.config)
    return config
