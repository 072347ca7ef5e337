"""Names of a ResNet's tensors: in folders of transformers, in torchvision's files, and as a sequence of modules."""

from collections.abc import Iterator
from dataclasses import dataclass

from tfx_core.checkpoint import BackboneRules, Computed, Legacy, Rename, Rule
from tfx_multimodal.resnet.config import ResNetConfig

_PREFIX = "resnet."


@dataclass(frozen=True)
class Place:
    """One convolution with its batch norm, or the same one of all blocks of a stage, by its names."""

    ours: str
    theirs: str
    """What both are called in the reference, before ``convolution`` and ``normalization``."""
    stage: int
    """0 for the stem."""
    convolution: str
    """What torchvision calls it in its stage."""
    norm: str


def places(config: ResNetConfig) -> Iterator[Place]:
    """All of a network."""
    yield Place("stem.", "embedder.embedder.", 0, "conv1", "bn1")
    for stage in range(len(config.depths)):
        theirs, ours = f"encoder.stages.{stage}.layers.{{j}}.", f"stages.{stage}.{{j}}."
        yield Place(ours + "shortcut.", theirs + "shortcut.", stage + 1, "{j}.downsample.0", "{j}.downsample.1")
        for number in range(2 if config.layer_type == "basic" else 3):
            own = f"convolutions.{number}.", f"layer.{number}."
            yield Place(ours + own[0], theirs + own[1], stage + 1, f"{{j}}.conv{number + 1}", f"{{j}}.bn{number + 1}")


def backbone_rules(config: ResNetConfig, parts: frozenset[str]) -> BackboneRules:
    """The names in a folder of transformers, and as old spellings those of torchvision."""
    rules: list[Rule] = [Legacy("fc.{p}", "classifier.1.{p}")]
    for place in places(config):
        convolution, norm = _PREFIX + place.theirs + "convolution", _PREFIX + place.theirs + "normalization"
        layer = f"layer{place.stage}." if place.stage else ""
        rules += [Legacy(f"{layer}{place.convolution}.{{p}}", convolution + ".{p}")]
        rules += [Legacy(f"{layer}{place.norm}.{{p}}", norm + ".{p}")]
        rules += _rules(convolution, norm, "backbone." + place.ours)
    return BackboneRules(tuple(rules), prefix=_PREFIX)


def sequence_rules(config: ResNetConfig, theirs: str, ours: str) -> Iterator[Rule]:
    """The names where torchvision's modules are one sequence: 0 and 1 the stem, 4 to 7 the stages."""
    for place in places(config):
        if place.stage:
            convolution, norm = (f"{place.stage + 3}.{name}" for name in (place.convolution, place.norm))
        else:
            convolution, norm = "0", "1"
        yield from _rules(theirs + convolution, theirs + norm, ours + place.ours)


def _rules(convolution: str, norm: str, ours: str) -> tuple[Rule, ...]:
    """Of a convolution and its batch norm, whose number of batches older files lack."""
    return (
        Rename(convolution + ".weight", ours + "convolution.weight"),
        Rename(norm + ".{p:weight|bias|running_mean|running_var}", ours + "norm.{p}"),
        Computed(norm + ".num_batches_tracked", ours + "norm.num_batches_tracked"),
    )
