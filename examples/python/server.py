"""Serves jobs to Jobtail clients, by event streams and polling: python3 server.py"""

import http.server
import json
import os
import re
import signal
import threading
import urllib.parse

from jobs import MAX_EVENTS, Job, Jobs
from report import make_report

HEARTBEAT_SECONDS = 15
MAX_WAIT_SECONDS = 55
MAX_BODY_BYTES = 2**20
DRAIN_SECONDS = 20  # less than the time that the platform gives a process after SIGTERM, often 30 s
HELLO = {"protocol": 1, "heartbeatMs": HEARTBEAT_SECONDS * 1000}
PROBLEM = "application/problem+json"
# What every answer says: nobody in between may keep it, change it or hold it back.
HEADERS = {
    "Cache-Control": "private, no-store, no-transform",
    "Vary": "*",
    "X-Accel-Buffering": "no",
    "Incremental": "?1",
    "X-Content-Type-Options": "nosniff",
}

# Replace this by yours: look a session up, or verify a token.
USERS = {"ada-token": "ada", "bob-token": "bob"}

jobs = Jobs()


class Refused(Exception):
    def __init__(self, status: int, code: str):
        super().__init__(code)
        self.status, self.code = status, code


class Handler(http.server.BaseHTTPRequestHandler):
    timeout = 60  # seconds for which a client may neither send nor read

    def do_GET(self) -> None:
        self.answer(self.get)

    def do_POST(self) -> None:
        self.answer(self.post)

    def answer(self, handle) -> None:
        try:
            handle()
        except Refused as refused:
            status = refused.status
            self.send(status, {"status": status, "title": self.responses[status][0], "code": refused.code}, type=PROBLEM)
        except (ConnectionError, TimeoutError):
            pass  # the client has gone

    def get(self) -> None:
        url = urllib.parse.urlsplit(self.path)
        job, what = self.find(url.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        after = self.headers["Last-Event-ID"] or query.get("after", "")
        if not re.fullmatch(r"[A-Za-z0-9._:~-]{0,128}", after):
            raise Refused(400, "bad-request")
        if what is None:
            self.send(200, job.snapshot())
        elif what == "cancel":
            raise Refused(405, "bad-request")
        elif "text/event-stream" in self.headers.get("Accept", ""):
            self.stream(job, after, is_padded="pad" in query)
        else:
            asked = re.search(r"\bwait=(\d{1,3})\b", f"wait={query.get('wait', '')} {self.headers.get('Prefer', '')}")
            events, place = job.read(after, min(int(asked[1]), MAX_WAIT_SECONDS) if asked else 0)
            self.send(200, {**HELLO, "more": len(events) == MAX_EVENTS, "jobs": [place], "events": events})

    def post(self) -> None:
        body = self.read_body()  # first: a refusal that leaves it unread may be lost on the way
        self.check_origin()
        if self.path == "/jobs":
            self.start(self.user(), body)
            return
        job, what = self.find(self.path)
        if what != "cancel":
            raise Refused(405, "bad-request")
        job.cancel()
        self.send(202, job.snapshot())

    def start(self, user: str, body: bytes) -> None:
        try:
            data = json.loads(body) if body else None
        except ValueError:
            raise Refused(400, "bad-request") from None
        job = jobs.start(user, self.headers["Idempotency-Key"], body, lambda job: make_report(job, data))
        if job.body != body:  # the key of an earlier start, and another input
            raise Refused(422, "bad-request")
        self.send(202, job.snapshot(), {"Location": f"/jobs/{urllib.parse.quote(job.id)}"})

    def stream(self, job: Job, after: str, is_padded: bool) -> None:
        events, place = job.read(after)
        if place["done"] and not events:
            self.send(204)  # a browser's EventSource then asks no more
            return
        self.send_head(200, {"Content-Type": "text/event-stream; charset=utf-8"})
        self.say("hello", HELLO)
        self.say("subscribed", {**place, "cursor": place["from"]})
        while True:
            for event in events:
                self.write(f"id: {event['id']}\ndata: {json.dumps(event)}\n\n")
            # A comment is the heartbeat. A long one gets through proxies that hold back short writes.
            self.write(f":{' ' * 2048 * is_padded}\n\n")
            if place["done"]:
                self.say("done", {"job": job.id, "cursor": place["cursor"]})
                return
            events, place = job.read(place["cursor"], HEARTBEAT_SECONDS)

    def say(self, control: str, fields: dict) -> None:
        self.write(f"event: control\ndata: {json.dumps({'control': control, **fields})}\n\n")

    def find(self, path: str) -> tuple[Job, str | None]:
        """The job that a path names, and what is asked of it. Only its owner may follow and cancel a job."""
        user = self.user()
        found = re.fullmatch("/jobs/([^/]+)(?:/(events|cancel))?", path)
        job = jobs.get(urllib.parse.unquote(found[1])) if found else None
        if not job:
            raise Refused(404, "unknown-job")
        if job.owner != user:
            raise Refused(403, "forbidden")
        return job, found[2]

    def user(self) -> str:
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or token not in USERS:
            raise Refused(401, "unauthorized")
        return USERS[token]

    def read_body(self) -> bytes:
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal():
            raise Refused(400, "bad-request")
        if int(length) > MAX_BODY_BYTES:
            raise Refused(413, "bad-request")
        return self.rfile.read(int(length))

    def check_origin(self) -> None:
        """Pages of other sites may not start and cancel jobs. Browsers say by Origin whose page asks."""
        origin = self.headers["Origin"]
        if origin and urllib.parse.urlsplit(origin).netloc != self.headers["Host"]:
            raise Refused(403, "forbidden")

    def send(self, status: int, value=None, headers: dict = {}, type: str = "application/json") -> None:
        self.send_head(status, {"Content-Type": type, **headers})
        if value is not None:
            self.write(json.dumps(value))

    def send_head(self, status: int, headers: dict) -> None:
        self.send_response(status)
        for header in {**HEADERS, **headers}.items():
            self.send_header(*header)
        self.end_headers()

    def write(self, text: str) -> None:
        self.wfile.write(text.encode())

    def log_message(self, *args) -> None:
        pass  # your logger


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = False  # server_close() waits for the answers that are under way
    request_queue_size = 128  # of the default's 5, clients that come at once would wait for seconds


def main() -> None:
    server = Server(("", int(os.environ.get("PORT", "8000"))), Handler)
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
