"""What tfx-keyphrases provides: a task, and a command that is more than one text's answer."""

from typing import TYPE_CHECKING

from tfx_core import TaskSpec, hookimpl

if TYPE_CHECKING:
    import click

TFX_API = 1


@hookimpl
def tfx_tasks() -> list[TaskSpec]:
    """``tfx_core.pipeline("keyphrases")`` and ``tfx-core run keyphrases``."""
    return [
        TaskSpec(
            "keyphrases",
            target="tfx_keyphrases.task:Keyphrases",
            heads=("backbone", "encoder-only"),
            aliases=("keyphrase-extraction",),
            summary="the phrases of a text that say best what it is about",
        )
    ]


@hookimpl
def tfx_commands(cli: "click.Group") -> None:
    """``tfx-core glossary``."""
    from tfx_keyphrases.command import glossary

    cli.add_command(glossary)
