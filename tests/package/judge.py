"""Runs in the toolchain test-package-judges: reads a document, prints what is wrong with it by its published schema.

Where the schemas come from: `cyclonedx`, the JSON schema of CycloneDX 1.6 that its Python library ships (strict: a
field that it does not know is a fault); `provenance`, the protocol buffers of in-toto Statement 1 and SLSA provenance 1
of the package in-toto-attestation, which know no further fields either; `modelpack`, the model of ModelPack's
configuration that the package olot has.
"""

import json
import sys


def cyclonedx(text):
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    return JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) or ""


def provenance(text):
    from google.protobuf import json_format
    from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
    from in_toto_attestation.v1 import statement, statement_pb2

    said = json.loads(text)
    parsed = json_format.ParseDict(said, statement_pb2.Statement())
    statement.Statement.copy_from_pb(parsed).validate()
    json_format.ParseDict(said["predicate"], provenance_pb2.Provenance())
    return ""


def modelpack(text):
    from olot.modelpack.model_config import Model

    Model.model_validate_json(text)
    return ""


try:
    print({"cyclonedx": cyclonedx, "provenance": provenance, "modelpack": modelpack}[sys.argv[1]](sys.stdin.read()))
except (ImportError, KeyError):
    raise
except Exception as error:  # noqa: BLE001 - what a library raises is its verdict
    print(f"{type(error).__name__}: {error}")
