"""A page to read the API at /docs/api, and the errors at /docs/errors: plain HTML, no script, no other host."""

from html import escape
from typing import Any

from campfire.errors import CATALOGUE

_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin-top: 2.5rem; border-bottom: 1px solid color-mix(in srgb, currentColor 20%, transparent); }
code { font-family: ui-monospace, monospace; overflow-wrap: anywhere; }
.method { display: inline-block; min-width: 4.5rem; font-weight: 700; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0; }
details { margin: .5rem 0; }
"""
STYLE_POLICY = "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'"


def style_sheet() -> str:
    return _STYLE


def api_page(document: dict[str, Any]) -> str:
    """Every address with what it takes and gives, from the OpenAPI document."""
    sections = []
    for path, operations in document["paths"].items():
        rows = "".join(_operation(method, operation) for method, operation in operations.items())
        sections.append(f"<h2><code>{escape(path)}</code></h2>{rows}")
    shapes = "".join(_shape(name, schema) for name, schema in document["components"]["schemas"].items())
    intro = (
        "<p>Send <code>Authorization: Bearer TOKEN</code> or the session cookie. Errors are problem documents; "
        '<a href="/docs/errors">their codes</a> are listed apart. The same, for machines: '
        '<a href="/openapi.json">/openapi.json</a>.</p>'
    )
    return _page("Campfire API", f"{intro}{''.join(sections)}<h2>Shapes</h2>{shapes}")


def errors_page() -> str:
    """The error catalogue."""
    rows = "".join(
        f'<tr id="{kind.code}"><td><code>{kind.code}</code></td><td>{kind.status}</td>'
        f"<td>{escape(kind.title)}. {escape(kind.advice)}</td><td>{'yes' if kind.retryable else 'no'}</td></tr>"
        for kind in CATALOGUE.values()
    )
    head = "<tr><th>Code</th><th>HTTP</th><th>What it means and what to do</th><th>Does a retry help?</th></tr>"
    return _page("Campfire errors", f"<table>{head}{rows}</table>")


def _operation(method: str, operation: dict[str, Any]) -> str:
    body = operation.get("requestBody")
    shape = body["content"].get("application/json") if body else None
    takes = f"<p>Takes {_reference(shape['schema']) if shape else 'a file'}.</p>" if body else ""
    said = operation.get("x-client-frames", {}).get("anyOf", ())
    takes += f"<p>The client sends {', '.join(map(_reference, said))}.</p>" if said else ""
    queries = "".join(
        f"<li><code>{escape(each['name'])}</code>: {escape(each['description'])}</li>"
        for each in operation["parameters"]
        if each["in"] == "query"
    )
    answers = "".join(
        f"<tr><td>{status}</td><td>{escape(answer['description'])}</td><td>{_content(answer)}</td></tr>"
        for status, answer in operation["responses"].items()
    )
    return (
        f'<details><summary><span class="method">{method.upper()}</span> {escape(operation["summary"])}</summary>'
        f"{takes}{f'<ul>{queries}</ul>' if queries else ''}<table>{answers}</table></details>"
    )


def _content(answer: dict[str, Any]) -> str:
    return ", ".join(
        _reference(content["schema"]) if "$ref" in content["schema"] else f"<code>{escape(kind)}</code>"
        for kind, content in answer.get("content", {}).items()
    )


def _reference(schema: dict[str, Any]) -> str:
    name = schema.get("$ref", "").rpartition("/")[2]
    return f'<a href="#{escape(name)}"><code>{escape(name)}</code></a>'


def _shape(name: str, schema: dict[str, Any]) -> str:
    required = schema.get("required", [])
    rows = "".join(
        f"<tr><td><code>{escape(field)}</code>{'' if field in required else ' (optional)'}</td>"
        f"<td><code>{escape(_kind(value))}</code></td><td>{escape(value.get('description', ''))}</td></tr>"
        for field, value in schema.get("properties", {}).items()
    )
    return f'<h3 id="{escape(name)}"><code>{escape(name)}</code></h3><table>{rows}</table>'


def _kind(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_kind(each) for each in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    return str(schema.get("type", "anything"))


def _page(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="stylesheet" href="/docs/style.css"></head><body><h1>{title}</h1>{body}</body></html>'
    )
