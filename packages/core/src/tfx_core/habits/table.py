"""All rows, by the place where they are typed."""

from collections.abc import Mapping, Sequence

from tfx_core.habits import (
    calling,
    commands,
    configs,
    decoding,
    encoding,
    generating,
    loading,
    models,
    pipelines,
    text,
    training,
)
from tfx_core.habits.habit import Habit

PLACES: Mapping[str, Sequence[Habit]] = {
    "tfx_core": (*loading.NAMES, *generating.NAMES),
    "load_model": loading.LOAD_MODEL,
    "new_model": loading.NEW_MODEL,
    "load_tokenizer": loading.LOAD_TOKENIZER,
    "config": configs.HABITS,
    "model": (*models.HABITS, *calling.MODEL, *decoding.MODEL, *loading.MODEL),
    "save_pretrained": loading.SAVE,
    "model(…)": (*calling.INPUTS, *decoding.INPUTS),
    "output": calling.OUTPUTS,
    "training": training.HABITS,
    "generate": (*generating.HABITS, *decoding.GENERATE),
    "generation_config": generating.CONFIG,
    "tokenizer": text.TOKENIZER,
    "tokenizer(…)": text.CALL,
    "pipeline": pipelines.HABITS,
    "pipeline(…)": pipelines.CALL,
    "encoder": encoding.ENCODER,
    "load_encoder": encoding.LOAD_ENCODER,
    "encode": encoding.ENCODE,
    "tfx-core": commands.HABITS,
}
"""What errors call a place -> the habits there."""


def as_markdown() -> str:
    """The table as the page shows it."""
    return "\n".join(_section(place, habits) for place, habits in PLACES.items())


def _section(place: str, habits: Sequence[Habit]) -> str:
    lines = [f"### `{place}`", "", "| theirs | here | |", "|---|---|---|"]
    lines += [
        f"| `{_cell(each.theirs)}` | {'works' if each.works else 'hint'} | {_cell(each.ours)} |" for each in habits
    ]
    return "\n".join([*lines, ""])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
