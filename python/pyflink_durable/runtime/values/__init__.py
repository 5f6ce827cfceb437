"""Values on their way between the languages: the Python half of `pyflink.durable.value`.

Java writes inputs and keys as pickles, which call `incoming`. What a handler emits is brought here
into the plain form of its declared type, which Java reads; what does not fit is said here, with the
place in the value.
"""

from pyflink_durable.runtime.values.description import Description, read_description
from pyflink_durable.runtime.values.keys import check_key
from pyflink_durable.runtime.values.misfit import Misfit
from pyflink_durable.runtime.values.output_type import OutputType
from pyflink_durable.runtime.values.outputs import UNTYPED, Emission, Outputs, StepOutputs

__all__ = [
    "UNTYPED",
    "Description",
    "Emission",
    "Misfit",
    "OutputType",
    "Outputs",
    "StepOutputs",
    "check_key",
    "read_description",
]
