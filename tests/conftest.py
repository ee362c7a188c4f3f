"""One setting for all property tests: few examples, the same ones every time, no clock. Groups stay on one process."""

import gc

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("suite", max_examples=40, deadline=None, derandomize=True, database=None,
                          suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    """What tests of a group share is made once: pytest-xdist must have written the group into their names."""
    if getattr(config.option, "loadgroup", False):
        lost = [item.nodeid for item in items if item.get_closest_marker("xdist_group") and "@" not in item.nodeid]
        assert not lost, f"pytest-xdist does not keep together {lost}"


def pytest_collection_finish():
    """Ten thousand tests and the vectors are there to the end: the collector does not go through them again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
