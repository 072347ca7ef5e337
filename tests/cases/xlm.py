"""XLM, and what FlauBERT's case has in common with it."""

from typing import Any

import torch
from torch import Tensor

from tests.cases.xlnet import summarise_real_tokens
from tfx_testing.cases import ArchitectureCase, Inputs, Variant
from tfx_testing.parity.case import BATCH, LENGTH, Case, encoder_inputs
from tfx_testing.vocabularies import word_bpe

TINY: dict[str, Any] = {
    "vocab_size": 53,
    "emb_dim": 24,
    "n_layers": 3,
    "n_heads": 4,
    "n_langs": 3,
    "max_position_embeddings": 40,
    "dropout": 0.0,
    "attention_dropout": 0.0,
    "summary_first_dropout": 0.0,
    "start_n_top": 2,
    "end_n_top": 3,
}
CLASSIFIERS = ("sequence-classification", "multiple-choice")
ENCODING = (
    *("backbone", "masked-lm", "sequence-classification", "token-classification", "question-answering"),
    *("question-answering-beam", "multiple-choice"),
)
"""Heads of a model in which all tokens see each other."""
WRITING = ("backbone", "causal-lm")
"""Heads of a causal one."""


def inputs(case: Case, generator: torch.Generator) -> Inputs:
    """The usual ones, languages where they have vectors, and for the beam head what it alone takes."""
    made = encoder_inputs(case, generator)
    if case.config["n_langs"] > 1 and case.config.get("use_lang_emb", True):
        made["langs"] = torch.randint(0, case.config["n_langs"], made["input_ids"].shape, generator=generator)
    if case.head == "question-answering-beam":
        barred = torch.zeros(BATCH, LENGTH)
        barred[:, 1] = 1
        made.update(
            start_positions=torch.tensor([2, 5, 0]),
            end_positions=torch.tensor([4, 5, 7]),
            is_impossible=torch.tensor([0.0, 1.0, 0.0]),
            cls_index=torch.tensor([10, 9, 3]),
            p_mask=barred,
        )
    return made


def with_head_mask(case: Case, generator: torch.Generator) -> Inputs:
    """Heads of each layer weakened, and positions that are told."""
    shape = (case.config["n_layers"], case.config["n_heads"])
    positions = torch.arange(LENGTH).flip(0).expand(BATCH, -1)
    return {**inputs(case, generator), "head_mask": torch.rand(shape, generator=generator), "position_ids": positions}


def padded(made: Inputs) -> Inputs:
    """On the right; the columns after the text are padding, of which nothing is said."""
    mask = torch.ones_like(made["input_ids"])
    for row, real in enumerate((LENGTH, 4, 8)):
        mask[row, ..., real:] = 0
    result = {**made, "attention_mask": mask, "input_ids": made["input_ids"] * mask}
    if "p_mask" in made:
        result["p_mask"] = made["p_mask"].masked_fill(mask == 0, 1)
        result["cls_index"] = mask.sum(1) - 1
    return result


def mend(model: Any) -> None:
    """Summaries of the reference count padding; its large models report no attentions, its adaptive softmax fails."""
    summarise_real_tokens(model)
    for attention in model.base_model.attentions if getattr(model.config, "pre_norm", False) else ():
        report(attention)
    if model.config.asm and hasattr(model, "pred_layer"):
        by_rows(model.pred_layer)


def report(attention: Any) -> None:
    """With norms before the sublayers, the reference asks for no weights and expects some."""
    forward = attention.forward
    attention.forward = lambda *given, **named: forward(*given, **{**named, "output_attentions": True})


def by_rows(layer: Any) -> None:
    """torch's adaptive softmax reads states ``(N, D)``, and labels that all count."""

    def forward(x: Tensor, y: Tensor | None = None) -> tuple[Tensor, ...]:
        scores = layer.proj.log_prob(x.flatten(0, -2)).view(*x.shape[:-1], -1)
        if y is None:
            return (scores,)
        return layer.proj(x[y != -100], y[y != -100]).loss, scores

    layer.forward = forward


def variant(name: str, heads: tuple[str, ...] = WRITING, **changes: Any) -> Variant:
    """A variant of the tiny config."""
    own = {key: changes.pop(key) for key in ("inputs", "padded") if key in changes}
    return Variant(name, changes, heads, patch=mend, **{"padded": padded, **own})


def with_position_ids(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """With the numbers of the positions, which were once a buffer."""
    prefix = "transformer." if any(name.startswith("transformer.") for name in tensors) else ""
    return {**tensors, f"{prefix}position_ids": torch.arange(40)[None]}


def languages(head: str, ids: Tensor) -> Inputs:
    """Which language each token is of."""
    return {"langs": ids % 3}


def before_a_mask(model: Any, made: Inputs) -> Inputs:
    """The text's inputs with the mask that stands for the next token; types are not read."""
    text = {name: x for name, x in made.items() if name != "token_type_ids"}
    tokens = text["inputs_embeds"] if "inputs_embeds" in text else text["input_ids"]
    mask = torch.full((len(tokens), 1), model.config.mask_token_id)
    if model.config.speaks:
        text.setdefault("langs", torch.full(tokens.shape[:2], model.config.lang_id))
    behind = {
        "input_ids": lambda x: mask,
        "inputs_embeds": lambda x: model.backbone.embed(mask),
        "attention_mask": lambda x: torch.ones_like(mask),
        "langs": lambda x: x[:, -1:],
        "position_ids": lambda x: x[:, -1:] + 1,
    }
    return {name: torch.cat((x, behind[name](x)), dim=1) if name in behind else x for name, x in text.items()}


VARIANTS = (
    variant("standard", ENCODING),
    variant("causal", WRITING, causal=True),
    variant("told positions", ("backbone",), inputs=with_head_mask),
    variant("one language", ("backbone", "masked-lm"), n_langs=1),
    variant("languages without vectors", ("backbone",), use_lang_emb=False),
    variant("sinusoids", ("backbone", "masked-lm"), sinusoidal_embeddings=True, gelu_activation=False),
    variant("pruned", ENCODING, pruned_heads={"0": [1, 2], "2": [0]}),
    variant("adaptive", ("masked-lm",), asm=True, asm_cutoffs=[10, 30], asm_div_value=2.0),
    variant("causal adaptive", ("causal-lm",), causal=True, asm=True, asm_cutoffs=[20], asm_div_value=1.5),
    variant("untied", ("masked-lm",), tie_word_embeddings=False),
    variant("untied causal", ("causal-lm",), tie_word_embeddings=False, causal=True),
    variant("last", CLASSIFIERS, summary_type="last", summary_activation="tanh"),
    variant("mean", CLASSIFIERS, summary_type="mean", summary_activation="gelu"),
    variant("cls index", CLASSIFIERS, summary_type="cls_index"),
    variant("regression", ("sequence-classification",), num_labels=1),
    variant("several labels", ("sequence-classification",), problem_type="multi_label_classification"),
)
REFUSED = (
    ({"n_heads": 5}, "n_heads=5: must be a divisor of emb_dim=24"),
    ({"pad_token_id": 53}, "pad_token_id=53: must be below vocab_size=53"),
    ({"mask_token_id": 60}, "mask_token_id=60: must be below vocab_size=53"),
    ({"lang_id": 3}, "lang_id=3: must be null or one of 0 to 2, for n_langs=3"),
    ({"is_decoder": True}, "is_decoder=True: must be false: causal=true makes it predict what follows"),
    ({"asm": True}, "asm_cutoffs=.*: must be at least one, increasing, and less than vocab_size=53"),
    ({"asm": True, "asm_cutoffs": [9], "asm_div_value": 99.0}, "asm_div_value=99.0: must be so small that 1 clusters"),
)

CASE = ArchitectureCase(
    "xlm",
    TINY,
    VARIANTS,
    inputs=inputs,
    optional_inputs=languages,
    layouts={"position_ids (up to 4.30)": with_position_ids},
    refused=REFUSED,
    asked=before_a_mask,
    released=lambda: word_bpe(("<s>", "</s>", "<pad>", "<unk>", *(f"<special{number}>" for number in range(10)))),
)
