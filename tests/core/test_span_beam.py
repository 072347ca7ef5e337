"""The start-end beam head: what exists is ranked, what does not is marked, and the loss counts what has a label."""

import pytest
import torch
from torch import Tensor, nn

from tfx_core.errors import InputError
from tfx_core.model.heads.span_beam import AnswerClassifier, EndScorer, SpanBeamHead
from tfx_core.model.outputs import ModelOutput

WIDTH, LENGTH = 6, 7


@pytest.fixture
def head() -> SpanBeamHead:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return SpanBeamHead(
            nn.Linear(WIDTH, 1),
            EndScorer(nn.Linear(2 * WIDTH, WIDTH), nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 1)),
            AnswerClassifier(nn.Linear(2 * WIDTH, WIDTH), nn.Linear(WIDTH, 1, bias=False)),
            start_n_top=3,
            end_n_top=2,
        ).eval()


def output(rows: int = 2, length: int = LENGTH) -> ModelOutput:
    made = torch.randn(rows, length, WIDTH, generator=torch.Generator().manual_seed(1))
    return ModelOutput(last_hidden_state=made)


def ends(head: SpanBeamHead, hidden: Tensor, start: int) -> Tensor:
    """Probabilities ``(S)`` of the ends of one text for a start, by the formula."""
    joined = torch.cat((hidden, hidden[start].expand_as(hidden)), dim=-1)
    return head.end.score(head.end.norm(head.end.join(joined).tanh()))[:, 0].softmax(0)


@torch.no_grad()
def test_it_ranks_starts_and_for_each_of_them_ends(head: SpanBeamHead) -> None:
    states = output()
    found = head(states)
    assert found.start_top_index.shape == (2, 3)
    assert found.end_top_index.shape == (2, 6)
    for row, hidden in enumerate(states.last_hidden_state):
        starts = head.start(hidden)[:, 0].softmax(0)
        best = starts.topk(3)
        assert torch.equal(found.start_top_index[row], best.indices)
        torch.testing.assert_close(found.start_top_log_probs[row], best.values)
        for place, start in enumerate(best.indices.tolist()):
            best_ends = ends(head, hidden, start).topk(2)
            assert torch.equal(found.end_top_index[row, place::3], best_ends.indices)
            torch.testing.assert_close(found.end_top_log_probs[row, place::3], best_ends.values)
        expected = torch.cat((starts @ hidden, hidden[-1]))
        torch.testing.assert_close(found.cls_logits[row], head.answer.score(head.answer.join(expected).tanh())[0])


@torch.no_grad()
def test_nothing_is_found_where_no_answer_can_be(head: SpanBeamHead) -> None:
    barred = torch.tensor([[1, 0, 1, 0, 1, 1, 1], [1, 1, 0, 1, 1, 1, 1]])
    found = head(output(), p_mask=barred)
    assert set(found.start_top_index[0].tolist()) == {1, 3, -1}
    assert set(found.end_top_index[0].tolist()) <= {1, 3, -1}
    assert found.start_top_index[1].tolist() == [2, -1, -1]
    assert found.end_top_index[1].tolist() == [2, -1, -1, -1, -1, -1]
    for probabilities, index in (
        (found.start_top_log_probs, found.start_top_index),
        (found.end_top_log_probs, found.end_top_index),
    ):
        assert torch.equal(probabilities == 0, index == -1)


@torch.no_grad()
def test_a_text_shorter_than_the_beam_is_filled_up(head: SpanBeamHead) -> None:
    found = head(output(1, 1))
    assert found.start_top_index.tolist() == [[0, -1, -1]]
    assert found.end_top_log_probs.tolist() == [[1, 0, 0, 0, 0, 0]]


def test_the_loss_is_of_start_and_end_and_half_of_whether_there_is_an_answer(head: SpanBeamHead) -> None:
    states = output()
    labels = {"start_positions": torch.tensor([1, 4]), "end_positions": torch.tensor([3, 4])}
    plain = head(states, **labels)
    with_class = head(states, **labels, is_impossible=torch.tensor([0, 1]), cls_index=torch.tensor([0, 2]))
    hidden = states.last_hidden_state
    start = -torch.stack([head.start(hidden[row])[:, 0].log_softmax(0)[place] for row, place in ((0, 1), (1, 4))])
    end = -torch.stack([ends(head, hidden[0], 1)[3].log(), ends(head, hidden[1], 4)[4].log()])
    torch.testing.assert_close(plain.loss, (start.mean() + end.mean()) / 2)
    logits = head.answer(torch.stack((hidden[0, 1], hidden[1, 4])), torch.stack((hidden[0, 0], hidden[1, 2])))
    classes = nn.functional.binary_cross_entropy_with_logits(logits, torch.tensor([0.0, 1.0]))
    torch.testing.assert_close(with_class.loss, plain.loss + classes / 2)


def test_a_position_outside_the_text_does_not_count(head: SpanBeamHead) -> None:
    states = output()
    both = head(states, start_positions=torch.tensor([1, LENGTH + 2]), end_positions=torch.tensor([3, LENGTH + 2]))
    one = head(
        ModelOutput(last_hidden_state=states.last_hidden_state[:1]),
        start_positions=torch.tensor([1]),
        end_positions=torch.tensor([3]),
    )
    torch.testing.assert_close(both.loss, one.loss)


def test_labels_that_belong_together_are_asked_for(head: SpanBeamHead) -> None:
    with pytest.raises(InputError, match="go together"):
        head(output(), start_positions=torch.tensor([1, 2]))
    with pytest.raises(InputError, match="is_impossible"):
        head(output(), is_impossible=torch.tensor([1, 0]))
