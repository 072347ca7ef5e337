"""MMBT."""

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tfx_testing.cases import ArchitectureCase, Inputs, Variant
from tfx_testing.parity.case import BATCH, Case, encoder_inputs

MODAL_WIDTH, POSITIONS = 20, 3
TINY: dict[str, Any] = {
    "vocab_size": 53,
    "hidden_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 40,
    "max_position_embeddings": 40,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
    "modal_hidden_size": MODAL_WIDTH,
}


def features(case: Case, generator: torch.Generator) -> Inputs:
    """A text, features of an image and the tokens around these, and the labels of both together."""
    made = encoder_inputs(case, generator)
    del made["token_type_ids"]  # the text is segment 1, the image 0
    made["input_modal"] = torch.randn(BATCH, POSITIONS, MODAL_WIDTH, generator=generator)
    made["modal_start_tokens"], made["modal_end_tokens"] = torch.tensor([[2] * BATCH, [3] * BATCH])
    if case.head == "multimodal-classification":
        labels = case.config["num_labels"]
        regression = torch.randn(BATCH, generator=generator)
        made["labels"] = regression if labels == 1 else torch.randint(0, labels, (BATCH,), generator=generator)
    return made


def numbered(case: Case, generator: torch.Generator) -> Inputs:
    """The same without tokens around the image, with segments and positions of both sides, and states of heads."""
    made = features(case, generator)
    del made["modal_start_tokens"], made["modal_end_tokens"]

    def each(length: int, most: int) -> Tensor:
        return torch.randint(0, most, (BATCH, length), generator=generator)

    length = made["input_ids"].shape[1]
    made |= {"token_type_ids": each(length, 2), "position_ids": each(length, 40)}
    made |= {"modal_token_type_ids": each(POSITIONS, 2), "modal_position_ids": each(POSITIONS, 40)}
    made["head_mask"] = torch.rand(3, 4, generator=generator)
    return made


def reference(case: Case) -> Any:
    """The reference's model of features, with what its class lacks: switches of a call, a way to be saved."""
    from transformers import BertConfig, BertModel
    from transformers.models.deprecated.mmbt import configuration_mmbt, modeling_mmbt

    cls: Any = getattr(modeling_mmbt, case.reference_class)

    class Reference(cls):  # type: ignore[misc]
        def __init__(self, config: Any, text: Any, encoder: nn.Module) -> None:
            super().__init__(config, text, encoder)
            self.config = config

        def forward(self, *, output_hidden_states: bool = False, output_attentions: bool = False, **inputs: Any) -> Any:
            self.config.output_hidden_states, self.config.output_attentions = output_hidden_states, output_attentions
            return super().forward(return_dict=True, **inputs)

        def save_pretrained(self, folder: Path) -> None:
            config = {**case.config, "model_type": case.model_type, "architectures": [case.reference_class]}
            (folder / "config.json").write_text(json.dumps(config))
            torch.save(self.state_dict(), folder / "pytorch_model.bin")

    keys = case.config
    width, labels = keys.pop("modal_hidden_size"), keys.pop("num_labels")
    text = BertConfig(**keys, attn_implementation=case.variant.kernel)
    config = configuration_mmbt.MMBTConfig(text, num_labels=labels, modal_hidden_size=width)
    return Reference(config, BertModel(text), nn.Identity())


def with_an_image(head: str, ids: Tensor) -> Inputs:
    """Features of an image, without which nothing projects them."""
    return {"input_modal": torch.ones(len(ids), POSITIONS, MODAL_WIDTH)}


CASE = ArchitectureCase(
    "mmbt",
    TINY,
    (
        Variant("features"),
        Variant("numbered", inputs=numbered),
        Variant("regression", {"num_labels": 1}, heads=("multimodal-classification",)),
    ),
    inputs=features,
    reference=reference,
    optional_inputs=with_an_image,
    refused=(({"is_decoder": True}, "is_decoder=True: must be false"),),
)
