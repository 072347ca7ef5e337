"""The multimodal bitransformer: an image becomes a few vectors that a text encoder reads before the text's."""

from collections.abc import Mapping, Sequence
from math import isqrt
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tfx_core.errors import ConfigError, InputError
from tfx_core.model import Backbone, Inputs, Model, ModelOutput, Part, build_part, one_of
from tfx_core.nn import AttentionKernel, RealTokens, check_ids, initialise_normal, sdpa
from tfx_multimodal.mmbt.config import MMBTConfig

_SAID_OF_EACH = ("token_type_ids", "position_ids", "head_mask")


class ImagePool(nn.Module):
    """The means of as many parts of a map of features as an image has positions."""

    def __init__(self, positions: int) -> None:
        super().__init__()
        columns = next(each for each in range(isqrt(positions), 0, -1) if positions % each == 0)
        self.grid = (positions // columns, columns)  # 1×1, 2×1, 3×1, 2×2, …, 3×3 for up to nine (the released code)

    def forward(self, features: Tensor) -> Tensor:
        """A map ``(B, D, h, w)``, or states ``(B, n, D)`` of patches -> ``(B, N, D)``."""
        if features.dim() == 3:
            rows, columns = self.grid
            return F.adaptive_avg_pool1d(features.transpose(1, 2), rows * columns).transpose(1, 2)
        return F.adaptive_avg_pool2d(features, self.grid).flatten(2).transpose(1, 2)  # (B, D, r, c) -> (B, N, D)


class MMBT(Backbone):
    """A text encoder, the image encoder or none, and a projection of the image's features to its token vectors.

    ``segment`` is the type of the text's tokens, the image's is 0; ``None`` where the text encoder has no types.
    """

    def __init__(
        self, text: Model, image: Model | None, pool: nn.Module, project: nn.Linear, segment: int | None
    ) -> None:
        super().__init__(text.backbone.width, max_positions=text.max_positions, causal=False)
        self.first_position = text.backbone.first_position
        self.text = text
        self.image = image
        self.pool = pool
        self.project = project
        self.segment = segment
        untyped = {"token_type_ids"} if segment is None else set[str]()
        self.unread = {*_SAID_OF_EACH, *untyped} - (text.backbone.input_names - untyped)

    @property
    def table(self) -> nn.Embedding:
        """The text encoder's table of tokens."""
        return cast(nn.Embedding, self.text.get_input_embeddings())

    @property
    def input_names(self) -> frozenset[str]:
        """Names of the inputs that a call takes: those that are said of each token only where the text encoder does."""
        return super().input_names - self.unread - {f"modal_{name}" for name in self.unread}

    def forward(
        self,
        input_ids: Tensor | None = None,
        input_modal: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        head_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        modal_start_tokens: Tensor | None = None,
        modal_end_tokens: Tensor | None = None,
        modal_token_type_ids: Tensor | None = None,
        modal_position_ids: Tensor | None = None,
        output_attentions: bool = False,
        output_hidden_states: bool = False,
        attention: AttentionKernel = sdpa,
    ) -> ModelOutput:
        """Text ``(B, T)`` after an image, pixels ``(B, 3, H, W)`` or features ``(B, N, D')`` -> states ``(B, M+T, D)``.

        ``M`` is ``N`` and one for each of ``modal_start_tokens`` and ``modal_end_tokens`` ``(B,)``. Positions of image
        and text both begin at 0. Without ``input_modal`` the text is read alone. Raises `InputError` for inputs that
        contradict each other, the positions or the widths that there are.
        """
        tokens = one_of(input_ids, inputs_embeds)
        said = {"token_type_ids": token_type_ids, "position_ids": position_ids}
        modal_said = {"modal_token_type_ids": modal_token_type_ids, "modal_position_ids": modal_position_ids}
        around = {"modal_start_tokens": modal_start_tokens, "modal_end_tokens": modal_end_tokens}
        if input_modal is not None:
            read = self.of_both(tokens, attention_mask, said, self.of_image(input_modal, around), modal_said)
        elif beside := [name for name, each in {**around, **modal_said}.items() if each is not None]:
            raise InputError(f"{', '.join(beside)}: there is no input_modal that it could be of")
        else:
            read = self.of_text_alone(tokens, attention_mask, said)
        output: ModelOutput = self.text.backbone(
            **{name: value for name, value in {**read, "head_mask": head_mask}.items() if name not in self.unread},
            output_attentions=output_attentions,
            output_hidden_states=output_hidden_states,
            attention=attention,
        )
        return output

    def of_text_alone(self, tokens: Tensor, mask: Tensor | None, said: Mapping[str, Tensor | None]) -> Inputs:
        """What the text encoder is given of ids ``(B, T)`` or vectors ``(B, T, D)`` without an image."""
        types = said["token_type_ids"]
        if types is None:
            types = torch.full(tokens.shape[:2], self.segment or 0, device=tokens.device)
        name = "inputs_embeds" if tokens.is_floating_point() else "input_ids"
        return {**said, name: tokens, "attention_mask": mask, "token_type_ids": types}

    def of_both(
        self,
        tokens: Tensor,
        mask: Tensor | None,
        said: Mapping[str, Tensor | None],
        image: Tensor,
        modal_said: Mapping[str, Tensor | None],
    ) -> Inputs:
        """The same with the vectors ``(B, M, D)`` of an image before the text: ``(B, M+T, …)`` each."""
        vectors = self.of_text(tokens)
        if len(image) != len(vectors):
            raise InputError(f"input_modal has {len(image)} rows, and the text {len(vectors)}")
        real, modal_real = RealTokens.of(vectors, mask), RealTokens.of(image)
        types = (
            self.types(modal_real, modal_said["modal_token_type_ids"], "modal_token_type_ids", usual=0),
            self.types(real, said["token_type_ids"], "token_type_ids", usual=self.segment or 0),
        )
        positions = (
            self.positions(modal_real, modal_said["modal_position_ids"], "modal_position_ids"),
            self.positions(real, said["position_ids"], "position_ids"),
        )
        return {
            "inputs_embeds": torch.cat((image, vectors), dim=1),
            "attention_mask": torch.cat((modal_real.dense_mask, real.dense_mask), dim=1),
            "token_type_ids": torch.cat(types, dim=1),
            "position_ids": torch.cat(positions, dim=1),
        }

    def types(self, real: RealTokens, given: Tensor | None, name: str, usual: int) -> Tensor:
        """The segment ``(B, S)`` of each token."""
        every = torch.full((1, real.length), usual, device=real.device)
        return real.of_each(every if given is None else given, name)

    def positions(self, real: RealTokens, given: Tensor | None, name: str) -> Tensor:
        """Where each token stands ``(B, S)``, counted from `first_position` in real ones unless a caller says it."""
        if given is None:
            return (real.positions + self.first_position).expand(real.batch, -1)
        return real.of_each(given, name)

    def of_text(self, tokens: Tensor) -> Tensor:
        """Ids ``(B, T)``, or vectors ``(B, T, D)`` in their place -> vectors ``(B, T, D)``."""
        vectors = tokens if tokens.is_floating_point() else self.embed(tokens)
        width = self.project.out_features
        if vectors.shape[-1] != width:
            raise InputError(f"inputs_embeds of shape {tuple(tokens.shape)}: this model reads vectors {width} wide")
        return vectors

    def of_image(self, image: Tensor, around: Mapping[str, Tensor | None]) -> Tensor:
        """Pixels or features -> the vectors ``(B, M, D)`` between those of the tokens around them."""
        vectors = self.project(self.features(image))  # (B, N, D') -> (B, N, D)
        first, last = (self.of_token(name, ids, len(vectors)) for name, ids in around.items())
        return torch.cat([each for each in (first, vectors, last) if each is not None], dim=1)

    def features(self, image: Tensor) -> Tensor:
        """Pixels ``(B, 3, H, W)``, pooled, or features ``(B, N, D')`` as they are."""
        if image.dim() == 4 and self.image is not None:
            image = self.pool(self.image.backbone(pixel_values=image).last_hidden_state)
        width = self.project.in_features
        if image.dim() != 3 or image.shape[-1] != width or not image.is_floating_point():
            pixels = "" if self.image is None else "images (rows, 3, height, width) or "
            raise InputError(
                f"input_modal of shape {tuple(image.shape)} and type {image.dtype}: must be {pixels}features "
                f"(rows, positions, {width}) of floating-point numbers"
            )
        return image

    def of_token(self, name: str, ids: Tensor | None, rows: int) -> Tensor | None:
        """The vectors ``(B, 1, D)`` of a token ``(B,)`` beside each image."""
        if ids is None:
            return None
        if ids.shape != (rows,):
            raise InputError(f"{name} of shape {tuple(ids.shape)}: must be ({rows},), a token for each row")
        check_ids(ids, self.table.num_embeddings, name)
        return self.embed(ids[:, None])

    def embed(self, input_ids: Tensor) -> Tensor:
        """Ids ``(B, T)`` -> the vectors ``(B, T, D)`` of the text encoder."""
        return self.text.backbone.embed(input_ids)

    def prune_heads(self, heads: Mapping[int, Sequence[int]]) -> None:
        """Remove attention heads of the text encoder."""
        self.text.backbone.prune_heads(heads)


def build_backbone(config: MMBTConfig, parts: frozenset[str]) -> MMBT:
    """The backbone of a config; raises `ConfigError` for an image encoder of another width than it says."""
    text = Part(config.text_architecture, config)
    image = None if config.image_config is None else build_part(config.image_config)
    if image is not None and image.backbone.width != config.modal_hidden_size:
        raise ConfigError(
            f"modal_hidden_size={config.modal_hidden_size}: image_config is of an encoder {image.backbone.width} wide"
        )
    width = cast(nn.Embedding, text.get_input_embeddings()).embedding_dim
    project = nn.Linear(config.modal_hidden_size, width)
    types: int | None = getattr(config, "type_vocab_size", None)
    segment = min(1, types - 1) if types else None
    return MMBT(text, image, ImagePool(config.num_image_embeds), project, segment)


def initialise(path: str, module: nn.Module, config: MMBTConfig, generator: torch.Generator | None) -> None:
    """Fill what is neither the text encoder's nor the image encoder's, as BERT's linear layers."""
    initialise_normal(module, config.spread, generator)
