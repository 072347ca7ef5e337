"""Methods and attributes of a model."""

import tempfile

from tests.integration.habits.world import World


def save_pretrained(world: World) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world.model().save_pretrained(folder)


DEEDS = {("model", "save_pretrained(folder)"): save_pretrained}
