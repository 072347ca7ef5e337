"""XLNet."""

from typing import Any

import torch
from torch import Tensor

from tfx_testing.cases import ArchitectureCase, Inputs, Variant
from tfx_testing.parity.case import BATCH, LENGTH, Case, encoder_inputs
from tfx_testing.vocabularies import pieces

TINY: dict[str, Any] = {
    "vocab_size": 53,
    "d_model": 24,
    "n_layer": 3,
    "n_head": 4,
    "d_inner": 40,
    "dropout": 0.0,
    "summary_last_dropout": 0.0,
    "start_n_top": 2,
    "end_n_top": 3,
    "mem_len": None,
}
MEMORY, TARGETS = 5, 4
ON_LAST_STATES = ("backbone", "causal-lm")
ON_SUMMARY = ("sequence-classification", "multiple-choice")


def inputs(case: Case, generator: torch.Generator) -> Inputs:
    """The usual ones; for the beam head also what it alone takes."""
    made = encoder_inputs(case, generator)
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


def with_memory(case: Case, generator: torch.Generator) -> Inputs:
    """After a memory of five tokens."""
    made: Any = inputs(case, generator)
    width, layers = case.config["d_model"], case.config["n_layer"]
    rows = len(made["input_ids"].flatten(0, -2))
    made["mems"] = [torch.randn(MEMORY, rows, width, generator=generator) for _ in range(layers)]
    remembered: Inputs = made
    return remembered


def two_streams(case: Case, generator: torch.Generator) -> Inputs:
    """After a memory, in a random order, with four places to predict."""
    made = with_memory(case, generator)
    order = torch.rand(BATCH, LENGTH, generator=generator)
    made["perm_mask"] = (order[:, :, None] <= order[:, None, :]).float()
    made["target_mapping"] = torch.zeros(BATCH, TARGETS, LENGTH)
    for row in range(BATCH):
        places = torch.randperm(LENGTH, generator=generator)[:TARGETS]
        made["target_mapping"][row, torch.arange(TARGETS), places] = 1.0
    if "labels" in made:
        made["labels"] = made["labels"][:, :TARGETS].contiguous()
    return made


def even(case: Case, generator: torch.Generator) -> Inputs:
    """Two texts, of which the second is read backwards."""
    return {name: value[:2] for name, value in inputs(case, generator).items()}


def padded(made: Inputs) -> Inputs:
    """On the left, as the tokenizer pads; after a memory on the right, since the reference counts padding between them.

    It would also remember padding as if it was text, so here nothing is remembered.
    """
    shape = made["input_ids"].shape
    result: Any = dict(made)
    lengths = torch.tensor((LENGTH, 5, 8))[: shape[0]]
    for row, real in enumerate(lengths.tolist()):
        begin = 0 if "mems" in made else LENGTH - real
        for name, value in made.items():
            if isinstance(value, Tensor) and value.shape == shape:
                filled = torch.full_like(value[row], 1 if name == "p_mask" else 0)
                filled[..., begin : begin + real] = value[row, ..., :real]
                result[name] = torch.cat((result[name][:row], filled[None], value[row + 1 :]))
    if "cls_index" in made:
        result["cls_index"] = lengths - 1 if "mems" in made else torch.full_like(lengths, LENGTH - 1)
    given: Inputs = {**result, "use_mems": False}
    return given


def summarise_real_tokens(model: Any, name: str = "sequence_summary") -> None:
    """The reference's summaries count padding as text, and some the choices as tokens."""
    if not hasattr(model, name):
        return
    masks: list[Tensor] = []

    def remember_mask(module: Any, args: Any, given: dict[str, Any]) -> None:
        masks[:] = [given["attention_mask"].flatten(0, -2).float()]

    def summarise(states: Tensor, index: Tensor | None = None) -> Tensor:
        real = masks[0]
        first, last = real * (real.cumsum(1) == 1), real * (real.flip(1).cumsum(1).flip(1) == 1)
        weights = {"mean": real, "first": first, "last": last, "cls_index": last}[summary.summary_type]
        state = (states.flatten(0, -3) * weights[..., None]).sum(1) / weights.sum(1, keepdim=True)
        result: Tensor = summary.activation(summary.summary(state))
        return result.unflatten(0, states.shape[:-2])

    summary = getattr(model, name)
    summary.forward = summarise
    model.register_forward_pre_hook(remember_mask, with_kwargs=True)


class OutOfPlace(Tensor):
    """A tensor to which ``+=`` adds what is larger than itself."""

    def __iadd__(self, other: Tensor) -> Tensor:  # type: ignore[override, misc]
        return self + other


def add_masks(model: Any) -> None:
    """The reference adds the masks of a batch in place to the causal one, which has no batch, and fails."""
    create = model.base_model.create_mask
    model.base_model.create_mask = lambda *lengths: create(*lengths).as_subclass(OutOfPlace)


def variant(name: str, heads: tuple[str, ...] | None = ON_LAST_STATES, **changes: Any) -> Variant:
    """A variant of the tiny config."""
    own = {key: changes.pop(key) for key in ("inputs", "patch") if key in changes}
    return Variant(name, changes, heads, padded=padded, **own)


def segments_and_targets(head: str, ids: Tensor) -> Inputs:
    """Segments, and every place as one to predict, which the query stream is for."""
    length = ids.shape[-1]
    everywhere = torch.eye(length).expand(ids.numel() // length, length, length)
    return {"token_type_ids": ids % 2, "target_mapping": everywhere}


CASE = ArchitectureCase(
    "xlnet",
    TINY,
    (
        variant("standard", None),
        variant("two streams", inputs=two_streams),
        variant("memory", None, inputs=with_memory, patch=summarise_real_tokens),
        variant("short memory", inputs=with_memory, mem_len=3),
        variant("memory of a text's begin", inputs=with_memory, mem_len=9, reuse_len=6),
        variant("no memory", mem_len=0, use_mems_eval=False),
        variant("clamped", inputs=two_streams, clamp_len=4),
        variant("causal", inputs=two_streams, attn_type="uni", patch=add_masks),
        variant("causal text", attn_type="uni", clamp_len=3, patch=add_masks),
        variant("same length", inputs=with_memory, attn_type="uni", same_length=True, patch=add_masks),
        variant("both directions", inputs=even, bi_data=True, clamp_len=6),
        variant("tied biases", untie_r=False, ff_activation="relu", d_head=6, layer_norm_eps=1e-5),
        variant("first", ON_SUMMARY, summary_type="first", summary_activation="gelu", patch=summarise_real_tokens),
        variant("mean", ON_SUMMARY, summary_type="mean", summary_activation=None, patch=summarise_real_tokens),
        variant("cls index", ON_SUMMARY, summary_type="cls_index"),
        variant("unprojected", ON_SUMMARY, summary_use_proj=False),
        variant("regression", ("sequence-classification",), num_labels=1),
        variant("several labels", ("sequence-classification",), problem_type="multi_label_classification"),
        variant("untied", ("causal-lm",), tie_word_embeddings=False),
    ),
    inputs=inputs,
    optional_inputs=segments_and_targets,
    compared_inputs=("token_type_ids",),
    stepwise=lambda config: config.attn_type == "uni",
    holds_pairs=True,
    released=lambda: pieces(("<unk>", "<s>", "</s>", "<cls>", "<sep>", "<pad>", "<mask>", "<eod>", "<eop>")),
    packs=False,
    unread={"untie_r": "files hold the biases of every layer, also where it is false"},
)
