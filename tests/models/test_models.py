"""What holds for every architecture and head that is installed."""

import pickle
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
import torch
from torch import Tensor

import tfx_core
from tests.cases import case_of, readers_of_text
from tests.core.tasks import crf
from tests.models.tiny import each_stream, perturbed, random_ids, target_ids, tiny_config
from tfx_core.errors import ConfigError, InputError
from tfx_core.model import Model, ModelOutput, load_architecture
from tfx_core.nn import DecoderCache
from tfx_core.plugins import ArchitectureSpec, registry
from tfx_testing.cases import CHOICE_HEADS

CASES = [(spec.name, head) for spec in readers_of_text() for head in ("backbone", *spec.heads)]
LENGTHS = (9, 4, 1, 6)


@pytest.mark.parametrize("model_type", [spec.name for spec in readers_of_text()])
def test_width_depth_and_heads_have_common_names(model_type: str) -> None:
    names = ("hidden_size", "num_hidden_layers", "num_attention_heads")
    config = tfx_core.new_model(model_type, **tiny_config(model_type)).config
    sizes = {name: getattr(config, name) for name in names}
    assert (sizes["hidden_size"], sizes["num_attention_heads"]) == (24, 4)
    assert sizes["num_hidden_layers"] in (2, 3)
    renamed = {config.aliases.get(name, name): name for name in names}
    other_names = {renamed.get(name, name): value for name, value in tiny_config(model_type).items()}
    assert tfx_core.new_model(model_type, **other_names).config == config
    assert type(config).from_dict(other_names) == config
    if "num_hidden_layers" in config.absent:  # it is told from other keys
        with pytest.raises(TypeError, match=f"no 'num_hidden_layers': {config.absent['num_hidden_layers']}"):
            config.replace(num_hidden_layers=1)
    else:
        assert config.replace(num_hidden_layers=1).num_hidden_layers == 1
    with pytest.raises(AttributeError, match="no 'num_heads_of_all'"):
        _ = config.num_heads_of_all
    with pytest.raises(TypeError, match="no 'num_heads_of_all'"):
        tfx_core.new_model(model_type, num_heads_of_all=3)


@pytest.mark.parametrize("model_type", [spec.name for spec in readers_of_text()])
def test_a_model_compiles(model_type: str) -> None:
    model = perturbed(tfx_core.new_model(model_type, seed=1, **tiny_config(model_type)).eval(), 2, 0.1)
    ids, mask = batch(model, "right")
    inputs = {"input_ids": ids, "attention_mask": mask, **target_ids(model_type, "backbone", len(ids))}
    torch.compiler.reset()
    with torch.no_grad():
        expected = model(**inputs).last_hidden_state
        compiled = torch.compile(model, backend="eager", fullgraph=case_of(model_type).one_graph)(
            **inputs
        ).last_hidden_state
    real = mask.bool() if expected.shape[:2] == mask.shape else torch.ones(expected.shape[:2], dtype=torch.bool)
    torch.testing.assert_close(compiled[real], expected[real])


@pytest.fixture(params=CASES, ids=lambda case: "-".join(case))
def case(request: pytest.FixtureRequest) -> tuple[str, str]:
    chosen: tuple[str, str] = request.param
    return chosen


@pytest.fixture
def model(case: tuple[str, str]) -> Model:
    """A tiny model with every parameter perturbed, norms and biases included."""
    made = tfx_core.new_model(case[0], head=case[1], seed=1, **tiny_config(case[0])).eval()
    return perturbed(made, 2, 0.1)


def batch(model: Model, side: str, extra: int = 0) -> tuple[Tensor, Tensor]:
    """Texts of different lengths, padded on one side, with ``extra`` more columns than needed."""
    width = max(LENGTHS) + extra
    ids, mask = torch.zeros(len(LENGTHS), width, dtype=torch.long), torch.zeros(len(LENGTHS), width, dtype=torch.long)
    for row, length in enumerate(LENGTHS):
        place = slice(0, length) if side == "right" else slice(width - length, width)
        ids[row, place] = random_ids(model.config.model_type, 1, length, seed=row)[0]
        mask[row, place] = 1
    return ids, mask


def run(model: Model, ids: Tensor, mask: Tensor) -> list[dict[str, Tensor]]:
    """For each row its results, those of single tokens on real tokens only."""
    if model.head_name in CHOICE_HEADS:
        ids, mask = ids[:, None].repeat(1, 2, 1), mask[:, None].repeat(1, 2, 1)
    with torch.no_grad():
        target = target_ids(model.config.model_type, model.head_name, len(ids))
        output = model(input_ids=ids, attention_mask=mask, **target)
    rows = mask[:, 0] if mask.dim() == 3 else mask
    per_row: list[dict[str, Tensor]] = [{} for _ in rows]
    tokens = None if target or mask.dim() == 3 else mask.shape[1]
    for name, value in results(output, tokens):
        if len(value) != len(rows):  # a row for each choice
            value = value.unflatten(0, (len(rows), -1))
        for row, real in enumerate(rows.bool()):
            of_row = value[row][0] if value.dim() > 3 or mask.dim() == 3 else value[row]
            if name == "last_hidden_state" and output.token_mask is not None:  # of which there may be fewer
                of_row = of_row[output.token_mask[row]]
            if name.endswith("_index"):  # columns, without the padding before the text
                of_row = torch.where(of_row < 0, of_row, of_row - real.long().argmax())
            per_row[row][name] = of_row[real] if of_row.dim() and of_row.shape[0] == len(real) else of_row
    return per_row


def results(output: ModelOutput, tokens: int | None) -> Iterator[tuple[str, Tensor]]:
    """Tensors by name, each stream's its own where they are of so many tokens of the text."""
    for name, value in output.items():
        if isinstance(value, Tensor):
            streams = [value] if tokens is None else each_stream(value, tokens)
            yield from ((f"{name} {number}" if number else name, each) for number, each in enumerate(streams))


def test_every_parameter_gets_a_gradient(model: Model) -> None:
    model.train()
    ids, mask = batch(model, "right")
    if model.head_name in CHOICE_HEADS:
        ids, mask = ids[:, None], mask[:, None]
    optional = case_of(model.config.model_type).optional_inputs(model.head_name, ids)
    target = target_ids(model.config.model_type, model.head_name, len(ids))
    output = model(input_ids=ids, attention_mask=mask, **target, **optional)
    total = sum((value.square().sum() for value in output.values() if isinstance(value, Tensor)), torch.zeros(()))
    total.backward()
    without = [
        name for name, parameter in model.named_parameters() if parameter.requires_grad and parameter.grad is None
    ]
    assert not without


def test_saved_and_loaded_it_is_the_same(model: Model, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path)
    again = tfx_core.load_model(tmp_path)
    assert (again.head_name, again.config.to_dict()) == (model.head_name, model.stored_config().to_dict())
    ours, theirs = dict(model.named_parameters()), dict(again.named_parameters())
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(parameter, theirs[name]) for name, parameter in ours.items())


def test_unknown_inputs_are_refused_by_name(model: Model) -> None:
    with pytest.raises(TypeError, match=r"takes no 'attention_maks': did you mean 'attention_mask'"):
        model(random_ids(model.config.model_type, 1, 3), attention_maks=torch.ones(1, 3))


def test_a_text_beyond_the_positions_is_an_error_that_says_so(model: Model) -> None:
    limit = model.max_positions
    if limit is None:
        longest = run(model, random_ids(model.config.model_type, 1, 80), torch.ones(1, 80, dtype=torch.long))
        assert all(value.isfinite().all() for value in longest[0].values())
        return
    shape = (1, 1, limit + 1) if model.head_name in CHOICE_HEADS else (1, limit + 1)
    with pytest.raises(InputError, match=f"{limit + 1} tokens.*positions for {limit}"):
        model(torch.ones(shape, dtype=torch.long))


def test_threads_share_a_model(model: Model) -> None:
    ids, mask = batch(model, "right")
    alone = run(model, ids, mask)
    results: list[list[dict[str, Tensor]]] = []
    threads = [Thread(target=lambda: results.append(run(model, ids, mask))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 3
    for result in results:
        for row, values in enumerate(result):
            assert all(torch.allclose(value, alone[row][name], atol=1e-6) for name, value in values.items())


def test_a_pickled_model_is_the_same(model: Model) -> None:
    again = pickle.loads(pickle.dumps(model))
    assert again.architecture is model.architecture
    ids, mask = batch(model, "left")
    for before, after in zip(run(model, ids, mask), run(again, ids, mask), strict=True):
        assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_it_runs_in_bfloat16(case: tuple[str, str]) -> None:
    made = tfx_core.new_model(case[0], head=case[1], dtype="bfloat16", seed=1, **tiny_config(case[0])).eval()
    ids, mask = batch(made, "right")
    for values in run(made, ids, mask):
        assert all(value.isfinite().all() for value in values.values())


def test_a_seed_gives_the_same_weights_and_leaves_torchs_generator_alone(case: tuple[str, str]) -> None:
    before = torch.random.get_rng_state()
    one, other = (tfx_core.new_model(case[0], head=case[1], seed=5, **tiny_config(case[0])) for _ in range(2))
    assert torch.equal(torch.random.get_rng_state(), before)
    for (_, ours), (_, theirs) in zip(one.named_parameters(), other.named_parameters(), strict=True):
        assert torch.equal(ours, theirs)
        assert ours.isfinite().all()


@pytest.mark.parametrize("name", [spec.name for spec in readers_of_text()])
def test_there_is_a_case_of_every_architecture(name: str) -> None:
    assert case_of(name).tiny
    assert case_of(name).variants


@pytest.mark.parametrize("name", [spec.name for spec in readers_of_text()])
def test_embeddings_that_have_a_width_of_their_own_are_compared_with_the_same_too(name: str) -> None:
    config, case = load_architecture(name).config, case_of(name)
    if "embedding_size" in config().field_names():
        made = [config.of(**{**case.tiny, **variant.changes}) for variant in case.variants]
        assert {each.embedding_size == each.hidden_size for each in made} == {True, False}


def test_an_architecture_without_a_case_is_told_by_name() -> None:
    with pytest.raises(LookupError, match=r"architecture 'new-one' is not tested: there is no tests/cases/new_one\.py"):
        case_of("new-one")


@pytest.mark.parametrize("name", [spec.name for spec in readers_of_text()])
def test_the_weight_table_names_every_parameter_once(name: str) -> None:
    for head in ("backbone", *registry.find(ArchitectureSpec, name).heads):
        made = tfx_core.new_model(name, head=head, seed=0, **tiny_config(name))
        names: dict[int, list[str]] = {}
        for path, parameter in made.named_parameters(remove_duplicate=False):
            names.setdefault(id(parameter), []).append(path)
        tied = {one for pair in made.ties for one in pair}
        table = made.weight_table
        table.check(
            head,
            [
                path
                for group in names.values()
                for path in group
                if path in tied or len(group) == 1 or table.find(head, path)
            ],
        )


@pytest.mark.parametrize("name", [spec.name for spec in readers_of_text()])
def test_a_config_refuses_wrong_types_by_name(name: str) -> None:
    for key in tiny_config(name):
        with pytest.raises(ConfigError, match=f"{key}="):
            tfx_core.new_model(name, **{**tiny_config(name), key: {"no": "thing"}})


@pytest.mark.parametrize("name", [spec.name for spec in readers_of_text() if "token-states" in spec.capabilities])
def test_a_head_of_somebody_else_reads_a_state_of_every_token(name: str) -> None:
    with tfx_core.register(crf.Plugin(), name="crf"):
        made = tfx_core.new_model(name, head="crf", seed=0, num_labels=3, **tiny_config(name)).eval()
    ids, mask = batch(made, "right")
    assert made(input_ids=ids, attention_mask=mask).logits.shape == (*ids.shape, 3)


@pytest.mark.parametrize("name", [spec.name for spec in readers_of_text()])
def test_every_class_of_the_reference_stands_for_a_head(name: str) -> None:
    spec = registry.find(ArchitectureSpec, name)
    assert set(spec.hf_classes.values()) >= {"backbone"}
    assert set(spec.hf_classes.values()) - {"backbone"} <= set(spec.heads)
    assert spec.summary
    assert spec.paper


@pytest.mark.parametrize("name", [spec.name for spec in readers_of_text()])
def test_what_the_spec_says_is_what_the_architecture_has(name: str) -> None:
    spec, architecture = registry.find(ArchitectureSpec, name), load_architecture(name)
    assert architecture.config.model_type == name
    assert set(spec.heads) == set(architecture.heads)
    assert set(spec.capabilities) == set(architecture.capabilities)


def test_a_backbone_tells_the_width_of_its_states_and_embeds_its_tokens(model: Model) -> None:
    backbone = model.backbone
    ids, mask = batch(model, "right")
    target = target_ids(model.config.model_type, "backbone" if "decoder_input_ids" in model.input_names else "", 4)
    with torch.no_grad():
        states = backbone(input_ids=ids, attention_mask=mask, **target).last_hidden_state
        embedded = backbone(inputs_embeds=backbone.embed(ids), attention_mask=mask, **target).last_hidden_state
    assert states.shape[-1] == backbone.width
    torch.testing.assert_close(embedded, states)


def test_a_backbone_that_takes_a_cache_makes_one(model: Model) -> None:
    if "past_key_values" in model.input_names:
        assert isinstance(model.backbone.new_cache(), DecoderCache)
    elif "mems" in model.input_names:
        with pytest.raises(InputError, match="keeps no key-value cache"):
            model.backbone.new_cache()
