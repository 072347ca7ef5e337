"""A search is narrowed by the metadata of passages: which rows fit, and what is no condition of the index."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.retrieval.fake_encoder import FakeEncoder
from tfx_core.embedding import Passage
from tfx_core.errors import InputError, PassageIndexError
from tfx_retrieval import SearchIndex, build_index, open_index
from tfx_retrieval.metadata import Columns
from tfx_retrieval.where import parsed_where

METADATA: list[dict[str, Any]] = [
    {"year": 1999, "language": "en", "draft": True},
    {"year": 2000, "language": "de", "weight": 0.5},
    {"year": 2010, "language": "en", "weight": 2},
    {"year": "unknown", "language": "français"},
    {},
    {"year": 2**62 + 1, "day": "2020-05-17", "draft": False},
    {"day": "2021-01-01", "language": ""},
]
PASSAGES = [Passage(f"text {row}", "topic", str(row), values) for row, values in enumerate(METADATA)]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> SearchIndex:
    folder = tmp_path_factory.mktemp("where") / "index"
    build_index(PASSAGES, FakeEncoder(), folder)
    return open_index(folder, FakeEncoder())


@pytest.mark.parametrize(
    ("where", "rows"),
    [
        ({}, range(7)),
        ({"year": 2000}, [1]),
        ({"year": 2000.0}, [1]),
        ({"year": [1999, 2010, 1]}, [0, 2]),
        ({"year": ["unknown", 1999]}, [0, 3]),
        ({"year": 2**62}, []),
        ({"year": 2**62 + 1}, [5]),
        ({"year": {"at_least": 2000}}, [1, 2, 5]),
        ({"year": {"above": 1999, "below": 2010}}, [1]),
        ({"year": {"at_most": 2000.5}}, [0, 1]),
        ({"language": "en"}, [0, 2]),
        ({"language": ["de", "français", "xx"]}, [1, 3]),
        ({"language": "xx"}, []),
        ({"language": ""}, [6]),
        ({"language": {"at_least": "de", "below": "f"}}, [0, 1, 2]),
        ({"day": {"above": "2020-05-17"}}, [6]),
        ({"day": {"at_most": "2020-05-17"}}, [5]),
        ({"draft": True}, [0]),
        ({"draft": [False, True]}, [0, 5]),
        ({"weight": {"at_least": 0.5}}, [1, 2]),
        ({"weight": 2}, [2]),
        ({"language": "en", "year": {"below": 2000}}, [0]),
    ],
)
def test_what_is_found_is_what_fits(index: SearchIndex, where: dict[str, Any], rows: list[int]) -> None:
    (hits,) = index.search(["text"], 10, where=where)
    assert sorted(hit.row for hit in hits) == [*rows]
    assert all(hit.passage.metadata == METADATA[hit.row] for hit in hits)
    scores, found = index.search_vectors(np.ones((3, 16), np.float32), 4, where=where)
    assert scores.shape == found.shape == (3, 4)
    assert {*found.flat} <= {*rows, -1}
    assert np.isneginf(scores[found < 0]).all()


def test_a_threshold_and_a_condition_together(index: SearchIndex) -> None:
    (best, *_), *_ = index.search(["topic: text 2"], 1)
    assert best.row == 2
    for least, number in ((best.score, 1), (best.score + 1e-3, 0), (-1, 2)):
        (hits, others) = index.search(["topic: text 2", "text 2"], 5, where={"language": "en"}, at_least=least)
        assert len(hits) == number
        assert all(hit.score >= least for hit in others)


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({"yaer": 1}, "no passage has a field 'yaer'; did you mean 'year'?.* there are: 'day', 'draft', 'language'"),
        ({"colour": 1}, "no passage has a field 'colour'; there are: 'day', 'draft'"),
        ({"language": 1}, "'language' is compared with a number; its values are of type text"),
        ({"weight": {"above": "a"}}, "'weight' is compared with a text; its values are of type number"),
        ({"year": {"atleast": 1}}, "has the bound 'atleast'; there are at_least, above, at_most, below"),
        ({"year": {"above": 1, "below": "b"}}, "give bounds of one type"),
        ({"year": {}}, "give bounds of one type"),
        ({"draft": {"above": True}}, "true and false have no order"),
        ({"year": []}, "empty list"),
        ({"year": None}, "'year' is compared with None; give a text"),
        ({"year": [[1]]}, r"compared with \[1\]"),
        ({"year": float("nan")}, "compared with nan"),
        ({"year": 10**30}, "compared with 1000"),
        ("year", "is no mapping"),
    ],
)
def test_what_is_no_condition_of_the_index(index: SearchIndex, where: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        index.search(["text"], where=where)


def test_an_index_without_metadata_has_no_fields(tmp_path: Path) -> None:
    index = build_index([Passage("a")], FakeEncoder(), tmp_path / "index")
    with pytest.raises(InputError, match="there are: none: no passage has metadata"):
        index.search(["a"], where={"year": 1})


@pytest.mark.parametrize("value", [None, [], {}, float("inf"), 2**63, object()])
def test_metadata_that_cannot_be_kept(tmp_path: Path, value: object) -> None:
    with pytest.raises(InputError, match="passage 'x': 'year' is "):
        build_index([Passage("a", id="x", metadata={"year": value})], FakeEncoder(), tmp_path / "index")  # type: ignore[dict-item]


def test_conditions_of_a_command_line() -> None:
    fields = {"year": {"number"}, "version": {"text"}, "draft": {"true or false"}}
    settings = ["year>=2000", "year < 2010", "version=3", "version=3.1", "draft=true", "other=x=y"]
    assert parsed_where(settings, fields) == {
        "year": {"at_least": 2000, "below": 2010},
        "version": ["3", "3.1"],
        "draft": [True],
        "other": ["x=y"],
    }
    for wrong in (["year"], ["=3"], ["year=1", "year>2"], ["year>1", "year>2"]):
        with pytest.raises(InputError, match="--where"):
            parsed_where(wrong, fields)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("metadata.json", b"[]", "holds a JSON list"),
        ("metadata.json", b'{"columns": 3}', "'columns' is 3"),
        ("metadata.json", b'{"columns": [{"field": "a", "type": "text", "texts": -1}]}', "is not a column"),
        ("metadata.json", b'{"columns": [{"field": "a", "type": "date", "texts": 0}]}', "is not a column"),
        ("metadata.2.npy", b"", "cannot be read"),
        ("metadata.2.texts", b"\xff" * 40, "is not UTF-8"),
        ("metadata.2.texts", b"", "would be bytes"),
    ],
)
def test_columns_that_cannot_be_trusted(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    build_index(PASSAGES, FakeEncoder(), tmp_path / "index")
    kinds = json.loads((tmp_path / "index" / "metadata.json").read_text())["columns"]
    assert (kinds[2]["field"], kinds[2]["type"]) == ("language", "text")
    (tmp_path / "index" / name).write_bytes(data)
    from tfx_retrieval.where import Condition

    with pytest.raises(PassageIndexError, match=message):
        Columns(tmp_path / "index", 7).mask(Condition("language", ["en"]))
