"""One setting for all property tests: few examples, the same ones every time, no clock."""

from hypothesis import HealthCheck, settings

settings.register_profile("suite", max_examples=40, deadline=None, derandomize=True, database=None,
                          suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")
