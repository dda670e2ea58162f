"""A provider that has only the current schema, in place of hashicorp/aws on machines that can't download it.

That is enough for `terraform validate`, and for `terraform test` with a mocked provider; it can't plan or apply.
Terraform starts it as a plug-in, through the script that providers.py writes to a mirror.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import msgpack
import tf.provider
from tf.gen import tfplugin_pb2 as pb
from tf.gen import tfplugin_pb2_grpc
from tf.runner import run_provider

_NESTING = {"single": 1, "list": 2, "set": 3, "map": 4}


def main(schema_file: str) -> None:
    """Serves the schema in a JSON file (as returned by schema.read) until Terraform stops it."""
    schema = json.loads(Path(schema_file).read_text())

    class Servicer(SchemaServicer):
        def __init__(self, _provider: object) -> None:
            super().__init__(schema)

    # Replaces the library's servicer, which only supports its own providers; its runner gets it from there.
    tf.provider.ProviderServicer = Servicer
    run_provider(None, sys.argv)


class SchemaServicer(tfplugin_pb2_grpc.ProviderServicer):  # type: ignore[misc] # generated without types
    """The part of Terraform's plug-in protocol 6 that concerns schemas."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self._schema = schema

    def GetMetadata(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's names
        resources = [pb.GetMetadata.ResourceMetadata(type_name=name) for name in self._schema["resource_schemas"]]
        data = [pb.GetMetadata.DataSourceMetadata(type_name=name) for name in self._schema["data_source_schemas"]]
        return pb.GetMetadata.Response(resources=resources, data_sources=data)

    def GetProviderSchema(self, request: Any, context: Any) -> Any:  # noqa: N802
        return pb.GetProviderSchema.Response(
            provider=_schema(self._schema["provider"]),
            resource_schemas={name: _schema(schema) for name, schema in self._schema["resource_schemas"].items()},
            data_source_schemas={name: _schema(schema) for name, schema in self._schema["data_source_schemas"].items()},
        )

    def ValidateProviderConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        return pb.ValidateProviderConfig.Response()

    def ValidateDataResourceConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        return pb.ValidateDataResourceConfig.Response()

    def ValidateResourceConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Refuses values for computed attributes; Terraform itself checks the rest of the schema."""
        block = self._schema["resource_schemas"][request.type_name]["block"]
        # An unknown value is an extension type; its value doesn't matter here.
        config = msgpack.unpackb(request.config.msgpack, ext_hook=lambda _code, _data: "", strict_map_key=False)
        return pb.ValidateResourceConfig.Response(
            diagnostics=[
                pb.Diagnostic(
                    severity=pb.Diagnostic.ERROR,
                    summary=f"{request.type_name}: {name} is computed, it can't be configured",
                    attribute=pb.AttributePath(steps=[pb.AttributePath.Step(attribute_name=name)]),
                )
                for name, attribute in block["attributes"].items()
                if config.get(name) is not None and not attribute.keys() & {"optional", "required"}
            ]
        )

    def StopProvider(self, request: Any, context: Any) -> Any:  # noqa: N802
        return pb.StopProvider.Response()


def _schema(schema: dict[str, Any]) -> Any:
    return pb.Schema(version=schema["version"], block=_block(schema["block"]))


def _block(block: dict[str, Any]) -> Any:
    attributes = [
        pb.Schema.Attribute(name=name, **(attribute | {"type": json.dumps(attribute["type"]).encode()}))
        for name, attribute in block["attributes"].items()
    ]
    blocks = [
        pb.Schema.NestedBlock(
            type_name=name,
            nesting=_NESTING[nested["nesting_mode"]],
            block=_block(nested["block"]),
            min_items=nested.get("min_items", 0),
            max_items=nested.get("max_items", 0),
        )
        for name, nested in block.get("block_types", {}).items()
    ]
    return pb.Schema.Block(attributes=attributes, block_types=blocks)


if __name__ == "__main__":
    main(sys.argv[1])
