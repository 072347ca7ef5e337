"""Write a page and a picture for every installed architecture: `python docs/write_architectures.py`."""

import ast
import dataclasses
import io
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from functools import cache
from inspect import getsource, signature
from itertools import pairwise
from pathlib import Path
from textwrap import dedent
from typing import Any, get_args

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS), str(DOCS.parent)]  # for the picture's module, and for the tests' tiny configs

from model_picture import box_of, picture  # noqa: E402

from tests.cases import OURS, case_of  # noqa: E402
from tfx_core.checkpoint import unfilled_modules  # noqa: E402
from tfx_core.errors import ConfigError  # noqa: E402
from tfx_core.fields import described, forms, plain  # noqa: E402
from tfx_core.model import Architecture, Backbone, Model, ModelConfig  # noqa: E402
from tfx_core.model.heads import Head, NoHead  # noqa: E402
from tfx_core.nn import Activation  # noqa: E402
from tfx_core.plugins import ArchitectureSpec, registry  # noqa: E402
from tfx_core.plugins.registry import Registered  # noqa: E402

FOLDER = DOCS / "architectures"
SWITCHES = {"attention", "output_attentions", "output_hidden_states", "return_dict", "use_cache"}
"""What every call knows, and no page tells again."""

READS: Mapping[str, str] = {
    "text": """\
        ids = torch.tensor([[5, 6, 7, 8, 9, 10], [11, 12, 13, 14, 0, 0]])
        mask = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0]])
        inputs = {"input_ids": ids, "attention_mask": mask}
        """,
    "image": """\
        inputs = {"pixel_values": torch.zeros(2, 3, 45, 38)}
        """,
    "documents": """\
        ids = torch.tensor([[5, 6, 7, 8, 9, 10]] * 6)
        inputs = {"context_input_ids": ids, "context_attention_mask": torch.ones_like(ids)}
        inputs |= {"doc_scores": torch.zeros(2, 3), "decoder_input_ids": torch.tensor([[2, 5, 6, 7]] * 2)}
        """,
}
"""What a call is given, by the kind of thing that an architecture reads."""
TARGET = 'inputs["decoder_input_ids"] = torch.tensor([[5, 6, 7, 8], [9, 10, 11, 12]])\n'
IMAGE_FEATURES = 'inputs["input_modal"] = torch.zeros(2, 3, {width})\n'
WRITERS = ("causal-lm", "conditional-generation")


def pages() -> Iterator[tuple[Path, str]]:
    """File and content of everything that is written."""
    yield FOLDER / "index.md", _overview()
    for entry in _entries():
        subject = Subject.of(entry)
        yield FOLDER / f"{entry.spec.name}.md", "\n".join(_page(subject))
        yield FOLDER / f"{entry.spec.name}.svg", _picture(subject)


@dataclass(frozen=True)
class Subject:
    """What a page is about."""

    spec: ArchitectureSpec
    distribution: str
    architecture: Architecture[Any]
    config: Any
    is_default: bool
    """Whether that is what a config without keys stands for; else it is the tests' small one."""
    backbone: Backbone
    """Without numbers, as are the heads."""
    heads: Mapping[str, Head]

    @classmethod
    def of(cls, entry: Registered[ArchitectureSpec]) -> "Subject":
        """What is registered under a name."""
        architecture = registry.load(ArchitectureSpec, entry.spec.name)
        assert isinstance(architecture, Architecture)
        try:
            config, is_default = architecture.config(), True
        except ConfigError:  # there is no default of the models in it
            config, is_default = architecture.config.from_dict(case_of(entry.spec.name).tiny), False
        with unfilled_modules():
            backbone = Model(architecture, config, "backbone").backbone
            heads = {head: plan.build(plan.adapt(config), backbone) for head, plan in architecture.heads.items()}
        return cls(entry.spec, entry.distribution, architecture, config, is_default, backbone, heads)


def _entries() -> list[Registered[ArchitectureSpec]]:
    ours = (entry for entry in registry.specs(ArchitectureSpec) if entry.distribution in OURS)
    return sorted(ours, key=lambda entry: entry.spec.name)


def _overview() -> str:
    rows = [
        f"| [`{entry.spec.name}`]({entry.spec.name}.md) | `{entry.distribution}` | {entry.spec.summary} |"
        for entry in _entries()
    ]
    lines = [
        "# Architectures",
        "",
        "What `tfx-core architectures` lists where every distribution of tfx is installed. Each page has the model's",
        "shape, its heads with the class names of `config.json` files, an example that runs, every key of the config",
        "and the tokenizer's files.",
        "",
        "| `model_type` | distribution | |",
        "|---|---|---|",
        *rows,
        "",
        "## Keys of every config",
        "",
        "`hidden_size`, `num_hidden_layers`, `num_attention_heads`, `intermediate_size`, `vocab_size` and",
        "`max_position_embeddings` can be said to every architecture, whatever its own keys are called: the tables",
        "name the other spellings. Keys that change nothing here are kept and written back. A key that nobody knows is",
        "a warning in a file and a `TypeError` in a call, a value that is not allowed a `ConfigError`.",
        "",
        *_keys(ModelConfig, ModelConfig()),
        "",
        "## Activations",
        "",
        f"{_codes(get_args(Activation))}.",
        "",
    ]
    return "\n".join(lines)


def _page(subject: Subject) -> Iterator[str]:
    spec, name = subject.spec, subject.spec.name
    yield from (f"# {name}", "", spec.summary.removesuffix(".") + ".")
    yield from (f"[The paper]({spec.paper}).", "")
    yield f'It comes with `{subject.distribution}`. `tfx_core.load_model` finds it by `"model_type": "{name}"`.'
    yield from ("", f"![The shape of {name}]({name}.svg)", "")
    yield "The modules of its default config," if subject.is_default else "The modules of the example's config,"
    yield "from what is read to what comes out; below them each head. `×` counts what is there several times."
    yield from ("", "## Heads", "", *_heads(subject), "")
    yield from ("## An example", "", *_example(spec, subject.architecture), "")
    yield from ("## Keys of `config.json`", "", *_keys(subject.architecture.config, subject.config), "")
    yield from (*_other_keys(subject.architecture.config), "", "## Text", "", *_text(spec, subject.architecture), "")


def _picture(subject: Subject) -> str:
    heads = [replace(box_of(name, head), name=name, kind="head") for name, head in subject.heads.items()]
    return picture(f"{subject.spec.name}: {subject.spec.summary}", [box_of("backbone", subject.backbone), *heads])


def _heads(subject: Subject) -> Iterator[str]:
    spec, common = subject.spec, subject.backbone.input_names - SWITCHES
    yield from ("| head | its class in `config.json` | a call reads besides |", "|---|---|---|")
    for name, head in {"backbone": NoHead(), **subject.heads}.items():
        known = subject.architecture.plan(name).shares_class or name
        classes = _codes(theirs for theirs, stands_for in spec.hf_classes.items() if stands_for == known)
        own = _codes(each for each in [*signature(head.forward).parameters][1:] if each not in common)
        yield f"| `{name}` | {classes or 'none: `tfx_head` names it'} | {own} |"
    yield from ("", f"A call can be given {_codes(sorted(common))}.")
    if spec.capabilities:
        offered = " and ".join(f"`{name}`" for name in spec.capabilities)
        yield from ("", f"Heads of other distributions can ask it for {offered} ([how](../plugins/heads.md)).")


def _example(spec: ArchitectureSpec, architecture: Architecture[Any]) -> Iterator[str]:
    case, head = case_of(spec.name), spec.heads[0]
    sizes = {key: value for key, value in case.tiny.items() if value != 0.0 or isinstance(value, int)}
    code = f"import torch\n\nimport tfx_core\n\nsizes = {_as_python(sizes)}\n"
    code += f'model = tfx_core.new_model("{spec.name}", head="{head}", seed=0, **sizes).eval()\n\n'
    code += dedent(READS[case.reads])
    code += TARGET if head in case.target_heads else ""
    code += IMAGE_FEATURES.format(width=case.tiny["modal_hidden_size"]) if "modal_hidden_size" in case.tiny else ""
    code += "for name, value in model(**inputs).items():\n"
    code += "    if isinstance(value, torch.Tensor):\n        print(name, tuple(value.shape))\n"
    if head in WRITERS and architecture.decoding is not None:
        code += "print(model.generate(ids, attention_mask=mask, max_new_tokens=4, min_new_tokens=4).shape)\n"
    yield from ("```python", code.rstrip(), "```", "", "It prints:", "", "```text", _printed(code).rstrip(), "```")


def _printed(code: str) -> str:
    with redirect_stdout(io.StringIO()) as printed:
        exec(code, {})
    return printed.getvalue()


def _keys(config: type[ModelConfig], values: Any) -> Iterator[str]:
    """A table of the keys of a config, without those of every one."""
    shared = set() if config is ModelConfig else set(ModelConfig.field_names())
    words, fields = _sentences(config), {each.name: each for each in dataclasses.fields(config)}
    yield from ("| key | what may stand there | default | |", "|---|---|---|---|")
    for name, form in forms(config).items():
        if name in shared and name not in vars(config).get("__annotations__", ()):
            continue
        allowed = described(form).replace(described(Activation), "an [activation](index.md#activations)")
        other = _codes(alias for alias, stands_for in config.aliases.items() if stands_for == name)
        sentence = words.get(name, "") + (f" Also {other}." if other else "")
        default = "none" if _is_required(fields[name]) else _as_json(getattr(values, name))
        yield f"| `{name}` | {_cell(allowed)} | {_cell(default)} | {_cell(sentence.strip())} |"


def _is_required(field: "dataclasses.Field[Any]") -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _other_keys(config: type[ModelConfig]) -> Iterator[str]:
    yield "All others are [keys of every config](index.md#keys-of-every-config)."
    if config.absent:
        yield from ("", "Common names that it has no key for:", "")
        yield from (f"- `{name}`: {why}" for name, why in config.absent.items())


def _text(spec: ArchitectureSpec, architecture: Architecture[Any]) -> Iterator[str]:
    recipe = architecture.text
    if recipe is None:
        yield "It has no tokenizer of its own."
        return
    yield "`tfx_core.load_tokenizer` reads `tokenizer.json`" + (", or the released files:" if recipe.files else ".")
    if recipe.files:
        yield from ("", *("- " + " with ".join(f"`{file}`" for file in files) for files in recipe.files))
    yield from ("", f"The `tokenizer_class` of its folders is {_codes(spec.tokenizer_classes, ' or ')}.")
    yield from ("", f"A model is given {_codes(recipe.facts.model_input_names)}.")
    if recipe.options:
        options = ", ".join(f"`{name}` ({_as_json(value)})" for name, value in recipe.options.items())
        yield from (
            "",
            "Its own options, of `tokenizer_config.json` and of `load_tokenizer`, with their defaults:",
            options + ".",
        )


@cache
def _sentences(config: type[ModelConfig]) -> dict[str, str]:
    """What the source says of each field, below it; a subclass's words go over those of its bases."""
    found: dict[str, str] = {}
    for kind in reversed(config.__mro__):
        if not dataclasses.is_dataclass(kind):
            continue
        (body,) = (node.body for node in ast.parse(dedent(getsource(kind))).body if isinstance(node, ast.ClassDef))
        for field, after in pairwise(body):
            match field, after:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(words))):
                    found[name] = " ".join(words.split())
    return found


def _codes(names: Iterable[str], between: str = ", ") -> str:
    return between.join(f"`{name}`" for name in names)


def _as_json(value: Any) -> str:
    said = json.dumps(plain(value))
    return f"`{said}`" if len(said) <= 60 else "see its class"


def _as_python(value: Any, indent: int = 4) -> str:
    """As ruff would format it."""
    if not isinstance(value, dict) or len(str(value)) + indent < 100:
        return json.dumps(value) if isinstance(value, str) else str(value).replace("'", '"')
    inner = "".join(f'{" " * indent}"{key}": {_as_python(each, indent + 4)},\n' for key, each in value.items())
    return f"{{\n{inner}{' ' * (indent - 4)}}}"


def _cell(text: str) -> str:
    return text.replace("``", "`").replace("|", "\\|")


def main() -> None:
    """Write them all."""
    FOLDER.mkdir(exist_ok=True)
    for file, text in pages():
        file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
