"""What settings there may be, and the rates that follow from them."""

import click
import pytest
from click.testing import CliRunner

from tfx_core.errors import InputError
from tfx_training import TrainingSettings
from tfx_training.flags import settings_of, training_flags
from tfx_training.loop.optimisers import rate_of


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({}, "exactly one says how long to train; given: none of them"),
        ({"steps": 1, "minutes": 2}, "exactly one says how long to train; given: steps and minutes"),
        ({"steps": 0}, "steps=0: must be an integer at least 1, or None"),
        ({"minutes": 0.0}, "minutes=0.0: must be a number above 0, or None"),
        ({"steps": 3, "warmup": 4}, "warmup=4: there are only 3 steps"),
        ({"steps": 3, "patience": 2}, "patience=2: evaluate_every must say how often"),
        ({"steps": 3, "rate": -1}, "rate=-1: must be a number above 0 and finite as a float32"),
        ({"steps": 3, "betas": (0.9,)}, r"betas=\(0.9,\): must be a list of a number, a number"),
        ({"steps": 3, "betas": (0.9, 1.0)}, r"betas=\(0.9, 1.0\): each must be below 1"),
        ({"steps": 3, "schedule": "cosin"}, "schedule='cosin': must be one of 'linear', 'cosine'"),
        ({"steps": 3, "precision": "fp8"}, "precision='fp8': must be one of 'no', 'bf16', 'fp16', or None"),
    ],
)
def test_what_is_no_setting(given: dict[str, object], error: str) -> None:
    with pytest.raises(InputError, match=error):
        TrainingSettings(**given)  # type: ignore[arg-type]


def rates(schedule: str, steps: int = 10, warmup: int = 2) -> list[float]:
    settings = TrainingSettings(steps=steps, warmup=warmup, schedule=schedule, rate=1.0)  # type: ignore[arg-type]
    return [rate_of(settings, step, step / steps, warmup / steps) for step in range(steps)]


def test_rates() -> None:
    assert rates("linear") == pytest.approx([0.5, 1, 1, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8])
    assert rates("cosine")[2] == 1.0
    assert rates("cosine")[6] == pytest.approx(0.5)
    assert rates("constant") == [0.5, *[1.0] * 9]
    assert rates("inverse-sqrt", warmup=4)[3:] == pytest.approx([(4 / step) ** 0.5 for step in range(4, 11)])
    assert rates("linear", 3, 3) == pytest.approx([1 / 3, 2 / 3, 1])
    by_time = TrainingSettings(minutes=1.0, rate=1.0)
    assert rate_of(by_time, 1000, 0.75, 0.5) == pytest.approx(0.5)


def test_options_are_the_settings() -> None:
    found: list[TrainingSettings] = []

    @click.command()
    @training_flags
    def command(**values: object) -> None:
        found.append(settings_of(values))

    typed = "--steps 7 --betas 0.8 0.9 --clipping inf --compile --trackers a --trackers b --schedule cosine"
    assert CliRunner().invoke(command, typed.split()).exit_code == 0
    assert found == [
        TrainingSettings(
            steps=7, betas=(0.8, 0.9), clipping=float("inf"), compile=True, trackers=("a", "b"), schedule="cosine"
        )
    ]
