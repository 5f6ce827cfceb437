"""Whatever is declared, what a handler emits is what the next one gets."""

from __future__ import annotations

from crossing import Crossing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_types import Typed, types
from type_cases import same


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(types, st.data())
def test_values_of_random_types_come_back_as_they_were(typed: Typed, data: st.DataObject) -> None:
    type_info, values = typed
    emitted = data.draw(st.lists(values, min_size=1, max_size=5))
    seen = Crossing(type_info).there_and_back(emitted)
    assert all(map(same, seen, emitted)), (seen, emitted)
    assert len(seen) == len(emitted)
