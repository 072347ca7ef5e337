"""Tokenizers and models go to a process that knows nothing of this one."""

import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import tfx_core
from tests.cases import architectures
from tests.models.released import NAMES, released
from tests.models.tiny import tiny_config
from tfx_testing.released import columns
from tfx_testing.text.added_tokens import add
from tfx_testing.text.base import TEXTS


def columns_and_types(pickled: bytes) -> list[object]:
    """In another process: what tokenizers give, and which models there are."""
    tokenizers, models = pickle.loads(pickled)
    return [*(columns(each, *TEXTS) for each in tokenizers), *((each.config, each.head_name) for each in models)]


def test_tokenizers_and_models_go_to_a_process_that_knows_nothing_of_this_one(tmp_path: Path) -> None:
    tokenizers = [add(tfx_core.load_tokenizer(released(name, tmp_path / name))) for name in NAMES]
    models = [
        tfx_core.new_model(spec.name, head=head, **tiny_config(spec.name))
        for spec in architectures()
        for head in ("backbone", *spec.heads)
    ]
    pickled = pickle.dumps((tokenizers, models))
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert pool.submit(columns_and_types, pickled).result() == columns_and_types(pickled)
