"""RAG."""

from typing import Any

import torch
from torch import Tensor

from tfx_testing.cases import ArchitectureCase, Inputs, Variant
from tfx_testing.parity.case import Case

QUESTION_ENCODER: dict[str, Any] = {
    "model_type": "bert",
    "vocab_size": 47,
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 40,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}
DPR: dict[str, Any] = {**QUESTION_ENCODER, "model_type": "dpr", "projection_dim": 10}
BART: dict[str, Any] = {
    "model_type": "bart",
    "vocab_size": 53,
    "d_model": 24,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 40,
    "decoder_ffn_dim": 40,
    "max_position_embeddings": 40,
    "dropout": 0.0,
    "decoder_start_token_id": 2,
    "forced_eos_token_id": None,
}
T5: dict[str, Any] = {
    "model_type": "t5",
    "vocab_size": 53,
    "d_model": 24,
    "d_kv": 6,
    "d_ff": 40,
    "num_layers": 2,
    "num_heads": 4,
    "dropout_rate": 0.0,
    "decoder_start_token_id": 0,
}
QUESTIONS, DOCUMENTS, LENGTH = 2, 3, 9
SMOOTHED = {"label_smoothing": 0.1, "exclude_bos_score": True}


def inputs_of(case: Case, generator: torch.Generator) -> Inputs:
    """Documents with scores, and targets that begin with the decoder's and with the text's first token."""
    ids = torch.randint(5, 53, (QUESTIONS * DOCUMENTS, LENGTH), generator=generator)
    targets = torch.randint(5, 53, (QUESTIONS, 6), generator=generator)
    start, first, pad = (2, 0, 1) if case.config["generator"]["model_type"] == "bart" else (0, 7, 0)
    targets[:, 0], targets[:, 1], targets[1, 4:] = start, first, pad
    made: Inputs = {
        "context_input_ids": ids,
        "context_attention_mask": torch.ones_like(ids),
        "doc_scores": torch.randn(QUESTIONS, DOCUMENTS, generator=generator),
        "decoder_input_ids": targets,
    }
    return made if case.head == "backbone" else {**made, "labels": targets}


def padded(inputs: Inputs) -> Inputs:
    """Documents of different lengths; of the question, which nobody reads, the mask that tells real tokens."""
    mask = inputs["context_attention_mask"].clone()
    for row, length in enumerate((9, 4, 6, 9, 2, 7)):
        mask[row, length:] = 0
    ids: Tensor = inputs["context_input_ids"].masked_fill(mask == 0, 1)
    return {**inputs, "context_input_ids": ids, "context_attention_mask": mask, "attention_mask": mask}


def mended(model: Any) -> None:
    """In the reference nobody tells the generator to report states, and of no documents there is a tuple of nothing."""
    rag = getattr(model, "rag", model)
    rag.generator.set_attn_implementation("eager")
    asked: dict[str, Any] = {}

    def note(module: Any, given: Any, named: dict[str, Any]) -> None:
        asked.update(output_hidden_states=named.get("output_hidden_states"))

    def report(module: Any, given: Any, named: dict[str, Any]) -> Any:
        return given, {**named, **asked}

    def without_nothing(module: Any, given: Any, output: Any) -> Any:
        return type(output)(**{name: value for name, value in output.items() if name != "context_input_ids"})

    rag.register_forward_pre_hook(note, with_kwargs=True)
    rag.generator.register_forward_pre_hook(report, with_kwargs=True)
    rag.register_forward_hook(without_nothing)


CASE = ArchitectureCase(
    "rag",
    {"question_encoder": QUESTION_ENCODER, "generator": BART, "n_docs": DOCUMENTS},
    (
        Variant("bart", padded=padded, patch=mended),
        Variant("t5", {"generator": T5}, padded=padded, patch=mended),
        Variant("dpr", {"question_encoder": DPR}, padded=padded, patch=mended),
        Variant("smoothed", SMOOTHED, heads=("rag-sequence", "rag-token"), padded=padded, patch=mended),
        Variant("marginalised", {"do_marginalize": True}, heads=("rag-token",), padded=padded, patch=mended),
    ),
    reads="documents",
    compared={"reduce_loss": True},
    inputs=inputs_of,
)
