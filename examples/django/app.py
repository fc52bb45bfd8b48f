"""A page of Django with <job-progress>, and the jobs that it follows: python3 app.py"""

import json
import os
import re
import secrets
import signal
import threading
from pathlib import Path

from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["*"],  # yours
    SECRET_KEY=os.environ.get("SECRET_KEY", secrets.token_hex()),  # a fixed one: with another the visitors' cookies are void
    ROOT_URLCONF=__name__,
    MIDDLEWARE=["django.middleware.csrf.CsrfViewMiddleware"],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "DIRS": [Path(__file__).parent / "templates"]}],
)

from django.core.exceptions import BadRequest
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from jobs import MAX_EVENTS, Jobs
from report import make_report

HEARTBEAT_SECONDS = 15
MAX_WAIT_SECONDS = 55
DRAIN_SECONDS = 20  # less than the time that the platform gives a process after SIGTERM, often 30 s
HELLO = {"protocol": 1, "heartbeatMs": HEARTBEAT_SECONDS * 1000}
# Nobody in between may keep an answer, change it or hold it back.
HEADERS = {"Cache-Control": "private, no-store, no-transform", "Vary": "*", "X-Accel-Buffering": "no"}

jobs = Jobs()


@require_http_methods(["GET", "POST"])
def page(request):
    """The page. Its form starts a job, and comes back with the job's id."""
    owner = request.get_signed_cookie("visitor", None) or secrets.token_hex(8)
    if request.method == "POST":
        data = {"title": request.POST.get("title", ""), "pages": 10}
        job = jobs.start(owner, secrets.token_hex(), json.dumps(data).encode(), lambda job: make_report(job, data))
        response = redirect(f"/?job={job.id}")
    else:
        job = jobs.get(request.GET.get("job", ""))
        found = job.snapshot() if job and job.owner == owner else None
        response = render(request, "page.html", {"job": found, "visitor": owner})
    response.set_signed_cookie("visitor", owner, httponly=True, samesite="Lax")
    return response


def for_owner(view):
    """Gives the view the job, where it is the visitor's. Replace this by your own users, such as request.user."""

    def checked(request, id: str):
        job = jobs.get(id)
        if not job:
            return problem(404, "unknown-job")
        if job.owner != request.get_signed_cookie("visitor", None):
            return problem(403, "forbidden")
        response = view(request, job)
        for name, value in HEADERS.items():
            response[name] = value
        return response

    return checked


def problem(status: int, code: str) -> JsonResponse:
    return JsonResponse({"status": status, "title": code, "code": code}, status=status, content_type="application/problem+json", headers=HEADERS)


@require_GET
@for_owner
def snapshot(request, job):
    return JsonResponse(job.snapshot())


@require_POST
@for_owner
def cancel(request, job):
    """Django's CsrfViewMiddleware wants the token of the page, which the page sends as a header."""
    job.cancel()
    return JsonResponse(job.snapshot(), status=202)


@require_GET
@for_owner
def events(request, job):
    """An event stream, or the events of the moment as JSON: with `wait`, as soon as there are any."""
    after = request.headers.get("Last-Event-ID") or request.GET.get("after", "")
    if not re.fullmatch(r"[A-Za-z0-9._:~-]{0,128}", after):
        raise BadRequest("after: expected a cursor")
    if "text/event-stream" not in request.headers.get("Accept", ""):
        asked = re.search(r"\bwait=(\d{1,3})\b", f"wait={request.GET.get('wait', '')} {request.headers.get('Prefer', '')}")
        found, place = job.read(after, min(int(asked[1]), MAX_WAIT_SECONDS) if asked else 0)
        return JsonResponse({**HELLO, "more": len(found) == MAX_EVENTS, "jobs": [place], "events": found})
    found, place = job.read(after)
    if place["done"] and not found:
        return HttpResponse(status=204)  # a browser's EventSource then asks no more
    return StreamingHttpResponse(stream(job, found, place, "pad" in request.GET), content_type="text/event-stream; charset=utf-8")


def stream(job, found: list[dict], place: dict, is_padded: bool):
    """Each stream keeps a thread of the server. Where you have few, answer 406 in its place: then the page polls."""
    yield control("hello", HELLO)
    yield control("subscribed", {**place, "cursor": place["from"]})
    while True:
        for event in found:
            yield f"id: {event['id']}\ndata: {json.dumps(event)}\n\n"
        # A comment is the heartbeat. A long one gets through proxies that hold back short writes.
        yield f":{' ' * 2048 * is_padded}\n\n"
        if place["done"]:
            yield control("done", {"job": job.id, "cursor": place["cursor"]})
            return
        found, place = job.read(place["cursor"], HEARTBEAT_SECONDS)


def control(name: str, fields: dict) -> str:
    return f"event: control\ndata: {json.dumps({'control': name, **fields})}\n\n"


urlpatterns = [
    path("", page),
    path("jobs/<id>", snapshot),
    path("jobs/<id>/events", events),
    path("jobs/<id>/cancel", cancel),
]
application = get_wsgi_application()


class Server(ThreadedWSGIServer):
    daemon_threads = False  # server_close() waits for the answers that are under way


class Handler(WSGIRequestHandler):
    def log_message(self, *args) -> None:
        pass  # your logger


def main() -> None:
    server = Server(("", int(os.environ.get("PORT", "8000"))), Handler)
    server.set_app(application)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, lambda *_: stop.set())
    threading.Thread(target=server.serve_forever).start()
    stop.wait()
    server.shutdown()
    server.socket.close()  # new connections go to another process
    jobs.close(DRAIN_SECONDS)
    server.server_close()


if __name__ == "__main__":
    main()
