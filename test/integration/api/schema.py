"""A small part of JSON Schema, as OpenAPI 3.0 uses it: what doc/openapi.json needs and no more.

A keyword that is not known here is an error, so that the document cannot say
something that this does not check.
"""
import re
import uuid

KNOWN = {
    "type", "properties", "required", "additionalProperties", "items", "enum", "format", "minimum", "maximum",
    "minLength", "maxLength", "minItems", "maxItems", "pattern", "nullable", "description", "$ref", "oneOf",
}
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool}
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")


class Mismatch(Exception):
    pass


def check(document, schema, value, where="$"):
    """Raises Mismatch where value does not fit schema."""
    unknown = set(schema) - KNOWN
    if unknown:
        raise Mismatch(f"{where}: the document uses {unknown}, which this does not check")
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/components/schemas/")
        return check(document, document["components"]["schemas"][name], value, where)
    if value is None:
        if not schema.get("nullable"):
            raise Mismatch(f"{where}: null")
        return None
    if "oneOf" in schema:
        return one_of(document, schema["oneOf"], value, where)
    check_type(schema, value, where)
    if "enum" in schema and value not in schema["enum"]:
        raise Mismatch(f"{where}: {value!r} is none of {schema['enum']}")
    if isinstance(value, dict):
        check_object(document, schema, value, where)
    elif isinstance(value, list):
        for i, item in enumerate(value):
            check(document, schema["items"], item, f"{where}[{i}]")
    elif isinstance(value, str):
        check_text(schema, value, where)
    return None


def one_of(document, schemas, value, where):
    fitting = 0
    for schema in schemas:
        try:
            check(document, schema, value, where)
            fitting += 1
        except Mismatch:
            pass
    if fitting != 1:
        raise Mismatch(f"{where}: fits {fitting} of the choices")


def check_type(schema, value, where):
    kind = schema.get("type")
    if kind == "integer":
        if not isinstance(value, int) or isinstance(value, bool):
            raise Mismatch(f"{where}: {value!r} is no integer")
        if not schema.get("minimum", value) <= value <= schema.get("maximum", value):
            raise Mismatch(f"{where}: {value} is out of bounds")
    elif kind is not None and not isinstance(value, TYPES[kind]):
        raise Mismatch(f"{where}: {value!r} is no {kind}")


def check_object(document, schema, value, where):
    properties = schema.get("properties", {})
    for name in schema.get("required", []):
        if name not in value:
            raise Mismatch(f"{where}: {name} is missing")
    for name, item in value.items():
        if name in properties:
            check(document, properties[name], item, f"{where}.{name}")
        elif schema.get("additionalProperties") is False:
            raise Mismatch(f"{where}: {name} is not in the document")
        elif isinstance(schema.get("additionalProperties"), dict):
            check(document, schema["additionalProperties"], item, f"{where}.{name}")


def check_text(schema, value, where):
    if not schema.get("minLength", 0) <= len(value.encode()) <= schema.get("maxLength", len(value.encode())):
        raise Mismatch(f"{where}: {value!r} is too short or too long")
    if "pattern" in schema and not re.search(schema["pattern"], value):
        raise Mismatch(f"{where}: {value!r} does not fit {schema['pattern']}")
    if schema.get("format") == "uuid" and str(uuid.UUID(value)) != value:
        raise Mismatch(f"{where}: {value!r} is no UUID in its usual form")
    if schema.get("format") == "date-time" and not TIME.match(value):
        raise Mismatch(f"{where}: {value!r} is no time with milliseconds in UTC")


def operation_of(document, method, path):
    """The operation of the document for a request, None if there is none."""
    best = None
    for pattern, operations in document["paths"].items():
        expression = "^" + re.sub(r"\\{\w+\\}", "[^/]+", re.escape(pattern)) + "$"
        if re.match(expression, path) and method.lower() in operations:
            if best is None or "{" not in pattern:
                best = operations[method.lower()]
    return best
