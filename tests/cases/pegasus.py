"""Pegasus."""

from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from tests.cases import bart
from tfx_testing.cases import Variant
from tfx_testing.vocabularies import pieces


def takes_vectors_as_they_are(model: nn.Module) -> None:
    """The reference's model whose decoder scales ids alone, as its encoder does, not vectors in their place."""

    def unscaled(decoder: Any, args: tuple[Any, ...], given: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        vectors = given.get("inputs_embeds")
        return args, {**given, "inputs_embeds": vectors / decoder.embed_scale} if isinstance(vectors, Tensor) else given

    model.get_decoder().register_forward_pre_hook(unscaled, with_kwargs=True)


def its_own(variant: Variant) -> Variant:
    """A variant of BART as one of Pegasus."""
    return replace(variant, patch=takes_vectors_as_they_are) if "vectors" in variant.name else variant


def with_every_table(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """With the token table also under the names of both sides and of the output layer."""
    shared = next((name for name in tensors if name.endswith("shared.weight")), None)
    if shared is None:
        return tensors
    prefix = shared.removesuffix("shared.weight")
    names = [f"{prefix}{side}.embed_tokens.weight" for side in ("encoder", "decoder")]
    names += ["lm_head.weight"] if "final_logits_bias" in tensors else []
    return {**{name: tensors[shared].clone() for name in names}, **tensors}


CASE = replace(
    bart.CASE,
    model_type="pegasus",
    tiny={**bart.TINY, "bos_token_id": None},
    variants=(
        *(its_own(variant) for variant in bart.CASE.variants if variant.heads != ("sequence-classification",)),
        Variant("an odd width", {"d_model": 25, "encoder_attention_heads": 5, "decoder_attention_heads": 1}),
    ),
    layouts={"a table for each of its uses (.bin)": with_every_table},
    refused=(({"decoder_attention_heads": 5}, "decoder_attention_heads=5: must be a divisor of d_model=24"),),
    end_token=1,
    released=lambda: pieces(("<pad>", "</s>", "<unk>")),
)
