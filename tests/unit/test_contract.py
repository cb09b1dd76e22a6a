"""The descriptions of the API are valid, complete, and what the code says today."""

import ast
import inspect
import json
from collections.abc import Iterator
from copy import deepcopy
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest
from jsonschema import Draft7Validator, Draft202012Validator

from domain import cancelling, catalog, commands, coupons, orders, wallet
from domain.events import Reason
from domain.rules import RULES
from streams.kinds import KINDS
from streams.outcomes import STATUS_BY_REASON
from streams.topics import topics_of
from tests.house import ROOT
from web.api_page import FOLDER
from web.asyncapi import asyncapi
from web.contract import documents, template_of, write_documents
from web.error_codes import ERROR_CODES
from web.openapi import camel_case, codes_of
from web.operations import OPERATIONS
from web.routes import ROUTES

DOCS = ROOT / "docs"
SPECS = ROOT / "tests" / "specs"
OPENAPI = json.loads((DOCS / "openapi.json").read_text())
ASYNCAPI = json.loads((DOCS / "asyncapi.json").read_text())
OPENAPI_SPEC = Draft202012Validator(json.loads((SPECS / "openapi-3.1.json").read_text()))
ASYNCAPI_SPEC = Draft7Validator(json.loads((SPECS / "asyncapi-3.0.0.json").read_text()))
FOR_PEOPLE = {"/", "/page/{version}/{name}", "/docs", "/docs/{version}/{name}"}
OF_THEMSELVES = {"/openapi.json", "/asyncapi.json"}
CONFLICTS = {Reason.CHARGE_EXISTS, Reason.ORDER_EXISTS}
"""Told as the conflict that they are."""


def test_generating_again_leaves_the_tree_clean(tmp_path: Path) -> None:
    write_documents(tmp_path)
    for name, text in documents().items():
        assert text == (tmp_path / name).read_text() == (DOCS / name).read_text(), name


def test_openapi_is_valid() -> None:
    OPENAPI_SPEC.validate(OPENAPI)


def test_asyncapi_is_valid() -> None:
    ASYNCAPI_SPEC.validate(ASYNCAPI)


def test_what_is_not_valid_would_be_noticed() -> None:
    broken, torn = deepcopy(OPENAPI), deepcopy(ASYNCAPI)
    broken["paths"]["/api/v1/balance"]["get"]["parameters"][0]["in"] = "body"
    torn["operations"]["userCommands"]["action"] = "publish"
    assert not OPENAPI_SPEC.is_valid(broken)
    assert not ASYNCAPI_SPEC.is_valid(torn)


def found_in(value: Any, name: str) -> Iterator[Any]:
    """Every value of this name, however deep."""
    if isinstance(value, dict):
        yield from (inner for key, inner in value.items() if key == name)
    inside = value.values() if isinstance(value, dict) else value
    for inner in inside if isinstance(value, dict | list) else ():
        yield from found_in(inner, name)


@pytest.mark.parametrize("document", [OPENAPI, ASYNCAPI], ids=["openapi", "asyncapi"])
def test_every_reference_leads_somewhere(document: Any) -> None:
    for reference in found_in(document, "$ref"):
        target = document
        for step in reference.removeprefix("#/").split("/"):
            target = target[step]


@pytest.mark.parametrize("document", [OPENAPI, ASYNCAPI], ids=["openapi", "asyncapi"])
def test_every_schema_is_a_schema(document: Any) -> None:
    schemas = [*document["components"]["schemas"].values(), *found_in(document, "schema")]
    for schema in [*schemas, *found_in(document, "payload")]:
        Draft202012Validator.check_schema(schema)


def test_every_route_is_described_or_has_a_reason_not_to_be() -> None:
    described = {
        (method.upper(), path) for path, item in OPENAPI["paths"].items() for method in item
    }
    named = {(route.method, template_of(route.path)) for route in ROUTES}
    assert {path for _, path in named - described} == FOR_PEOPLE | OF_THEMSELVES
    assert described <= named


def test_every_operation_is_of_a_route() -> None:
    assert set(OPERATIONS) <= {route.handler for route in ROUTES}


READERS = {
    "userId": ("read_user_id", "read_users_page"),
    "limit": ("read_page_limit", "read_users_page"),
    "cursor": ("PAGE", "read_users_page"),
    "Last-Event-ID": ("stream.seen",),
}
"""What reads the parameters that many handlers have."""


def test_bodies_and_parameters_are_those_that_handlers_read() -> None:
    for handler, operation in OPERATIONS.items():
        source = inspect.getsource(handler)
        if operation.body is not None:
            assert f"read_body(request, wire.{operation.body.__name__})" in source
        else:
            assert "read_body" not in source
        module = Path(inspect.getfile(handler)).read_text()
        for parameter in operation.parameters:
            readers = READERS.get(parameter.name, ())
            found = [r for r in (f'"{parameter.name}"', *readers) if r in module]
            assert found, parameter.name


def test_examples_are_valid() -> None:
    for operation in OPERATIONS.values():
        if operation.body is not None:
            msgspec.convert(operation.example, operation.body)


def strings_of(file: Path) -> Iterator[str]:
    """Every text in a source file that is written like a code."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "").lower().startswith(
            ("problem", "viewproblemerror")
        ):
            yield from codes_in(node.args)
        if isinstance(node, ast.Assign):
            yield from codes_in(
                node.value.values
                if any(getattr(t, "id", "") == "_CODE_BY_STATUS" for t in node.targets)
                and isinstance(node.value, ast.Dict)
                else ()
            )
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "super().__init__":
            yield from codes_in(node.args)


def codes_in(nodes: Any) -> Iterator[str]:
    for node in nodes:
        text = getattr(node, "value", None)
        if isinstance(text, str) and text.isupper() and text.replace("_", "").isalpha():
            yield text


def test_the_table_has_every_code_and_no_other() -> None:
    files = [
        file for folder in ("streams", "web", "tables") for file in ROOT.glob(f"{folder}/*.py")
    ]
    written = {code for file in files for code in strings_of(file)}
    # The refusal of a foreign `Expect` is named by its status, and a view's by a constant.
    assert set(ERROR_CODES) == written | set(Reason) | {"EXPECTATION_FAILED", "OWNER_AWAY"}


def test_a_refusals_status_is_that_of_its_reason() -> None:
    for reason, status in STATUS_BY_REASON.items():
        assert ERROR_CODES[reason].status == status


RULE_MODULES = (cancelling, catalog, coupons, orders, wallet)


def reasons_of(module: ModuleType, name: str, seen: set[str]) -> Iterator[Reason]:
    """Every reason that a function names, or one that it calls."""
    if name in seen:
        return
    seen.add(name)
    for node in ast.walk(ast.parse(inspect.getsource(getattr(module, name)))):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "Reason":
            yield Reason[node.attr]
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            called = getattr(module, node.func.id, None)
            if inspect.isfunction(called) and called.__module__.startswith("domain."):
                home = next(m for m in RULE_MODULES if m.__name__ == called.__module__)
                yield from reasons_of(home, called.__name__, seen)


@pytest.mark.parametrize("handler", [h for h, o in OPERATIONS.items() if o.body is not None])
def test_a_command_lists_every_reason_that_its_rule_names(handler: Any) -> None:
    operation = OPERATIONS[handler]
    assert operation.body is not None
    rule = RULES[getattr(commands, operation.body.__name__)]
    home = next(m for m in RULE_MODULES if m.__name__ == rule.__module__)
    named = set(reasons_of(home, rule.__name__, set())) - CONFLICTS
    assert named == {Reason(code) for code in operation.codes}


def test_every_answer_with_a_problem_names_its_codes() -> None:
    for path, item in OPENAPI["paths"].items():
        for method, described in item.items():
            handler = next(
                route.handler
                for route in ROUTES
                if (template_of(route.path), route.method.lower()) == (path, method)
            )
            named = [
                code for listed in found_in(described["responses"], "enum") for code in listed
            ]
            assert sorted(named) == sorted(codes_of(handler))
            assert described["operationId"] == camel_case(handler.__name__)


def test_every_type_of_command_is_a_message_of_its_topic() -> None:
    for kind in KINDS.values():
        channel = ASYNCAPI["channels"][camel_case(kind.topic)]
        assert channel["address"] == getattr(topics_of("", 1), kind.topic).name
        assert kind.name in channel["messages"]


def test_topics_are_described_by_the_names_of_the_installation() -> None:
    channels = asyncapi(topics_of("blue.", 1))["channels"].values()
    assert all(channel["address"].startswith("blue.") for channel in channels)


def test_what_others_wrote_is_as_they_wrote_it() -> None:
    said = json.loads((FOLDER / "swagger-ui.json").read_text())
    for name, digest in said["files"].items():
        assert sha256((FOLDER / name).read_bytes()).hexdigest() == digest, name
    assert {"LICENSE", "NOTICE"} <= said["files"].keys()
