"""The losses are those of the paper, in one process and in several."""

import os
import socket
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor, nn

from tfx_core.errors import InputError
from tfx_retrieval.training import rank_loss, reader_loss

NEVER = -torch.inf


def vectors(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# -- ranking -----------------------------------------------------------------------------------------------------------


def test_each_question_tells_its_passage_from_all_others_of_the_batch() -> None:
    questions, passages, positives = vectors(3, 4), vectors(7, 4, seed=1), torch.tensor([0, 2, 5])
    ranked = rank_loss(questions, passages, positives, scale=0.5)
    scores = (0.5 * questions.double() @ passages.double().T).exp()
    expected = [-(row[place] / row.sum()).log() for row, place in zip(scores, positives, strict=True)]
    assert ranked.loss.item() == pytest.approx(torch.stack(expected).mean().item(), abs=1e-5)
    right = sum(int(row.argmax() == place) for row, place in zip(scores, positives, strict=True))
    assert ranked.accuracy.item() == pytest.approx(right / 3)
    assert ranked.scores.shape == (3, 7)


def test_right_passages_of_a_question_that_another_brought_do_not_count_against_it() -> None:
    questions, passages = vectors(3, 4), vectors(4, 4, seed=1)
    passages[2] = passages[0]
    identities, positives = torch.tensor([11, 12, 11, 13]), torch.tensor([0, 1, 2])
    known = torch.tensor([[11, -1], [12, 13], [11, -1]])
    ranked = rank_loss(questions, passages, positives, known=known, identities=identities)
    assert (ranked.scores == NEVER).tolist() == [
        [False, False, True, False],
        [False] * 3 + [True],
        [True] + [False] * 3,
    ]
    alone = rank_loss(questions[:1], passages[[0, 1, 3]], positives[:1])
    assert -ranked.scores[0].log_softmax(-1)[0].item() == pytest.approx(alone.loss.item(), abs=1e-6)
    as_released = rank_loss(questions, passages, positives)
    assert as_released.scores.isfinite().all()


@pytest.mark.parametrize("count", [1, 2])
def test_a_loss_that_could_teach_nothing_is_refused(count: int) -> None:
    identities = torch.full((count,), 7)
    with pytest.raises(InputError, match="more questions in a batch, or hard negatives"):
        rank_loss(
            vectors(count, 4), vectors(count, 4), torch.arange(count), known=identities[:, None], identities=identities
        )
    with pytest.raises(InputError, match="both or neither"):
        rank_loss(vectors(2, 4), vectors(2, 4), torch.arange(2), identities=identities)


# -- of several processes ----------------------------------------------------------------------------------------------

SHARES = ((slice(0, 3), slice(0, 5)), (slice(3, 4), slice(5, 8)))
"""Questions and passages of each process: not as many."""


def batch() -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    identities = torch.tensor([1, 2, 3, 4, 5, 6, 3, 8])
    known = torch.tensor([[1, -1], [3, -1], [5, 8], [6, 3]])
    return vectors(4, 6), vectors(8, 6, seed=1), torch.tensor([0, 2, 4, 5]), known, identities


def learned(questions: slice, passages: slice) -> tuple[nn.Linear, Tensor]:
    torch.manual_seed(0)
    model = nn.Linear(6, 6)
    all_questions, all_passages, positives, known, identities = batch()
    ranked = rank_loss(
        model(all_questions[questions]),
        model(all_passages[passages]),
        positives[questions] - (passages.start or 0),
        known=known[questions],
        identities=identities[passages],
    )
    torch.autograd.backward(ranked.loss)
    return model, ranked.loss.detach()


def one_of_two(rank: int, port: int, folder: Path) -> None:
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    dist.init_process_group("gloo", rank=rank, world_size=2)
    model, loss = learned(*SHARES[rank])
    torch.save([loss, *(parameter.grad for parameter in model.parameters())], folder / f"{rank}.pt")
    dist.destroy_process_group()


def test_several_processes_learn_what_one_learns(tmp_path: Path) -> None:
    model, loss = learned(slice(0, 4), slice(0, 8))
    whole = [loss, *(parameter.grad for parameter in model.parameters())]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mp.spawn(one_of_two, (port, tmp_path), nprocs=2)
    for expected, *parts in zip(whole, *(torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1)), strict=True):
        torch.testing.assert_close(sum(parts) / 2, expected)  # as DistributedDataParallel takes the mean
    assert whole[1] is not None
    assert whole[1].abs().max() > 1e-3


# -- reading -----------------------------------------------------------------------------------------------------------


def test_the_reader_learns_every_place_of_the_answer_and_which_passage_has_it() -> None:
    starts, ends, relevance = vectors(2, 3, 6), vectors(2, 3, 6, seed=1), vectors(2, 3, seed=2)
    spans = torch.tensor([[[1, 2], [4, 4]], [[0, 3], [-1, -1]]])
    expected = 0.0
    for row, places in enumerate(([(1, 2), (4, 4)], [(0, 3)])):
        first, last = starts[row, 0].double().softmax(-1), ends[row, 0].double().softmax(-1)
        expected -= relevance[row].double().log_softmax(-1)[0].item()
        expected -= sum(first[begin] * last[end] for begin, end in places).log().item()
    assert reader_loss(starts, ends, relevance, spans).item() == pytest.approx(expected / 2, abs=1e-5)


def test_padding_of_passages_and_questions_without_a_span_do_not_disturb_the_others() -> None:
    starts, ends, relevance = vectors(1, 2, 4), vectors(1, 2, 4, seed=1), vectors(1, 2, seed=2)
    spans = torch.tensor([[[1, 2]]])
    alone = reader_loss(starts, ends, relevance, spans)
    wider = [torch.cat([each, vectors(1, 2, 3, seed=3)], dim=-1).requires_grad_() for each in (starts, ends)]
    mask = torch.tensor([[[1, 1, 1, 1, 0, 0, 0]] * 2])
    padded = reader_loss(wider[0], wider[1], relevance, spans, mask=mask)
    torch.testing.assert_close(padded, alone)
    nowhere = torch.full((1, 1, 2), -1)
    ranked = relevance.log_softmax(-1)[0, 0]
    both = reader_loss(
        torch.cat([wider[0], wider[0]]),
        torch.cat([wider[1], wider[1]]),
        torch.cat([relevance, relevance]),
        torch.cat([spans, nowhere]),
        mask=torch.cat([mask, mask]),
    )
    torch.testing.assert_close(both, (alone - ranked) / 2)
    torch.autograd.backward(both)
    assert all(each.grad is not None and each.grad.isfinite().all() for each in wider)
