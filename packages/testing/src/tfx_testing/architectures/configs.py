"""The config: the keys that it knows, what it refuses, and numbers that no model can have."""

import json
from pathlib import Path
from typing import Any

import pytest

import tfx_core
from tfx_core.errors import CheckpointError, ConfigError, UnknownNameError
from tfx_core.model import ModelConfig
from tfx_testing.architectures.base import CaseChecks, config_of, tied_heads
from tfx_testing.folders import rewritten
from tfx_testing.refusing import refused
from tfx_testing.tiny import new_model

LARGEST = 10**9
"""Greatest number that a config may hold."""
NUMBERS = (-1, LARGEST, LARGEST + 1, 2**64, 10**400, 0.5, 1e308, float("inf"))
_DEPTHS = ("num_hidden_layers", "decoder_layers", "num_decoder_layers")


class ConfigChecks(CaseChecks):
    """Keys and values of ``config.json``."""

    # keys

    def test_what_is_declared_is_no_field(self) -> None:
        """A key that changes nothing, or whose other values are refused, is no field, and none has two meanings.

        Where one is: a key was made a field and left in ``inert_keys`` or ``neutral_values``.
        """
        config = self._kind()
        both = {*config.inert_keys, *config.neutral_values} & {*config.field_names(), *config.aliases}
        assert not both, f"both declared to have no effect, and fields or aliases: {sorted(both)}"

    def test_what_is_written_is_read_as_it_was(self) -> None:
        """``from_dict(to_dict())`` gives the same config, with every field set to its value, and so does JSON.

        Where it does not: a field holds what JSON cannot (a set, an array), or ``__post_init__`` changes a value that
        it has changed already.
        """
        config = config_of(type(self))
        assert type(config).from_dict(config.to_dict()) == config
        assert type(config).from_dict(json.loads(config.to_json_string())) == config

    def test_a_key_that_nothing_knows_is_told_kept_and_written_back(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A warning names the keys that nothing here knows, and they are saved again.

        Where they are not: ``from_dict`` is the config's own.
        """
        folder = self._folder(tmp_path)
        rewritten(folder, swing="\x1b[2J", _note=[1], extra=3)
        model = tfx_core.load_model(folder)
        assert [record.getMessage() for record in caplog.records] == [
            f"{folder}/config.json: keys that nothing here knows, kept and without effect: swing, extra"
        ]
        model.save_pretrained(tmp_path / "again")
        written = rewritten(tmp_path / "again")
        assert (written["swing"], written["_note"], written["extra"]) == ("\x1b[2J", [1], 3)

    def test_a_key_that_changes_results_and_is_not_honoured_is_refused(self, tmp_path: Path) -> None:
        """Keys in ``neutral_values`` may have the values there, or null; others are refused, naming file and key.

        Where they are not: a class in between overrides ``neutral_values`` without those above.
        """
        folder = self._folder(tmp_path)
        for key, values in {"quantization_config": ({},), **self._kind().neutral_values}.items():
            before = rewritten(folder)
            for value in (*values, None):
                rewritten(folder, **{key: value})
                tfx_core.load_model(folder)
            rewritten(folder, **{key: {"another": 1}})
            said = rf"^{folder}/config\.json: {key}=\{{'another': 1\}}: changes results"
            with pytest.raises(ConfigError, match=said):
                tfx_core.load_model(folder)
            (folder / "config.json").write_text(json.dumps(before), encoding="utf-8")

    def test_the_type_of_the_weights_has_one_name_in_a_file(self, tmp_path: Path) -> None:
        """The type that is stored stands in the file as ``torch_dtype`` alone, whatever it was read as.

        Where it does not: ``dtype`` or ``torch_dtype`` is a field of the config.
        """
        folder = self._folder(tmp_path)
        rewritten(folder, dtype="float16")
        tfx_core.load_model(folder, dtype="bfloat16").save_pretrained(tmp_path / "again")
        written = rewritten(tmp_path / "again")
        assert ("dtype" in written, written["torch_dtype"]) == (False, "bfloat16")

    def test_errors_of_what_is_installed_name_file_and_key(self, tmp_path: Path) -> None:
        """A head or an architecture that is not installed is told with file and key, and another can be asked for.

        Where it is not: ``model_type`` or ``tfx_head`` is read by the config itself.
        """
        folder = self._folder(tmp_path)
        before = rewritten(folder, architectures=[], tfx_head="absent")
        with pytest.raises(UnknownNameError, match=rf"^{folder}/config\.json: tfx_head='absent': no head 'absent' for"):
            tfx_core.load_model(folder)
        assert tfx_core.load_model(folder, head="backbone").head_name == "backbone"
        for wrong, error in (("absent", UnknownNameError), ([1], ConfigError), ("", ConfigError), (None, ConfigError)):
            rewritten(folder, **{**before, "model_type": wrong})
            with pytest.raises(error, match=rf"^{folder}/config\.json: model_type="):
                tfx_core.load_model(folder)

    # numbers

    def test_any_number_is_used_or_refused_by_name(self, tmp_path: Path) -> None:
        """Whatever number stands in a file, the model is as it says, or one error names the file.

        Where not: a field is a plain ``int`` or ``float``; `tfx_core.fields` has types with bounds. Or ``validate``
        divides before it has looked whether it can.
        """
        folder = self._folder(tmp_path)
        before = rewritten(folder)
        keys = [key for key, value in before.items() if isinstance(value, int | float) and not isinstance(value, bool)]
        assert keys, "the config has no number"
        begins = (f"{folder}/config.json: ", f"{folder}: its tensors do not fit its config.json")
        count = 0
        for key in keys:
            for number in NUMBERS:
                rewritten(folder, **{**before, key: number})
                said = self._said_of(folder)
                assert said is None or said.startswith(begins), (
                    f"{key}={str(number)[:20]}: not told by the file: {said}"
                )
                count += said is not None
        assert count > 4 * len(keys), f"of {len(NUMBERS) * len(keys)} values only {count} are refused"

    def test_layers_are_counted_before_all_are_built(self, tmp_path: Path) -> None:
        """A file that asks for more layers than its weights can have is refused before they are built.

        Where it is not: building a layer does more than make modules. A config that counts its layers otherwise says
        how in the case's ``deepest``.
        """
        folder = self._folder(tmp_path)
        before, config = rewritten(folder), self._kind()
        own = {config.aliases.get(key, key): value for key, value in self.case.deepest.items()}
        for values in (own, *({key: LARGEST} for key in _DEPTHS if key in config.field_names())):
            rewritten(folder, **{**before, **values})
            said = r"asks for more than 1\d\d\d tensors|\w+=\S+: must be (an integer )?from [01] to \d+|num_hidden_lay"
            with pytest.raises(ConfigError, match=rf"^{folder}/config\.json: ({said})"):
                tfx_core.load_model(folder)

    def test_a_new_model_without_measure_is_an_error(self) -> None:
        """Sizes whose product no memory holds are an error, not a failure of torch.

        Where they are not: a module fills its tensors in ``__init__``; leave that to ``initialise``.
        """
        config: Any = config_of(type(self))
        values = {key: getattr(config, key) for key in config.field_names() if key != "extra"}
        width = config.hidden_size * 10**7
        wide = {"vocab_size": LARGEST, "hidden_size": width, **self.case.goes_with("hidden_size", width)}
        wide = {config.aliases.get(key, key): size for key, size in wide.items()}
        with pytest.raises(ConfigError, match=r"^a model of these sizes"):
            tfx_core.new_model(self.case.model_type, **{**values, **wide})

    def test_epsilons_deviations_and_classes_have_bounds(self) -> None:
        """Numbers with a fraction are finite and not negative, epsilons are small, and classes can be counted.

        Where they need not be: the field is a plain ``float``; `tfx_core.fields` has ``Rate``, ``Epsilon``,
        ``Positive`` and others.
        """
        config = self._kind()
        floats = [key for key in config.field_names() if type(getattr(config(), key)) is float]
        wrong = [(key, value) for key in floats for value in (1e308, float("inf"), float("nan"), -1.0)]
        wrong += [(key, 1e30) for key in floats if "eps" in key]
        for key, value in wrong:
            with refused(f"^{key}=", f"{key}={value}", ConfigError):
                config.of(**{key: value})
        with pytest.raises(ConfigError, match=r"^num_labels=1000000000: must be an integer from 0 to \d+$"):
            config.of(num_labels=10**9)
        with pytest.raises(ConfigError, match=r"^id2label: names 100000 classes; must be at most \d+$"):
            config.of(id2label=dict.fromkeys(range(100000), "a"))

    def test_no_class_at_all_is_refused(self) -> None:
        """``num_labels=0`` is an error, of a new model and of its config.

        Where it is none: the config has a ``num_labels`` of its own.
        """
        said = "num_labels=0: must be an integer from 1 to"
        with pytest.raises(ConfigError, match=said):
            new_model(self.case, num_labels=0)
        with pytest.raises(ConfigError, match=said):
            new_model(self.case).config.replace(num_labels=0)

    def _said_of(self, folder: Path) -> str | None:
        """The error of loading a folder, in words."""
        try:
            tfx_core.load_model(folder)
        except (ConfigError, CheckpointError) as error:
            return str(error)
        except Exception as error:
            return repr(error)
        return None

    def _kind(self) -> type[ModelConfig]:
        return type(config_of(type(self)))

    def _folder(self, folder: Path) -> Path:
        """A tiny model with the head that has ties, where there is one, saved."""
        head = next(iter(tied_heads(type(self))), "backbone")
        new_model(self.case, head).save_pretrained(folder)
        return folder
