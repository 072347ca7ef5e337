"""What every task does: batching, order, limits, bad input, loading."""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch

import tfx_core
from tests.core.fake_site import FakeSite
from tests.core.tasks.conftest import Folder
from tests.core.tasks.results import same
from tfx_core import hookimpl
from tfx_core.checkpoint import folder as folder_module
from tfx_core.checkpoint.folder import parse_json
from tfx_core.errors import InputError, PluginError, UnknownNameError
from tfx_core.plugins import TaskSpec, discovery, registry
from tfx_core.plugins.discovery import PluginWarning
from tfx_core.tasks import ItemError, Task, batching
from tfx_core.tasks.pipeline import load_task, named
from tfx_core.tasks.text_classification import TextClassification
from tfx_testing.toy import VOCABULARY

HEADS = {
    "fill-mask": "masked-lm",
    "text-classification": "sequence-classification",
    "token-classification": "token-classification",
    "question-answering": "question-answering",
    "feature-extraction": "backbone",
}


def texts(count: int, longest: int = 12) -> list[str]:
    generator = random.Random(count)
    return [" ".join(generator.choices(VOCABULARY[5:17], k=generator.randint(1, longest))) for _ in range(count)]


def inputs_of(task: str, count: int) -> list[Any]:
    if task == "question-answering":
        return [{"question": "who ?", "context": text} for text in texts(count, 60)]
    return [f"{text} [MASK]" if task == "fill-mask" else text for text in texts(count)]


@pytest.mark.parametrize("task", HEADS)
def test_a_task_is_registered_under_the_name_and_heads_of_its_class(task: str) -> None:
    spec = registry.find(TaskSpec, task)
    found = load_task(task)
    assert (found.name, found.heads) == (spec.name, spec.heads)
    assert spec.summary


@pytest.mark.parametrize("task", HEADS)
def test_a_task_reads_results_by_name_whatever_the_config_asks_for(task: str, folder: Folder) -> None:
    run = tfx_core.pipeline(task, model=folder(HEADS[task]))
    expected = run(inputs_of(task, 2))
    run.model.config.return_dict = False
    same(run(inputs_of(task, 2)), expected)


@pytest.mark.parametrize("task", HEADS)
def test_a_task_infers_and_leaves_torch_as_it_found_it(task: str, folder: Folder) -> None:
    run = tfx_core.pipeline(task, model=folder(HEADS[task]))
    seen: list[bool] = []
    run.model.register_forward_pre_hook(lambda *_: seen.append(torch.is_inference_mode_enabled()))
    before = state_of_torch()
    run(inputs_of(task, 3))
    assert seen
    assert all(seen)
    assert state_of_torch() == before


def state_of_torch() -> tuple[object, ...]:
    modes = torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.get_default_dtype()
    return torch.get_num_threads(), torch.get_num_interop_threads(), *modes


@pytest.mark.parametrize("task", HEADS)
def test_results_depend_neither_on_neighbours_nor_on_batches_nor_on_the_side_of_padding(
    task: str, folder: Folder
) -> None:
    inputs = inputs_of(task, 40)
    run = tfx_core.pipeline(task, model=folder(HEADS[task]))
    alone = [run([each])[0] for each in inputs]
    for batch_tokens in (1, 40, 10_000):
        same(run(inputs, batch_tokens=batch_tokens), alone)
    if task == "question-answering":
        return  # which side is padded says there whether the question comes first
    left = tfx_core.pipeline(task, model=folder(HEADS[task], padding_side="left"))
    same(left(inputs, batch_tokens=60), alone)


def test_batches_are_longest_first_and_stay_within_the_budget(folder: Folder) -> None:
    run = tfx_core.pipeline("feature-extraction", model=folder("backbone"), batch_tokens=64)
    shapes: list[tuple[int, int]] = []
    run.model.register_forward_hook(
        lambda module, args, kwargs, output: shapes.append(tuple(kwargs["input_ids"].shape)), with_kwargs=True
    )
    run(texts(100))
    assert sum(rows for rows, _ in shapes) == 100
    assert all(rows * length <= 64 for rows, length in shapes)
    assert [length for _, length in shapes] == sorted((length for _, length in shapes), reverse=True)
    assert len(shapes) < 30


def test_the_budget_of_a_large_vocabulary_is_smaller(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    run = tfx_core.pipeline("fill-mask", model=folder("masked-lm"))
    assert run.token_budget(run.options) == 2048
    monkeypatch.setattr(type(run), "_predicts_anywhere", False)
    monkeypatch.setattr("tfx_core.tasks.fill_mask.LOGITS_BYTES", 4 * len(run.tokenizer) * 10)
    assert run.token_budget(run.options) == 10


def test_inputs_are_read_in_chunks_and_results_come_in_order(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "CHUNK_INPUTS", 4)
    run = tfx_core.pipeline("feature-extraction", model=folder("backbone"), pooling="mean")
    inputs, read, done = texts(10), [], []

    def source() -> Iterator[str]:
        for text in inputs:
            read.append(text)
            yield text

    results = run.stream(source(), progress=done.append)
    first = next(results)
    assert len(read) == 4
    assert sum(done) == 4
    same([first, *results], run(inputs))
    assert sum(done) == 10


def test_no_inputs_no_results(folder: Folder) -> None:
    for task, head in HEADS.items():
        run = tfx_core.pipeline(task, model=folder(head))
        assert run([]) == []
        assert list(run.stream(iter(()))) == []


def test_one_input_gives_its_result_a_text_and_a_collection_a_list_and_an_iterator_an_iterator(folder: Folder) -> None:
    run = tfx_core.pipeline("text-classification", model=folder("sequence-classification"))
    (one,) = run("bob sings")
    assert isinstance(one, dict)
    assert run(["bob sings"]) == [one] == run({"bob sings"})
    lazily = run(text for text in ["bob sings"])
    assert next(lazily) == one
    assert list(lazily) == []
    pair = run(("bob sings", "good"))
    assert run({"text": "bob sings", "text_pair": "good"}) == pair != one


def test_a_data_set_is_read_by_its_numbers(folder: Folder) -> None:
    class Texts:
        def __len__(self) -> int:
            return 3

        def __getitem__(self, number: int) -> str:
            return f"dog {number}"

    run = tfx_core.pipeline("text-classification", model=folder("sequence-classification"))
    lazily = run(Texts())
    assert not isinstance(lazily, list)
    assert list(lazily) == run(["dog 0", "dog 1", "dog 2"])


def test_a_batch_has_no_more_rows_than_asked_for(folder: Folder) -> None:
    run = tfx_core.pipeline("text-classification", model=folder("sequence-classification"), batch_size=3)
    rows: list[int] = []
    run.model.register_forward_hook(lambda module, args, output: rows.append(len(output.logits)))
    expected = run(texts(10))
    assert max(rows) == 3
    same(run(texts(10), batch_size=1), expected)
    assert rows[-1] == 1


def test_a_model_that_is_trained_on_is_evaluated_for_a_call_alone(folder: Folder) -> None:
    run = tfx_core.pipeline("feature-extraction", model=folder("backbone"))
    seen: list[bool] = []
    run.model.register_forward_hook(lambda module, args, output: seen.append(module.training))
    run.model.train()
    run.model.head.eval()
    run(["dog"])
    assert seen == [False]
    assert run.model.training
    assert not run.model.head.training


def test_progress_is_shown_where_there_is_a_terminal(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, int | None]] = []

    class Bar:
        def __init__(self, label: str, total: int | None) -> None:
            told.append((label, total))

        def __enter__(self) -> "Bar":
            return self

        def __exit__(self, *error: object) -> None:
            told.append(("end", None))

        def advance(self, count: int) -> None:
            told.append(("done", count))

    monkeypatch.setattr("tfx_core.cli.ProgressBar", Bar)
    run = tfx_core.pipeline("feature-extraction", model=folder("backbone"))
    run(["dog", "cat"], progress=True)
    run(["dog"], progress=False)
    list(run(iter(["dog"]), progress=True))
    assert told == [
        *(("feature-extraction", 2), ("done", 2), ("end", None)),
        *(("feature-extraction", None), ("done", 1), ("end", None)),
    ]


def test_options_of_the_task_hold_until_a_call_says_otherwise(folder: Folder) -> None:
    run = tfx_core.pipeline("fill-mask", model=folder("masked-lm"), top_k=3)
    assert len(run("[MASK]")) == 3
    assert len(run("[MASK]", top_k=2)) == 2
    assert len(run("[MASK]")) == 3


@pytest.mark.parametrize("task", HEADS)
def test_an_unknown_option_is_a_type_error(task: str, folder: Folder) -> None:
    saved = folder(HEADS[task])
    with pytest.raises(TypeError, match=f"{task} takes no 'topc'"):
        tfx_core.pipeline(task, model=saved, topc=3)
    run = tfx_core.pipeline(task, model=saved)
    with pytest.raises(TypeError, match=f"{task} takes no 'topc'"):
        run(["x"], topc=3)
    with pytest.raises(TypeError, match=f"{task} takes no 'topc'"):
        run.stream(["x"], topc=3)  # before the first result is asked for
    with pytest.raises(TypeError, match=f"{task} takes no 'textt'"):
        run(textt="x")  # where the inputs have no name


@pytest.mark.parametrize("task", ["text-classification", "token-classification", "feature-extraction", "fill-mask"])
def test_a_text_that_is_too_long_is_refused_with_the_limit_or_cut(task: str, folder: Folder) -> None:
    run = tfx_core.pipeline(task, model=folder(HEADS[task]))
    long = " ".join(["[MASK]", *["dog"] * 40])
    with pytest.raises(ItemError) as caught:
        run(["[MASK]", long])
    assert str(caught.value) == (
        "inputs[1]: 43 tokens, but the model takes at most 32; truncation=True (--truncation) cuts the text to fit"
    )
    assert caught.value.index == 1
    same(run([long], truncation=True), run([" ".join(["[MASK]", *["dog"] * 29])]))
    same(run([long], max_length=5), run(["[MASK] dog dog"]))
    with pytest.raises(InputError, match="max_length=33: the model takes at most 32 tokens"):
        run(["[MASK]"], max_length=33)


def test_the_index_of_a_bad_input_counts_all_inputs(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "CHUNK_INPUTS", 3)
    run = tfx_core.pipeline("feature-extraction", model=folder("backbone"))
    with pytest.raises(ItemError, match=r"^inputs\[7\]: 42 tokens"):
        run([*["dog"] * 7, "dog " * 40])
    with pytest.raises(ItemError, match=r"^inputs\[8\]: a text must be a string, not int"):
        run([*["dog"] * 8, 3])


def test_a_model_without_limit_takes_any_length(folder: Folder) -> None:
    run = tfx_core.pipeline("feature-extraction", model=folder("backbone", max_position_embeddings=None))
    assert run(["dog " * 500])[0].shape == (502, 8)
    assert run(["dog " * 500], truncation=True)[0].shape == (502, 8)
    assert run(["dog " * 500], max_length=20)[0].shape == (20, 8)


@pytest.mark.parametrize("text", ["", " ", "\n\t"])
def test_an_empty_text_is_its_added_tokens_and_nothing_without_them(text: str, folder: Folder) -> None:
    run = tfx_core.pipeline("feature-extraction", model=folder("backbone"))
    assert run([text])[0].shape == (2, 8)
    bare = tfx_core.pipeline("feature-extraction", model=folder("backbone", special=False))
    with pytest.raises(ItemError, match=r"^inputs\[1\]: the tokenizer makes no tokens of this text"):
        bare(["dog", text])


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (3, "a text must be a string, not int"),
        (None, "not NoneType"),
        (b"dog", "not bytes"),
        (["dog"], "not list"),
        ("dog \udce9", "character 4 is '\\udce9', half of a surrogate pair or a byte that was not UTF-8"),
    ],
)
def test_what_is_no_text_is_refused(value: object, said: str, folder: Folder) -> None:
    run = tfx_core.pipeline("feature-extraction", model=folder("backbone"))
    with pytest.raises(ItemError) as caught:
        run(["dog", value])
    assert str(caught.value).startswith("inputs[1]: ")
    assert said in str(caught.value)


@pytest.mark.parametrize("inputs", [3, None, object()])
def test_what_is_no_list_is_refused(inputs: object, folder: Folder) -> None:
    run = tfx_core.pipeline("feature-extraction", model=folder("backbone"))
    with pytest.raises(InputError, match="feature-extraction takes a list of inputs, not"):
        run(inputs)


def test_one_task_serves_many_threads(folder: Folder) -> None:
    run = tfx_core.pipeline("token-classification", model=folder("token-classification", num_labels=3))
    inputs = inputs_of("token-classification", 60)
    expected = run(inputs)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda budget: run(inputs, batch_tokens=budget), [30, 50, 70, 90] * 3):
            same(found, expected)


def test_dropout_is_off_and_nothing_is_recorded_for_gradients(folder: Folder) -> None:
    model = tfx_core.load_model(folder("backbone")).train()
    tokenizer = tfx_core.load_tokenizer(folder("backbone"))
    run = tfx_core.pipeline("feature-extraction", model=model, tokenizer=tokenizer)
    assert not model.training
    recorded: list[bool] = []
    model.register_forward_hook(lambda module, args, output: recorded.append(output.last_hidden_state.requires_grad))
    run(["dog"])
    assert recorded == [False]


# loading


def test_every_file_of_a_checkpoint_is_parsed_once(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []

    def read_json(path: Path, label: str) -> dict[str, Any]:
        parsed.append(path.name)
        return parse_json(path.read_bytes(), label)

    monkeypatch.setattr(folder_module, "read_json", read_json)
    tfx_core.pipeline("text-classification", model=folder("sequence-classification"))
    assert sorted(parsed) == ["config.json", "tokenizer_config.json"]


def test_an_unknown_task_is_named_with_those_there_are() -> None:
    with pytest.raises(UnknownNameError, match="fill-mask"):
        tfx_core.pipeline("fil-mask", model="nowhere")
    with pytest.raises(UnknownNameError, match="no task 'sentimentanalysis': did you mean 'sentiment-analysis'"):
        tfx_core.pipeline("sentimentanalysis", model="nowhere")
    with pytest.raises(InputError, match="3 is no name of a task"):
        tfx_core.pipeline(3, model="nowhere")  # type: ignore[arg-type]  # the mistake


ALIASES = """
from tfx_core import TaskSpec, hookimpl

@hookimpl
def tfx_tasks():
    target = "tests.core.tasks.counting:Counting"
    return [TaskSpec("{name}", target=target, heads=("backbone",), aliases=({aliases}))]
"""


def test_aliases_stand_for_a_task_and_state_options(site: FakeSite) -> None:
    site.install("tfx-two", ALIASES.format(name="count-two", aliases='"count2", "count_{times}_times", "ner",'))
    assert named("count2") == ("count-two", {})
    assert named("count_3_times") == ("count-two", {"times": "3"})
    assert named("ner") == ("token-classification", {})
    assert named("count-two") == ("count-two", {})
    site.install("tfx-three", ALIASES.format(name="count-three", aliases='"count2",'))
    discovery.rescan()
    with pytest.raises(PluginError, match=r"'count2' stands for count-t(wo|hree) and for count-t(wo|hree): say which"):
        named("count2")


def test_a_pattern_that_is_none_takes_its_task_with_it(site: FakeSite) -> None:
    site.install("tfx-one", ALIASES.format(name="count-one", aliases='"count", "{a} {a}",'))
    with pytest.warns(PluginWarning, match="the alias '{a} {a}', which does not name options in its braces"):
        assert named("count") == ("count", {})


def test_the_task_of_a_head(folder: Folder) -> None:
    for task, head in HEADS.items():
        assert tfx_core.pipeline(model=folder(head)).name == task
    with pytest.raises(AttributeError, match="a pipeline has no 'tokenzier': did you mean 'tokenizer'"):
        tfx_core.pipeline(model=folder("masked-lm")).tokenzier  # noqa: B018
    model = tfx_core.load_model(folder("masked-lm"))
    model.head_name = "nothing"
    with pytest.raises(InputError, match="the model's head, 'nothing', serves no task"):
        tfx_core.pipeline(model=model)


def test_keywords_of_load_model_reach_it_and_mistakes_are_told(folder: Folder) -> None:
    saved = folder("masked-lm")
    assert tfx_core.pipeline("fill-mask", saved, model_kwargs={"dtype": "bfloat16"}).dtype == torch.bfloat16
    assert tfx_core.pipeline("fill-mask", saved, torch_dtype="bfloat16").dtype == torch.bfloat16
    with pytest.raises(InputError, match="trust_remote_code=True: nothing that comes with a checkpoint is executed"):
        tfx_core.pipeline("fill-mask", saved, trust_remote_code=True)
    with pytest.raises(TypeError, match="top_k is there twice"):
        tfx_core.pipeline("fill-mask", saved, top_k=2, topk=3)
    with pytest.raises(TypeError, match="fill-mask takes no 'stride': it takes batch_size, "):
        tfx_core.pipeline("fill-mask", saved, stride=2)  # of another task, and no mistake for anything
    with pytest.raises(TypeError, match="feature-extraction takes no 'top_k': it takes batch_size, "):
        tfx_core.pipeline("feature-extraction", saved, top_k=2)  # nor is what theirs is called a cure
    with pytest.raises(InputError, match="there are no default models"):
        tfx_core.pipeline("fill-mask")
    with pytest.raises(UnknownNameError, match="did you mean 'fill-mask'"):
        tfx_core.pipeline("fil-mask")
    with pytest.raises(TypeError, match="device and device_map are the same"):
        tfx_core.pipeline("fill-mask", saved, device=-1, device_map="auto")
    assert tfx_core.pipeline("fill-mask", saved, model_kwargs={"head": "masked-lm"}).model.head_name == "masked-lm"
    model, tokenizer = tfx_core.load_model(saved), tfx_core.load_tokenizer(saved)
    assert tfx_core.pipeline("fill-mask", model, tokenizer=tokenizer, device=-1).device.type == "cpu"


def test_a_checkpoint_of_another_head_is_refused_not_guessed(folder: Folder) -> None:
    saved = folder("masked-lm")
    with pytest.raises(InputError) as caught:
        tfx_core.pipeline("text-classification", model=saved)
    assert str(caught.value) == (
        f"{saved}: holds a model with the head 'masked-lm'; text-classification needs one that was trained with "
        "'sequence-classification'"
    )
    with pytest.raises(InputError, match="with the head 'backbone'"):
        tfx_core.pipeline("fill-mask", model=folder("backbone"))
    assert tfx_core.pipeline("feature-extraction", model=saved).model.head_name == "backbone"


def test_a_loaded_model_serves_with_its_tokenizer(folder: Folder) -> None:
    saved = folder("sequence-classification")
    model, tokenizer = tfx_core.load_model(saved), tfx_core.load_tokenizer(saved)
    expected = tfx_core.pipeline("text-classification", model=saved)(["bob sings"])
    assert tfx_core.pipeline("text-classification", model=model, tokenizer=tokenizer)(["bob sings"]) == expected
    assert tfx_core.pipeline("text-classification", model=model, tokenizer=saved)(["bob sings"]) == expected
    with pytest.raises(InputError, match="a model that is loaded already needs its tokenizer"):
        tfx_core.pipeline("text-classification", model=model)
    with pytest.raises(InputError, match="dtype, revision: for a model that is loaded by name"):
        tfx_core.pipeline("text-classification", model=model, tokenizer=saved, dtype="bfloat16", revision="main")
    with pytest.raises(InputError, match="fill-mask needs a model with the head 'masked-lm'"):
        tfx_core.pipeline("fill-mask", model=model, tokenizer=tokenizer)
    # its states can be had all the same
    states = tfx_core.pipeline("feature-extraction", model=model, tokenizer=tokenizer)(["bob"])
    same(states, tfx_core.pipeline("feature-extraction", model=saved)(["bob"]))


def test_type_and_device_reach_the_model(folder: Folder) -> None:
    saved = folder("sequence-classification")
    run = tfx_core.pipeline("text-classification", model=saved, dtype="bfloat16", device="cpu")
    assert run.model.dtype == torch.bfloat16
    assert tfx_core.pipeline("text-classification", model=saved, frozen=True).model.frozen
    assert tfx_core.pipeline("text-classification", model=saved, dtype="int8").model.frozen
    assert not tfx_core.pipeline("text-classification", model=saved, frozen=False).model.frozen
    exact = tfx_core.pipeline("text-classification", model=saved)(texts(5), top_k=None)
    for one, other in zip(run(texts(5), top_k=None), exact, strict=True):
        scores = {each["label"]: each["score"] for each in one}
        assert all(abs(scores[each["label"]] - each["score"]) < 0.1 for each in other)
    with pytest.raises(InputError, match="dtype="):
        tfx_core.pipeline("text-classification", model=saved, dtype="float17")


def test_a_wrong_option_shows_before_the_model_is_loaded() -> None:
    with pytest.raises(TypeError, match="takes no 'topc'"):
        tfx_core.pipeline("fill-mask", model="/nowhere/at/all", topc=3)


def test_a_task_of_a_third_party_needs_only_its_four_methods(folder: Folder) -> None:
    from tests.core.tasks.counting import Counting

    run: Task[Any, Any, Any] = Counting.load(folder("backbone"))
    assert run(["bob sings", "a dog"], times=2) == [{"count": 10}, {"count": 8}]


class LoadsAsBefore(TextClassification):
    """A task with a `load` of its own, whose keywords are fixed."""

    name = "loads-as-before"

    @classmethod
    def load(  # type: ignore[override]
        cls, model: Any, *, tokenizer: Any, device: Any, dtype: Any, attention: Any, revision: Any, provider: Any,
        model_kwargs: Any,
    ) -> Any:  # fmt: skip
        return super().load(model, tokenizer=tokenizer, dtype=dtype)


class Loading:
    @hookimpl
    def tfx_tasks(self) -> list[TaskSpec]:
        return [TaskSpec("loads-as-before", target=f"{__name__}:LoadsAsBefore", heads=LoadsAsBefore.heads)]


def test_a_task_with_a_load_of_its_own_is_told_frozen_only_where_it_is_given(folder: Folder) -> None:
    saved = folder("sequence-classification")
    with tfx_core.register(Loading(), name="tfx-loading"):
        assert not tfx_core.pipeline("loads-as-before", saved).model.frozen
        with pytest.raises(TypeError, match="unexpected keyword argument 'frozen'"):
            tfx_core.pipeline("loads-as-before", saved, frozen=True)
