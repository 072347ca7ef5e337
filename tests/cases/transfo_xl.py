"""Transformer-XL."""

from typing import Any

import torch
from torch import Tensor

from tfx_testing.cases import ArchitectureCase, Inputs, Variant
from tfx_testing.parity.case import Case, encoder_inputs
from tfx_testing.vocabularies import words

TINY: dict[str, Any] = {
    "vocab_size": 53,
    "cutoffs": [12, 30],
    "d_model": 24,
    "d_embed": 24,
    "n_head": 4,
    "d_head": 5,
    "d_inner": 40,
    "div_val": 2,
    "n_layer": 3,
    "mem_len": 6,
    "clamp_len": 10,
    "dropout": 0.0,
}
LANGUAGE = ("backbone", "causal-lm")


def with_memory(slots: int) -> Any:
    """The usual inputs after a memory of so many slots."""

    def inputs(case: Case, generator: torch.Generator) -> Inputs:
        made: Any = encoder_inputs(case, generator)
        rows, width = len(made["input_ids"]), case.config["d_model"]
        made["mems"] = [torch.randn(slots, rows, width, generator=generator) for _ in range(case.config["n_layer"])]
        remembered: Inputs = made
        return remembered

    return inputs


def with_head_mask(case: Case, generator: torch.Generator) -> Inputs:
    """The usual inputs, heads of each layer weakened."""
    shape = (case.config["n_layer"], case.config["n_head"])
    return {**encoder_inputs(case, generator), "head_mask": torch.rand(shape, generator=generator)}


def with_vectors(case: Case, generator: torch.Generator) -> Inputs:
    """Vectors in the place of ids."""
    made = encoder_inputs(case, generator)
    shape = made.pop("input_ids").shape
    return {**made, "inputs_embeds": torch.randn(*shape, case.config["d_model"], generator=generator)}


def padded_vectors(inputs: Inputs) -> Inputs:
    """The rows cut to different lengths; what padding holds must not matter."""
    mask = torch.tensor([11, 4, 8])[:, None] > torch.arange(inputs["attention_mask"].shape[1])
    return {**inputs, "attention_mask": mask.long()}


def mend(model: Any) -> None:
    """Make the reference run, and answer in the order and by the names that its documentation gives."""
    mend_positions(model)
    if hasattr(model, "crit"):
        model.crit.keep_order = True  # else losses come cluster by cluster, not token by token
    if not model.config.untie_r:
        # it does not know itself that the layers' biases are one, and refuses to save them
        model._tied_weights_keys = [*(model._tied_weights_keys or ()), r"layers\.\d+\.dec_attn\.r_[rw]_bias"]
    padded: list[bool] = []

    def without_mask(module: Any, args: Any, given: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        mask = given.pop("attention_mask", None)
        padded[:] = [mask is not None and not bool(mask.all())]
        labels = given.get("labels")
        if labels is not None:
            given["labels"] = labels.clone()  # it writes into them
        return args, given

    def renamed(module: Any, args: Any, given: dict[str, Any], output: Any) -> dict[str, Any]:
        values = {"logits" if name == "prediction_scores" else name: value for name, value in output.items()}
        if "losses" in values:  # its loss is the last result, and with labels its scores are an empty tuple
            del values["logits"]
            values = {"loss": values.pop("loss"), **values}
        if "mems" in values:  # it remembers padding as if it was text
            values["mems"] = () if padded[0] else tuple(values["mems"])
        return values

    model.register_forward_pre_hook(without_mask, with_kwargs=True)
    model.register_forward_hook(renamed, with_kwargs=True)


class Positions(Tensor):
    """A tensor whose ``type_as`` takes a type, as the reference calls it."""

    def type_as(self, other: Tensor | None = None, dtype: torch.dtype | None = None) -> Tensor:  # type: ignore[override]
        """The numbers as plain ones of this type."""
        plain = self.as_subclass(Tensor)
        return plain.to(dtype) if other is None else plain.type_as(other)


def mend_positions(model: Any) -> None:
    """Let the reference call ``type_as(dtype=…)``, which torch refuses, on the positions that it makes."""
    import transformers.models.deprecated.transfo_xl.modeling_transfo_xl as module

    module.torch = _Torch()


class _Torch:
    """Torch, except that `arange` makes `Positions`."""

    def __getattr__(self, name: str) -> Any:
        return getattr(torch, name)

    @staticmethod
    def arange(*args: Any, **given: Any) -> Tensor:
        return torch.arange(*args, **given).as_subclass(Positions)


def variant(name: str, heads: tuple[str, ...] | None = LANGUAGE, **changes: Any) -> Variant:
    """A variant of the tiny config."""
    own = {key: changes.pop(key) for key in ("inputs", "padded") if key in changes}
    return Variant(name, changes, heads, patch=mend, **own)


CASE = ArchitectureCase(
    "transfo-xl",
    TINY,
    (
        variant("standard", None),
        variant("memory", None, inputs=with_memory(6)),
        variant("short memory", inputs=with_memory(2)),
        variant("longer memory", inputs=with_memory(9)),
        variant("memory longer than the text", mem_len=20, same_length=False),
        variant("same length, all in reach", mem_len=20),
        variant("no memory", mem_len=0, same_length=False),
        variant("growing context", None, same_length=False, inputs=with_memory(4)),
        variant("unclamped", clamp_len=-1),
        variant("clamped", clamp_len=3),
        variant("norms first", None, pre_lnorm=True),
        variant("norms first, memory", pre_lnorm=True, inputs=with_memory(6)),
        variant("shared biases", untie_r=False),
        variant("one width", div_val=1),
        variant("one width, projected", div_val=1, d_embed=16),
        variant("one width, projected, nothing shared", div_val=1, d_embed=16, proj_share_all_but_first=False),
        variant("projected", d_embed=20),
        variant("one cluster", cutoffs=[]),
        variant("one cluster, one width", cutoffs=[], div_val=1),
        variant("four clusters", cutoffs=[7, 19, 40], div_val=2),
        variant("projections not shared", proj_share_all_but_first=False),
        variant("projections shared as listed", tie_projs=[True, False, True]),
        variant("untied", tie_word_embeddings=False),
        variant("untied altogether", tie_word_embeddings=False, proj_share_all_but_first=False),
        variant("uniform", init="uniform", init_range=0.2),
        variant("head mask", inputs=with_head_mask),
        variant("vectors", inputs=with_vectors, padded=padded_vectors),
        variant("other epsilon", layer_norm_epsilon=1e-2),
        variant("regression", ("sequence-classification",), num_labels=1),
        variant("several labels", ("sequence-classification",), problem_type="multi_label_classification"),
    ),
    compared={"pad_token_id": 0},
    one_graph=False,  # words are looked up cluster by cluster, as many as there are in each
    holds_pairs=True,
    released=lambda: words(("<eos>", "<unk>", "<formula>")),
    packs=False,
    unread={
        "adaptive": "files say so, and the softmax is adaptive wherever there are clusters",
        "attn_type": "it has one value",
    },
)
