"""What holds of a task: inputs in, plain results out, whatever stands beside them."""

import json
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar

import click
import numpy as np
import pytest
import torch
from click.testing import CliRunner

import tfx_core
from tfx_core.cli import cli
from tfx_core.plugins import ArchitectureSpec, HeadSpec, TaskSpec, registry
from tfx_core.tasks import ItemError, Task, TaskOptions
from tfx_testing import toy
from tfx_testing.checks import each
from tfx_testing.comparing import same
from tfx_testing.toys import ToyChecks

UNKNOWN_OPTION = "no_task_has_this_option"


def toy_texts(count: int, longest: int = 12) -> list[str]:
    """Texts of the toys' words, of different lengths."""
    generator = random.Random(count)
    words = toy.VOCABULARY[len(toy.SPECIAL) :][:12]
    return [" ".join(generator.choices(words, k=generator.randint(1, longest))) for _ in range(count)]


def toy_heads() -> Mapping[str, Sequence[str]]:
    """The heads of each toy, third parties' included."""
    found = {}
    for name in ("toy", "toy-decoder"):
        spec = registry.find(ArchitectureSpec, name)
        others = [entry.spec for entry in registry.specs(HeadSpec)]
        foreign = [each.name for each in others if each.capability in spec.capabilities]
        found[name] = ("backbone", *spec.heads, *foreign)
    return found


def served_heads(cls: "type[TaskChecks]") -> Sequence[str]:
    """The heads of the task's spec, those alone that a toy has unless the class saves models of its own."""
    heads = registry.find(TaskSpec, cls.task).heads
    if any("saved" in vars(base) for base in cls.__mro__[: cls.__mro__.index(TaskChecks)]):
        return heads
    known = {*chain(*toy_heads().values())}
    return [head for head in heads if head in known]


def first_head(cls: "type[TaskChecks]") -> Sequence[str]:
    """The one that the task prefers."""
    return served_heads(cls)[:1]


class TaskChecks(ToyChecks):
    """Every check of a task: a test class names it, and what it reads where that is not a text.

    It runs on a toy encoder, or a toy decoder, with random weights.

    >>> class TestAnswering(TaskChecks):
    ...     task = "question-answering"
    ...     inputs = [{"question": "who sings ?", "context": text} for text in toy_texts(20)]
    """

    task: ClassVar[str]
    """Its name."""

    inputs: ClassVar[Sequence[Any]] = toy_texts(20)
    """Inputs of different lengths, by default texts of the toys' words."""

    options: ClassVar[Mapping[str, Any]] = {}
    """Options of every call."""

    bad_input: ClassVar[object] = 3
    """An input that it refuses."""

    settings: ClassVar[Mapping[str, Any]] = {}
    """Keys of the toy's config, such as ``num_labels``."""

    @classmethod
    def is_declared(cls) -> bool:
        """With the name of a task; raises `LookupError` where no toy has a head that serves it."""
        if not hasattr(cls, "task"):
            return False
        if not served_heads(cls):
            raise LookupError(
                f"{cls.__name__}: no toy has a head that the task {cls.task!r} names, which are "
                f"{', '.join(registry.find(TaskSpec, cls.task).heads)}: define saved(cls, folder, head), which saves a "
                "small model with its tokenizer into the folder, and gives it"
            )
        return True

    @classmethod
    def saved(cls, folder: Path, head: str) -> Path:
        """A folder with a random model that has this head, and its tokenizer; a test class may define it anew."""
        model_type = next(name for name, heads in toy_heads().items() if head in heads)
        config = {"vocab_size": len(toy.VOCABULARY), **cls.settings}
        tfx_core.new_model(model_type, head=head, seed=0, **config).save_pretrained(folder)
        return Path(toy.save_tokenizer(folder, special=model_type == "toy"))

    def load(self, folder: Path, head: str, **options: Any) -> Task[Any, Any, Any]:
        """The task with such a model."""
        return tfx_core.pipeline(self.task, model=self.saved(folder / head, head), **{**self.options, **options})

    def test_it_is_registered_under_the_name_and_heads_of_its_class(self) -> None:
        """The spec and the class say the same name and the same heads.

        Where they do not: `TaskSpec` and `Task.name`, `Task.heads` were changed apart.
        """
        spec, target = registry.find(TaskSpec, self.task), registry.load(TaskSpec, self.task)
        assert isinstance(target, type), f"{spec.target} is {target!r}, no class"
        assert issubclass(target, Task), f"{spec.target} is no subclass of tfx_core.Task"
        assert (target.name, target.heads) == (spec.name, spec.heads), "name and heads, of the class and of its spec"

    def test_it_says_what_it_is(self) -> None:
        """It has a summary in its spec and a docstring, and every option of its own says what it does.

        Where it has not: ``TaskSpec(summary=…)``; ``Annotated[int, Help("…")]`` at the option. The command line shows
        both.
        """
        target: Any = registry.load(TaskSpec, self.task)
        assert registry.find(TaskSpec, self.task).summary, f"task {self.task!r} has no summary in its spec"
        assert vars(target).get("__doc__"), f"{target.__name__} has no docstring"
        options = target.options_type
        assert issubclass(options, TaskOptions), f"{options.__name__} is no TaskOptions"
        untold = [each.opts[0] for each in _flags_of(self.task) if not each.help]
        assert not untold, f"options without a Help: {', '.join(untold)}"

    def test_its_aliases_stand_for_it(self, tmp_path: Path) -> None:
        """Each further name of the spec makes this task, and what it has in braces are options.

        Where it does not: another task has the alias too, or the braces name no field of the options.
        """
        spec, target = registry.find(TaskSpec, self.task), registry.load(TaskSpec, self.task)
        known = {each.name for each in fields(target.options_type)}  # type: ignore[attr-defined]
        saved = self.saved(tmp_path, served_heads(type(self))[0])
        for alias in spec.aliases:
            named = {*re.findall(r"{(\w+)}", alias)}
            assert named <= known, f"alias {alias!r}: {', '.join(sorted(named - known))} is no option of {self.task}"
            if not named:
                assert tfx_core.pipeline(alias, model=saved, **self.options).name == self.task, alias

    @each(head=served_heads)
    def test_every_head_that_it_names_serves_it(self, head: str, tmp_path: Path) -> None:
        """A model with each of the heads of its spec makes the task, and answers.

        Where it does not: ``check_model`` or ``compute`` wants what only one of the heads gives.
        """
        results = self.load(tmp_path, head)(self.inputs[:2])
        assert len(results) == 2

    @each(head=first_head)
    def test_a_list_gives_a_list_in_its_order(self, head: str, tmp_path: Path) -> None:
        """There is one result for each input, in the order of the inputs, also where these are read one by one.

        Where there is not: ``decode`` depends on the row's number, or a state of one call is left for the next.
        """
        run = self.load(tmp_path, head)
        results = run(list(self.inputs))
        assert isinstance(results, list), f"of a list comes a {type(results).__name__}"
        assert len(results) == len(self.inputs), "there are more or fewer results than inputs"
        same(run(list(self.inputs)[::-1]), results[::-1], "the results in reverse")
        same(list(run.stream(iter(self.inputs))), results, "the results one by one")
        same(run([self.inputs[0]] * 3), results[:1] * 3, "the results of one input three times")

    @each(head=first_head)
    def test_results_are_plain(self, head: str, tmp_path: Path) -> None:
        """Results are dicts with names, lists, texts and numbers, or numpy's arrays: no tensors, no objects.

        Where they are not: turn tensors into numbers in ``compute`` or ``decode``, ``.item()`` or ``.tolist()``.
        """
        for place, result in enumerate(self.load(tmp_path, head)(list(self.inputs))):
            for what in _not_plain(result, f"results[{place}]"):
                pytest.fail(what)

    @each(head=first_head)
    def test_results_depend_neither_on_neighbours_nor_on_batches(self, head: str, tmp_path: Path) -> None:
        """An input gives in any batch, beside any others, what it gives alone.

        Where it does not: ``compute`` reads a place where padding may stand, or takes a mean over it.
        """
        run = self.load(tmp_path, head)
        alone = [run([value])[0] for value in self.inputs]
        for batch_tokens in (1, 40, 10_000):
            same(run(list(self.inputs), batch_tokens=batch_tokens), alone, f"results, batch_tokens={batch_tokens}")

    @each(head=first_head)
    def test_results_do_not_depend_on_the_side_of_padding(self, head: str, tmp_path: Path) -> None:
        """A tokenizer that pads on the left changes no result.

        Where it does: ``compute`` takes a row's first columns for its tokens; `Task.place` says where they are.
        """
        run = self.load(tmp_path, head)
        expected = run(list(self.inputs))
        run.tokenizer.padding_side = "left" if run.tokenizer.padding_side == "right" else "right"
        same(run(list(self.inputs), batch_tokens=60), expected, f"results, padded on the {run.tokenizer.padding_side}")

    @each(head=first_head)
    def test_no_inputs_no_results(self, head: str, tmp_path: Path) -> None:
        """An empty list gives an empty list.

        Where it does not: a method takes the first of its items for granted.
        """
        run = self.load(tmp_path, head)
        assert run([]) == []
        assert list(run.stream(iter(()))) == []

    @each(head=first_head)
    def test_a_bad_input_is_told_by_its_place(self, head: str, tmp_path: Path) -> None:
        """An input that cannot be used is an `ItemError` with its number and the reason.

        Where it is not: ``parse`` takes what it is given; raise `tfx_core.errors.InputError` there, or call
        `tfx_core.tasks.check_text`.
        """
        run = self.load(tmp_path, head)
        with pytest.raises(ItemError) as caught:
            run([self.inputs[0], self.bad_input])
        assert caught.value.index == 1
        assert str(caught.value).startswith("inputs[1]: ")

    @each(head=first_head)
    def test_an_unknown_option_is_a_type_error(self, head: str, tmp_path: Path) -> None:
        """An option that the task lacks is a `TypeError` that names it: at once, and in a call.

        Where it is not: an own ``load`` or ``__call__`` takes ``**options`` and drops some.
        """
        with pytest.raises(TypeError, match=f"{self.task} takes no '{UNKNOWN_OPTION}'"):
            self.load(tmp_path, head, **{UNKNOWN_OPTION: 3})
        run = self.load(tmp_path, head)
        asked: tuple[Callable[..., object], ...] = (run, run.stream)  # before the first result is asked for
        for ask in asked:
            with pytest.raises(TypeError, match=f"{self.task} takes no '{UNKNOWN_OPTION}'"):
                ask([self.inputs[0]], **{UNKNOWN_OPTION: 3})

    @each(head=first_head)
    def test_it_infers_and_leaves_torch_as_it_found_it(self, head: str, tmp_path: Path) -> None:
        """The model runs without gradients and without dropout; threads, types and modes of torch stay as they were.

        Where they do not: the model is called outside of ``compute``, or something of torch is set.
        """
        run = self.load(tmp_path, head)
        seen: list[tuple[bool, bool]] = []
        run.model.register_forward_pre_hook(
            lambda module, given: seen.append((torch.is_inference_mode_enabled(), module.training))
        )
        before = _state_of_torch()
        run(list(self.inputs[:3]))
        assert set(seen) <= {(True, False)}, "the model was called with gradients, or with dropout"
        assert _state_of_torch() == before, "threads, modes or the type of new tensors"

    @each(head=first_head)
    def test_results_are_read_by_name_whatever_the_config_asks_for(self, head: str, tmp_path: Path) -> None:
        """A config with ``return_dict=False`` changes no result.

        Where it does: ``compute`` takes an output by its place; take it by its name.
        """
        run = self.load(tmp_path, head)
        expected = run(list(self.inputs[:2]))
        config: Any = run.model.config
        config.return_dict = False
        same(run(list(self.inputs[:2])), expected)

    @each(head=first_head)
    def test_the_command_prints_its_results_as_json_lines(self, head: str, tmp_path: Path) -> None:
        """``tfx-core run TASK --json`` prints a line of JSON for each line of a file, with what a call gives.

        Where it does not: results hold what is not plain, or an option has a type that no command line can give.
        """
        run = self.load(tmp_path, head)
        lines = [{"text": value} if isinstance(value, str) else value for value in self.inputs]
        file = tmp_path / "inputs.jsonl"
        file.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
        given = ["--model", str(tmp_path / head), "--file", str(file), "--json", *_as_flags(self.options)]
        done = CliRunner().invoke(cli, ["run", self.task, *given], prog_name="tfx-core")
        assert done.exit_code == 0, f"tfx-core run {self.task} failed: {done.output}"
        printed = [json.loads(line) for line in done.stdout.splitlines()]
        same(printed, _as_json(run(list(self.inputs))), "what is printed")


def _flags_of(task: str) -> list[click.Option]:
    """The options of ``tfx-core run TASK``."""
    run: Any = cli.get_command(click.Context(cli), "run")
    command = run.get_command(click.Context(run), task)
    return [each for each in command.params if isinstance(each, click.Option)]


def _not_plain(value: Any, where: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key, each in value.items():
            if not isinstance(key, str):
                yield f"{where}: the key {key!r} is a {type(key).__name__}, not a text"
            yield from _not_plain(each, f"{where}[{key!r}]")
    elif isinstance(value, list):
        for place, each in enumerate(value):
            yield from _not_plain(each, f"{where}[{place}]")
    elif type(value) not in (str, int, float, bool, type(None), np.ndarray):
        yield f"{where} is a {type(value).__name__}: neither dict, list, text nor number"


def _as_json(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, dict):
        return {key: _as_json(each) for key, each in value.items()}
    return [_as_json(each) for each in value] if isinstance(value, list) else value


def _as_flags(options: Mapping[str, Any]) -> list[str]:
    """Options as the command line takes them."""
    flags: list[str] = []
    for name, value in options.items():
        flag = f"--{name.replace('_', '-')}"
        if isinstance(value, bool):
            flags.append(flag if value else f"--no-{flag[2:]}")
        else:
            for each in value if isinstance(value, list | tuple) else [value]:
                flags += [flag, str(each)]
    return flags


def _state_of_torch() -> tuple[object, ...]:
    modes = torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.get_default_dtype()
    return torch.get_num_threads(), torch.get_num_interop_threads(), *modes
