"""Pegasus."""

from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from tests.cases import Variant, bart
from tests.models.vocabularies import pieces


def takes_vectors_as_they_are(model: nn.Module) -> None:
    """The reference's model whose decoder scales ids alone, as its encoder does, not vectors in their place."""

    def unscaled(decoder: Any, args: tuple[Any, ...], given: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        vectors = given.get("inputs_embeds")
        return args, {**given, "inputs_embeds": vectors / decoder.embed_scale} if isinstance(vectors, Tensor) else given

    model.get_decoder().register_forward_pre_hook(unscaled, with_kwargs=True)


def its_own(variant: Variant) -> Variant:
    """A variant of BART as one of Pegasus."""
    return replace(variant, patch=takes_vectors_as_they_are) if "vectors" in variant.name else variant


CASE = replace(
    bart.CASE,
    tiny={**bart.TINY, "bos_token_id": None},
    variants=(
        *(its_own(variant) for variant in bart.CASE.variants if variant.heads != ("sequence-classification",)),
        Variant("an odd width", {"d_model": 25, "encoder_attention_heads": 5, "decoder_attention_heads": 1}),
    ),
    end_token=1,
    released=lambda: pieces(("<pad>", "</s>", "<unk>")),
)
