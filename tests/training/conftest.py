"""What holds for the tests of trainings."""

from hypothesis import HealthCheck, settings

# on a loaded machine drawing takes its time
settings.register_profile("training", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("training")
