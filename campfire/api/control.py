"""What the command lines and the outbox worker ask of a running server, by a socket in the data directory (mode 600).

The file's permissions are the authentication: whoever may open it may also read the log itself.
"""

import asyncio
from typing import Any

import msgspec
from aiohttp import web

from campfire.api import push_control
from campfire.api.bot_answers import take_answer
from campfire.api.keys import BLOBS, BODY_SECONDS, ENGINE, REQUEST_ID, SCRUBBER
from campfire.api.outbox_reports import take_report
from campfire.api.problems import problem_from, problem_response
from campfire.exports.steps import Step
from campfire.exports.taking import take
from campfire.importer import NdjsonImporter
from campfire.outbox_requests import put_on_record
from campfire.outbox_words import REQUESTS_PATH, OutboxRequest
from campfire.people_tool import RESET_PATH, give_role, make_reset_token

_LARGEST_CHUNK = 64 * 1024 * 1024
IMPORTERS: web.AppKey[dict[str, NdjsonImporter]] = web.AppKey("importers")


async def status(request: web.Request) -> web.Response:
    engine = request.app[ENGINE]
    return _json({"position": engine.position, "epoch": engine.epoch, "waiting": engine.health().waiting})


async def take_outbox_request(request: web.Request) -> web.Response:
    """Put on record what somebody at the command line asks of the outbox."""
    asked: OutboxRequest = msgspec.json.decode(await request.read(), type=OutboxRequest)
    return _json(await put_on_record(request.app[ENGINE], asked))


async def import_lines(request: web.Request) -> web.Response:
    """Take a chunk of NDJSON; `first` is the number of its first line, `source` names the import."""
    engine, importers = request.app[ENGINE], request.app[IMPORTERS]
    source, first = request.query["source"], int(request.query["first"])
    lines = (await request.read()).split(b"\n")
    importer = importers.get(source)
    if importer is None or importer.next_line != first:
        # Another run of the same import, or a run after a restart: begin with what the log knows.
        importer = importers[source] = NdjsonImporter(engine, source)
    counts = await importer.take(lines, first, stop_on_error=request.query.get("on_error") == "stop")
    return _json(msgspec.to_builtins(counts))


async def import_blob(request: web.Request) -> web.Response:
    """Keep a file of an export; it goes again in a day unless an event comes that names it."""
    limit = int(request.query["size"])
    blob = await request.app[BLOBS].take(request.content.iter_any(), limit)
    return _json({"digest": blob.digest})


async def import_step(request: web.Request) -> web.Response:
    """One step of bringing a room or a person in."""
    step = msgspec.json.decode(await request.read(), type=Step)
    return _json(await take(request.app[ENGINE], step))


async def make_password_reset(request: web.Request) -> web.Response:
    """A token for somebody who forgot their password, where no administrator can be asked."""
    engine = request.app[ENGINE]
    token = await make_reset_token(engine, request.query["email"])
    return _json({"token": token, "path": RESET_PATH + token})


async def set_role(request: web.Request) -> web.Response:
    """Make somebody an administrator, or a member again, where no administrator is left to do so."""
    await give_role(request.app[ENGINE], request.query["email"], request.query["role"])
    return _json({})


async def scrub(request: web.Request) -> web.Response:
    """Take the texts of deleted messages out of the log now; all of them with `now=true`."""
    count = await request.app[SCRUBBER].sweep(at_once=request.query.get("now") == "true")
    return _json({"scrubbed": count})


async def rebuild(request: web.Request) -> web.StreamResponse:
    """Rebuild the read models beside and swap; streams one JSON object a line as it goes."""
    loop = asyncio.get_running_loop()
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
    await response.prepare(request)
    steps: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    def progress(position: int, total: int) -> None:
        loop.call_soon_threadsafe(steps.put_nowait, {"position": position, "total": total})

    work = asyncio.create_task(request.app[ENGINE].rebuild(progress))
    work.add_done_callback(lambda _done: steps.put_nowait({}))
    while step := await steps.get():
        await response.write(msgspec.json.encode(step) + b"\n")
    error = work.exception()
    last = {"done": True, "digests": work.result()} if error is None else {"error": str(error)}
    await response.write(msgspec.json.encode(last) + b"\n")
    return response


@web.middleware
async def _problems(request: web.Request, handler: Any) -> web.StreamResponse:
    request[REQUEST_ID] = "control"
    try:
        response: web.StreamResponse = await handler(request)
    except Exception as error:
        if not isinstance(error, (KeyError, ValueError)):
            return problem_response(problem_from(error, "control"))
        return problem_response(problem_from(msgspec.ValidationError(str(error)), "control"))
    return response


def build_control_app(app: web.Application) -> web.Application:
    """The control interface beside `app`, over the same engine."""
    control = web.Application(middlewares=[_problems], client_max_size=_LARGEST_CHUNK)
    control[ENGINE] = app[ENGINE]
    control[BLOBS] = app[BLOBS]
    control[SCRUBBER] = app[SCRUBBER]
    control[BODY_SECONDS] = app[BODY_SECONDS]
    control[IMPORTERS] = {}
    control.router.add_get("/status", status)
    control.router.add_post(REQUESTS_PATH, take_outbox_request)
    control.router.add_post("/outbox/reports", take_report)
    control.router.add_post("/bots/answers", take_answer)
    control.router.add_post("/import", import_lines)
    control.router.add_post("/import/blob", import_blob)
    control.router.add_post("/import/step", import_step)
    control.router.add_post("/people/password-reset", make_password_reset)
    control.router.add_post("/people/role", set_role)
    control.router.add_post("/scrub", scrub)
    control.router.add_post("/rebuild", rebuild)
    push_control.add_routes(control)
    return control


def _json(value: Any) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")
