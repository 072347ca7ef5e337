"""What tfx-training provides, as light as a plugin must be: neither torch nor accelerate is imported here."""

from typing import TYPE_CHECKING

from tfx_core import ObjectiveSpec, hookimpl

if TYPE_CHECKING:
    import click

TFX_API = 1


@hookimpl
def tfx_objectives() -> list[ObjectiveSpec]:
    """How the models of the families were pretrained."""
    return [
        ObjectiveSpec(
            "causal",
            target="tfx_training.objectives.causal:NextTokens",
            architectures=("openai-gpt", "gpt2", "ctrl", "reformer"),
            summary="each token from those before it, in texts packed one after another",
        ),
    ]


@hookimpl
def tfx_commands(cli: "click.Group") -> None:
    """``tfx-core tokenizer``."""
    from tfx_training.vocabularies.commands import tokenizer

    cli.add_command(tokenizer)
