"""What is read from a config, set in it and asked of it."""

import tfx_core
from tests.integration.habits.world import World


def hidden_size(world: World) -> None:
    for name in ("bert", "gpt2", "t5", "bart", "xlnet", "transfo-xl"):
        assert isinstance(tfx_core.new_model(name, **world.tiny(name)).config.hidden_size, int)


DEEDS = {("config", "hidden_size"): hidden_size}
