"""What is Longformer's own: windows, global tokens with projections of their own, and who chooses them."""

from typing import Any

import pytest
import torch
from torch import Tensor

import tfx_core
from tests.models.labelled import SIDES, Text, padded_batch, tiny_model
from tests.models.tiny import random_ids
from tfx_core.errors import InputError
from tfx_core.model import Model

SEPARATOR = 2
CONFIGS: tuple[dict[str, Any], ...] = (
    {"attention_window": [2, 6, 4]},
    {"attention_dilation": [1, 2, 3]},
    {"attention_window": 64},
    {"attention_window": 64, "attention_dilation": 2},
    {"autoregressive": True},
    {"autoregressive": True, "attention_dilation": [3, 1, 2], "attention_window": [2, 6, 4]},
    {"autoregressive": True, "attention_window": 64},
)
LENGTHS, GLOBAL = (9, 4, 7), ((0, 3, 8), (2,), ())


def by_hand(model: Model, ids: Tensor, chosen: list[bool]) -> Tensor:
    """States ``(1, T, D)``, token by token, by the names of the released tensors."""
    tensors, backbone = model.state_dict_for_files(), model.backbone
    first = backbone.first_position
    x = backbone.embeddings(ids, torch.arange(ids.shape[1]), None)[0]
    assert first == 2
    for number, layer in enumerate(backbone.stack.layers):
        of_layer = {
            name.removeprefix(f"encoder.layer.{number}.attention.self."): each for name, each in tensors.items()
        }
        rows = [one_token(model.config, of_layer, x, number, place, chosen) for place in range(len(x))]
        attention = layer.self_attention
        x = layer.feed_forward(attention.norm(x + attention.sublayer.out(torch.stack(rows))))
    return x[None]


def one_token(config: Any, weights: dict[str, Tensor], x: Tensor, layer: int, place: int, chosen: list[bool]) -> Tensor:
    """What one token's heads see, side by side."""
    window = config.windows[layer]

    def seen(other: int) -> bool:
        ahead = other - place
        near = ahead % window.dilation == 0 and abs(ahead) <= window.before * window.dilation
        return (near or chosen[place] or chosen[other]) and (ahead <= 0 or not config.autoregressive)

    def project(name: str, tokens: Tensor) -> Tensor:
        name = f"{name}_global" if chosen[place] else name
        made = tokens @ weights[f"{name}.weight"].t() + weights[f"{name}.bias"]
        return made.view(len(tokens), config.num_attention_heads, -1).transpose(0, 1)  # (H, n, d)

    others = x[[other for other in range(len(x)) if seen(other)]]
    query, key, value = project("query", x[place : place + 1]), project("key", others), project("value", others)
    scores = query @ key.transpose(1, 2) / key.shape[-1] ** 0.5
    return (scores.softmax(-1) @ value).flatten()


def texts() -> list[Text]:
    """Of different lengths, with other global tokens, of another number, in each."""
    made = []
    for seed, (length, places) in enumerate(zip(LENGTHS, GLOBAL, strict=True)):
        ids = random_ids("longformer", 1, length, seed)
        chosen = torch.zeros_like(ids).index_fill(1, torch.tensor(places, dtype=torch.long), 1)
        made.append(Text({"input_ids": ids, "attention_mask": torch.ones_like(ids), "global_attention_mask": chosen}))
    return made


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_every_token_sees_its_window_and_the_global_tokens(config: dict[str, Any]) -> None:
    model = tiny_model("longformer", "backbone", **config)
    with torch.no_grad():
        for text in texts():
            states = model(**text.inputs, output_attentions=True).last_hidden_state
            wanted = by_hand(model, text.inputs["input_ids"], text.inputs["global_attention_mask"][0].bool().tolist())
            torch.testing.assert_close(states, wanted, rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(model(**text.inputs).last_hidden_state, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("config", [{}, *CONFIGS], ids=str)
def test_padding_changes_neither_states_nor_reports(config: dict[str, Any], side: str, packed: bool) -> None:
    model, given = tiny_model("longformer", "backbone", **config), texts()
    model.packed = packed
    asked = {"output_attentions": True, "output_hidden_states": True}
    with torch.no_grad():
        together, plain = model(**padded_batch(given, side), **asked), model(**padded_batch(given, side))
        for row, text in enumerate(given):
            alone, columns = model(**text.inputs, **asked), text.columns(side)
            for states in (*together.hidden_states[-1:], plain.last_hidden_state):
                torch.testing.assert_close(
                    states[row : row + 1, columns], alone.last_hidden_state, rtol=1e-4, atol=1e-5
                )
            count = len(GLOBAL[row])
            for ours, theirs in zip(together.attentions, alone.attentions, strict=True):
                of_text = ours[row : row + 1, :, columns]
                torch.testing.assert_close(of_text[..., :count], theirs[..., :count])
                assert not of_text[..., count:3].any()
                torch.testing.assert_close(of_text[..., 3:], theirs[..., count:])
            for number, ours in enumerate(together.global_attentions):
                assert not ours[row, :, :, count:].any()
                if count:
                    of_text = ours[row : row + 1, :, columns, :count]
                    torch.testing.assert_close(of_text, alone.global_attentions[number])


def test_weights_are_reported_once_each_as_by_the_reference() -> None:
    model, text = tiny_model("longformer", "backbone", attention_window=[2, 6, 4]), texts()[0]
    output = model(**text.inputs, output_attentions=True)
    assert [each.shape for each in output.attentions] == [(1, 4, 9, 3 + window + 1) for window in (2, 6, 4)]
    assert [each.shape for each in output.global_attentions] == [(1, 4, 9, 3)] * 3
    chosen = text.inputs["global_attention_mask"][0].bool()
    for each in output.attentions:
        torch.testing.assert_close(each.sum(-1), (~chosen).float().expand(1, 4, 9))
    for each in output.global_attentions:
        torch.testing.assert_close(each.sum(2), torch.ones(1, 4, 3))
    with pytest.raises(AttributeError, match=r"no 'global_attentions'.*ask for it with output_attentions=True"):
        model(text.inputs["input_ids"], output_attentions=True).global_attentions  # noqa: B018


def test_gradients_reach_the_reports() -> None:
    model, text = tiny_model("longformer", "backbone"), texts()[0]
    output = model(**text.inputs, output_attentions=True)
    reports = (*output.attentions, *output.global_attentions)
    found = torch.autograd.grad(output.last_hidden_state.square().sum(), reports)
    assert all(bool(each.any()) for each in found)


def test_what_is_compiled_is_the_same_with_other_global_tokens() -> None:
    model, (first, second, _) = tiny_model("longformer", "backbone"), texts()
    longer = {name: torch.cat((x, x[:, :7]), dim=1) for name, x in second.inputs.items()}
    torch.compiler.reset()
    compiled: Any = torch.compile(model, backend="eager", fullgraph=True)
    with torch.no_grad():
        for inputs in (first.inputs, longer):
            wanted = model(**inputs).last_hidden_state
            torch.testing.assert_close(compiled(**inputs).last_hidden_state, wanted)


@pytest.mark.parametrize("pattern", ["window(1)", "window(2, 0)", "chunks(3)", "global(1)"])
def test_a_pattern_bounds_global_tokens_too_compiled_or_not(pattern: str) -> None:
    model, given = tiny_model("longformer", "backbone"), texts()
    model.attention = pattern  # type: ignore[assignment]  # a property that takes more than it gives
    batch = padded_batch(given, "holes")
    torch.compiler.reset()
    compiled: Any = torch.compile(model, backend="eager", fullgraph=True)
    with torch.no_grad():
        for states in (model(**batch).last_hidden_state, compiled(**batch).last_hidden_state):
            for text, row in zip(given, states, strict=True):
                alone = model(**text.inputs).last_hidden_state[0]
                torch.testing.assert_close(row[text.columns("holes")], alone, atol=1e-5, rtol=1e-4)


# who chooses


def pair(*lengths: int) -> Tensor:
    """``<s> first </s></s> second </s>``, of so many tokens each."""
    first, second = (random_ids("longformer", 1, length + 1, seed=length)[:, :-1] for length in lengths)
    end = torch.full((1, 1), SEPARATOR)
    return torch.cat((end * 0, first, end, end, second, end), dim=1)


def chosen(model: Model, **inputs: Tensor) -> list[list[int]]:
    """Columns of the global tokens of each row of a call."""
    mask: Tensor = model.head.arrange(inputs)["global_attention_mask"]
    return [row.nonzero()[:, 0].tolist() for row in mask]


def test_heads_choose_global_tokens_as_released() -> None:
    ids = pair(3, 4)
    assert chosen(tiny_model("longformer", "sequence-classification"), input_ids=ids) == [[0]]
    assert chosen(tiny_model("longformer", "question-answering"), input_ids=ids) == [[0, 1, 2, 3]]
    choices = torch.stack((ids, ids), dim=1)
    assert chosen(tiny_model("longformer", "multiple-choice"), input_ids=choices) == [[6, 7, 8, 9, 10]] * 2
    for head in ("masked-lm", "token-classification", "backbone"):
        assert "global_attention_mask" not in tiny_model("longformer", head).head.arrange({"input_ids": ids})


@pytest.mark.parametrize("head", ["sequence-classification", "question-answering", "multiple-choice"])
def test_they_choose_among_real_tokens(head: str) -> None:
    model = tiny_model("longformer", head)
    alone = pair(2, 3)
    ids = torch.cat((torch.full((1, 3), SEPARATOR), alone), dim=1)  # padding made of what separates texts
    mask = (torch.arange(ids.shape[1]) >= 3).long()[None]
    padded: dict[str, Tensor] = {"input_ids": ids, "attention_mask": mask}
    whole: dict[str, Tensor] = {"input_ids": alone}
    if head == "multiple-choice":
        padded, whole = ({name: x[:, None] for name, x in each.items()} for each in (padded, whole))
    assert chosen(model, **padded) == [[3 + column for column in row] for row in chosen(model, **whole)]
    name = "start_logits" if head == "question-answering" else "logits"
    ours, wanted = model(**padded)[name], model(**whole)[name]
    torch.testing.assert_close(ours[:, 3:] if head == "question-answering" else ours, wanted)


def test_texts_packed_into_a_row_have_their_own_questions() -> None:
    model, parts = tiny_model("longformer", "question-answering"), [pair(2, 3), pair(4, 1)]
    positions = torch.cat([torch.arange(part.shape[1]) for part in parts])[None] + 2
    first = parts[0].shape[1]
    assert chosen(model, input_ids=torch.cat(parts, dim=1), position_ids=positions) == [
        [0, 1, 2, *(first + column for column in range(5))]
    ]


@pytest.mark.parametrize("head", ["sequence-classification", "question-answering", "multiple-choice"])
def test_what_the_caller_chooses_counts(head: str) -> None:
    model, ids = tiny_model("longformer", head), pair(3, 4)
    given = torch.zeros_like(ids).index_fill(1, torch.tensor([2, 5]), 1)
    inputs = {"input_ids": ids, "global_attention_mask": given}
    other = {**inputs, "global_attention_mask": given * 0}
    if head == "multiple-choice":
        inputs, other = ({name: x[:, None] for name, x in each.items()} for each in (inputs, other))
    assert chosen(model, **inputs) == [[2, 5]]
    assert "global_attentions" in model(**inputs, output_attentions=True)
    assert "global_attentions" not in model(**other, output_attentions=True)


# what is refused


def test_global_tokens_are_tokens_of_the_text() -> None:
    model, ids = tiny_model("longformer", "backbone"), random_ids("longformer", 2, 6)
    mask = torch.tensor([[1] * 6, [1, 1, 1, 1, 0, 0]])
    on_padding = torch.zeros_like(ids).index_fill(1, torch.tensor([4]), 1)
    with pytest.raises(InputError, match="global_attention_mask: token 4 of row 1 is padding by attention_mask; only"):
        model(ids, attention_mask=mask, global_attention_mask=on_padding)
    for shape in ((2, 7), (3, 6), (2, 6, 6)):
        with pytest.raises(InputError, match=r"global_attention_mask of shape \(.*\): these tokens ask for \(2, 6\)"):
            model(ids, global_attention_mask=torch.ones(shape))
    with pytest.raises(InputError, match="global_attention_mask: 2 is neither"):
        model(ids, global_attention_mask=ids * 0 + 2)
    with pytest.raises(InputError, match="attention_mask with three axes: this model's attention counts by columns"):
        model(ids, attention_mask=torch.ones(2, 6, 6))


@pytest.mark.parametrize("head", ["question-answering", "multiple-choice"])
def test_a_head_that_cannot_tell_the_texts_apart_says_what_to_give(head: str) -> None:
    cure = "give global_attention_mask, 1 for each token that shall see all others"
    model, ids = tiny_model("longformer", head), torch.cat((pair(2, 2), torch.full((1, 8), 7)))
    vectors = model.backbone.embed(ids)
    axis = 1 if head == "multiple-choice" else 0
    ids, vectors = (x.unsqueeze(1) if axis else x for x in (ids, vectors))
    with pytest.raises(InputError, match=rf"input_ids: row 1 has no token 2 \(sep_token_id\), .* pair, or {cure}"):
        model(ids)
    with pytest.raises(InputError, match=f"inputs_embeds: vectors do not tell which token separates .*; {cure}"):
        model(inputs_embeds=vectors)
    model.config.sep_token_id = None
    with pytest.raises(InputError, match=f"sep_token_id=None in the config: .*; {cure}"):
        model(ids)
    given = torch.ones_like(ids)
    for tokens in ({"input_ids": ids}, {"inputs_embeds": vectors}):
        assert model(**tokens, global_attention_mask=given)


def test_a_model_for_any_window_is_made_by_its_config() -> None:
    tiny = {"hidden_size": 8, "num_attention_heads": 2, "num_hidden_layers": 2, "intermediate_size": 8}
    model = tfx_core.new_model("longformer", **tiny, vocab_size=30, max_position_embeddings=4098, attention_window=6)
    assert model.max_positions == 4096
    assert model(random_ids("longformer", 1, 1030) % 30).last_hidden_state.isfinite().all()
