"""A plugin of pytest: tests of hypothesis have as many examples as MORE_EXAMPLES says, and others each time."""

import os

from hypothesis import settings


def pytest_collection_modifyitems(items):
    """Keep these tests alone, and set it for each."""
    items[:] = [item for item in items if getattr(getattr(item, "function", None), "is_hypothesis_test", False)]
    for function in {getattr(item.function, "__func__", item.function) for item in items}:
        known = function._hypothesis_internal_use_settings
        many = int(os.environ["MORE_EXAMPLES"])
        function._hypothesis_internal_use_settings = settings(known, max_examples=many, derandomize=False, database=None, deadline=None)
