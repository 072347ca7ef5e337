"""Names of an MMBT's tensors in a checkpoint."""

from collections.abc import Iterable, Iterator, Sequence

from tfx_core.checkpoint import BackboneRules, Rename, Rule, Same
from tfx_core.model import part_rules
from tfx_multimodal.mmbt.config import MMBTConfig
from tfx_multimodal.resnet import ResNetConfig
from tfx_multimodal.resnet.weights import sequence_rules

_PREFIX = "mmbt."
_TEXT, _MODAL = _PREFIX + "transformer.", _PREFIX + "modal_encoder."
_SHARED = ("word_embeddings.weight", "position_embeddings.weight", "token_type_embeddings.weight", "LayerNorm.{p}")


def backbone_rules(config: MMBTConfig, parts: frozenset[str]) -> BackboneRules:
    """The text encoder's own names after a prefix, what the image's embeddings share with it, and the image's."""
    table = config.text_architecture.weight_table(config, "backbone")
    text = table.moved("backbone", theirs=_TEXT, ours="backbone.text.")
    project = Rename(_MODAL + "proj_embeddings.{p}", "backbone.project.{p}")
    return BackboneRules((*text, *_second_names(text), project, *_image_rules(config)), prefix=_PREFIX)


def _second_names(text: Sequence[Rule]) -> Iterator[Same]:
    """The tables and the norm, which the reference's image embeddings hold once more."""
    names = {rule.theirs for rule in text if isinstance(rule, Rename)}
    for name in _SHARED:
        if f"{_TEXT}embeddings.{name}" in names:
            yield Same(_MODAL + name, f"{_TEXT}embeddings.{name}", written=True)


def _image_rules(config: MMBTConfig) -> Iterable[Rule]:
    """Of the image encoder, a ResNet's as the released code has it: a sequence of torchvision's modules."""
    image, theirs = config.image_config, _MODAL + "encoder.model."
    if image is None:
        return ()
    if isinstance(image, ResNetConfig):
        return sequence_rules(image, theirs, "backbone.image.backbone.")
    return part_rules(image, name="image", theirs=theirs)
