"""Models learn in a loop of one's own: plain, and with accelerate."""

from typing import Any

import torch
from accelerate import Accelerator
from torch.utils.data import DataLoader

import tfx_core
from tests.trainers.learning import Trained, same


def loader(trained: Trained, model_type: str) -> Any:
    return DataLoader(trained.rows(model_type), batch_size=8, collate_fn=trained.collator(model_type))  # type: ignore[arg-type]


def test_a_plain_loop(trained: Trained) -> None:
    for model_type in ("bert", "gpt2", "t5"):
        model = trained.model(model_type).train()
        optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
        scheduler = torch.optim.lr_scheduler.LinearLR(optimizer, total_iters=12)
        values = []
        for _ in range(4):
            for batch in loader(trained, model_type):
                loss = model(**batch).loss
                loss.backward()
                torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                scheduler.step()
                optimizer.zero_grad()
                values.append(loss.item())
        assert values[-1] < 0.8 * values[0]


def test_accelerate_trains_saves_and_loads(trained: Trained) -> None:
    accelerator = Accelerator(cpu=True)
    model = trained.model("gpt2").train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    prepared, optimizer, batches = accelerator.prepare(model, optimizer, loader(trained, "gpt2"))
    values = []
    for _ in range(3):
        for batch in batches:
            loss = prepared(**batch).loss
            accelerator.backward(loss)
            accelerator.clip_grad_norm_(prepared.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            values.append(loss.item())
    assert values[-1] < values[0]
    folder = trained.root / "state"
    accelerator.save_state(str(folder))
    assert same(tfx_core.load_model(folder), accelerator.unwrap_model(prepared))
    with torch.no_grad():
        for parameter in prepared.parameters():
            parameter.zero_()
    accelerator.load_state(str(folder))
    assert same(tfx_core.load_model(folder), accelerator.unwrap_model(prepared))
    accelerator.unwrap_model(prepared).save_pretrained(trained.root / "saved")
    assert same(tfx_core.load_model(trained.root / "saved"), accelerator.unwrap_model(prepared))
