"""Takes values of a type through the Java half of the converters, and through PyFlink's coders.

Java objects must stay in Java: py4j makes Python objects of numbers and strings, and forgets their
classes. So what is to be done with each is a Java function, made of method handles.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from itertools import chain
from typing import Any

from pyflink.common import TypeInformation
from pyflink.fn_execution import flink_fn_execution_pb2
from pyflink.fn_execution.coders import from_type_info_proto
from pyflink.java_gateway import get_gateway
from pyflink.util.java_utils import add_jars_to_context_class_loader

from pyflink_durable.client.jars import bridge_jar
from pyflink_durable.runtime.telemetry.telemetry import LocalTelemetry
from pyflink_durable.runtime.values import Outputs, StepOutputs, read_description


class Crossing:
    """The ways of one type's values.

    Args:
        type_info: The type.
    """

    def __init__(self, type_info: TypeInformation) -> None:
        self._gateway = get_gateway()
        self._jvm = self._gateway.jvm
        add_jars_to_context_class_loader([bridge_jar().as_uri()])
        self._j_type = type_info.get_java_type_info()
        value_type = self._class("ValueType")
        of = value_type.getMethod("of", self._classes(self._load(_TYPE_INFORMATION)))
        self._value_type = of.invoke(None, self._array(self._j_type))
        self._outputs = self._new("OutputValues", self._j_type, self._jvm.java.util.ArrayList())

    def describe(self) -> bytes:
        """What Java says of the type as an output."""
        described: bytes = self._outputs.describe()
        return described

    # ---------------------------------------------------------------- the ways

    def out(self, values: Sequence[Any]) -> Any:
        """Has a handler emit values: gives the Java objects, in a list of Java."""
        outputs = Outputs(read_description(self.describe()), "orders", LocalTelemetry())
        step = StepOutputs()
        for value in values:
            step.add(outputs.main(value, lambda: "key='a'"))
        return self._jvm.java.util.Arrays.asList(self._outputs.read(self._array(*step.take())))

    def into(self, j_values: Any) -> list[Any]:
        """Hands Java objects to a handler."""
        inputs = self._new("InputValues", self._value_type)
        j_values.forEach(self._consumer(inputs, "add", _OBJECT))
        return list(chain.from_iterable(map(pickle.loads, inputs.take())))

    def as_keys(self, j_values: Any) -> list[Any]:
        """Hands Java objects to handlers as keys, each by itself."""
        handle = self._handle(self._value_type, "pickle", self._load(_OBJECT))
        pickled = self._interface("java.util.function.Function", handle)
        return [pickle.loads(one) for one in j_values.stream().map(pickled).toArray()]

    def through_flink(self, j_values: Any) -> Any:
        """Takes Java objects through Flink's own serializer, as on the way to another task."""
        config = self._jvm.org.apache.flink.api.common.serialization.SerializerConfigImpl()
        return self._deserialize(
            self._j_type.createSerializer(config),
            self._serialize(self._j_type.createSerializer(config), j_values),
            j_values.size(),
        )

    def there_and_back(self, values: Sequence[Any]) -> list[Any]:
        """From a handler through Flink to the next handler."""
        return self.into(self.through_flink(self.out(values)))

    # ---------------------------------------------------------------- PyFlink's workers

    def from_worker(self, values: Sequence[Any]) -> Any:
        """Has a PyFlink worker in process mode emit values: gives the Java objects."""
        written = b"".join(map(self._coder().encode, values))
        return self._deserialize(self._worker_serializer(), written, len(values))

    def to_worker(self, j_values: Any) -> list[Any]:
        """Hands Java objects to a PyFlink worker in process mode."""
        coder, serializer = self._coder(), self._worker_serializer()
        each = [
            self._jvm.java.util.ArrayList(j_values.subList(place, place + 1))
            for place in range(j_values.size())
        ]
        return [coder.decode(bytes(self._serialize(serializer, one))) for one in each]

    def _coder(self) -> Any:
        converter = self._jvm.org.apache.flink.streaming.api.utils.PythonTypeUtils
        proto = converter.TypeInfoToProtoConverter.toTypeInfoProto(self._j_type, None)
        type_info = flink_fn_execution_pb2.TypeInfo()
        type_info.ParseFromString(proto.toByteArray())
        return from_type_info_proto(type_info).get_impl()

    def _worker_serializer(self) -> Any:
        converter = self._jvm.org.apache.flink.streaming.api.utils.PythonTypeUtils
        return converter.TypeInfoToSerializerConverter.typeInfoSerializerConverter(self._j_type)

    # ---------------------------------------------------------------- Java

    def _serialize(self, serializer: Any, j_values: Any) -> bytes:
        memory = self._jvm.org.apache.flink.core.memory
        out = memory.DataOutputSerializer(64)
        view = self._load(_OUTPUT_VIEW)
        j_values.forEach(self._consumer(serializer, "serialize", _OBJECT, view, out))
        written: bytes = out.getCopyOfBuffer()
        return written

    def _deserialize(self, serializer: Any, written: bytes, count: int) -> Any:
        memory = self._jvm.org.apache.flink.core.memory
        source = memory.DataInputDeserializer(written)
        handle = self._handle(serializer, "deserialize", self._load(_INPUT_VIEW))
        handle = self._jvm.java.lang.invoke.MethodHandles.insertArguments(
            handle, 0, self._array(source)
        )
        supplier = self._interface("java.util.function.Supplier", handle)
        values = self._jvm.java.util.ArrayList()
        stream = self._jvm.java.util.stream.Stream.generate(supplier).limit(count)
        stream.forEachOrdered(self._consumer(values, "add", _OBJECT))
        return values

    def _consumer(self, target: Any, method: str, *parameters: Any) -> Any:
        """A `Consumer` that calls a method; arguments behind a class are given each time."""
        classes = [self._load(_OBJECT), *parameters[1:2]]
        handle = self._handle(target, method, *classes)
        if len(parameters) > 2:
            handle = self._jvm.java.lang.invoke.MethodHandles.insertArguments(
                handle, 1, self._array(*parameters[2:])
            )
        return self._interface("java.util.function.Consumer", handle)

    def _handle(self, target: Any, method: str, *classes: Any) -> Any:
        found = target.getClass().getMethod(method, self._classes(*classes))
        found.setAccessible(True)
        return self._jvm.java.lang.invoke.MethodHandles.lookup().unreflect(found).bindTo(target)

    def _interface(self, name: str, handle: Any) -> Any:
        proxies = self._jvm.java.lang.invoke.MethodHandleProxies
        return proxies.asInterfaceInstance(self._load(name), handle)

    def _new(self, name: str, *arguments: Any) -> Any:
        return self._class(name).getConstructors()[0].newInstance(self._array(*arguments))

    def _class(self, name: str) -> Any:
        return self._load(f"pyflink.durable.value.{name}")

    def _load(self, name: str) -> Any:
        loader = self._jvm.Thread.currentThread().getContextClassLoader()
        return self._jvm.java.lang.Class.forName(name, True, loader)

    def _classes(self, *classes: Any) -> Any:
        array = self._gateway.new_array(self._jvm.java.lang.Class, len(classes))
        for place, each in enumerate(classes):
            array[place] = each
        return array

    def _array(self, *values: Any) -> Any:
        array = self._gateway.new_array(self._jvm.java.lang.Object, len(values))
        for place, value in enumerate(values):
            array[place] = value
        return array


_OBJECT = "java.lang.Object"
_TYPE_INFORMATION = "org.apache.flink.api.common.typeinfo.TypeInformation"
_OUTPUT_VIEW = "org.apache.flink.core.memory.DataOutputView"
_INPUT_VIEW = "org.apache.flink.core.memory.DataInputView"
