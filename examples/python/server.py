"""Serves jobs to Jobtail clients: python3 server.py 8000. Each line of stdin is an event, such as: 42 progress {"ratio": 0.5}"""
import json, re, secrets, signal, sys, threading
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote, urlsplit

HELLO, ENDS = {"protocol": 1, "heartbeatMs": 15_000}, {"succeeded": "result", "failed": "error", "cancelled": "error"}
HEADERS = {"Cache-Control": "private, no-store, no-transform", "X-Accel-Buffering": "no", "X-Content-Type-Options": "nosniff",
           "Vary": "Accept, Origin, Authorization, Cookie, Last-Event-ID, Prefer"}
epoch, logs, changed = secrets.token_hex(4), {}, threading.Condition()  # a restart loses the logs, and begins another epoch

def publish(job, type, data="null"):
    with changed:
        log = logs.setdefault(job, [])
        if log and log[-1]["type"] in ENDS: raise ValueError(f"job {job} has ended")
        seq, time = len(log) + 1, datetime.now(timezone.utc).isoformat()
        log.append({"id": f"{epoch}-{seq}", "seq": seq, "job": job, "type": type, "time": time, "data": json.loads(data)})
        changed.notify_all()

def read(log, seq, wait_s=0):  # events after seq, waiting for the first; their place in the log; whether there are more
    with changed:
        changed.wait_for(lambda: len(log) > seq or log[-1]["type"] in ENDS, wait_s)
        events, last = log[seq:seq + 1000], log[-1]["type"]
        end, status = seq + len(events), last if last in (*ENDS, "queued") else "running"
        place = {"job": log[0]["job"], "epoch": epoch, "seq": seq, "from": f"{epoch}-{seq}", "cursor": f"{epoch}-{end}", "status": status}
        return events, {**place, "done": last in ENDS and end == len(log)}, end < len(log)

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        url = urlsplit(self.path)
        path, query = re.fullmatch("/jobs/([^/]+)(/events)?", url.path), dict(parse_qsl(url.query))
        log, after = path and logs.get(unquote(path[1])), self.headers["Last-Event-ID"] or query.get("after", "")
        if not log: return self.answer(404, {"code": "unknown-job"})
        if not re.fullmatch("[A-Za-z0-9._:~-]{0,128}", after): return self.answer(400, {"code": "bad-request"})
        if not path[2]: return self.snapshot(log)
        seq = len(log) if after == "tail" else next((event["seq"] for event in log if event["id"] == after), 0)
        if "text/event-stream" in self.headers.get("Accept", ""): return self.stream(log, seq, "pad" in query)
        wait = re.search(r"\bwait=(\d+)", f"{url.query} {self.headers['Prefer']}")
        events, place, more = read(log, seq, max(1, min(55, int(wait[1]))) if wait else 0)
        self.answer(200, {**HELLO, "more": more, "jobs": [place], "events": events})

    def do_POST(self): self.answer(405, {})  # no jobs are started here

    def snapshot(self, log):
        _, place, _ = read(log, len(log))
        outcome = {ENDS[place["status"]]: log[-1]["data"]} if place["done"] else {}
        self.answer(200, {**place, "id": place["job"], **outcome})

    def stream(self, log, seq, is_padded):
        events, place, _ = read(log, seq)
        if place["done"] and not events: return self.answer(204)
        self.answer(200, type="text/event-stream; charset=utf-8")
        self.write("event: control", {"control": "hello", **HELLO})
        self.write("event: control", {"control": "subscribed", **place, "cursor": place["from"]})
        while events or not place["done"]:
            for event in events: self.write(f"id: {event['id']}", event)
            self.wfile.write(b":" + b" " * 2048 * is_padded + b"\n\n")
            events, place, _ = read(log, place["seq"] + len(events), 15)
        self.write("event: control", {"control": "done", **place})

    def write(self, field, frame): self.wfile.write(f"{field}\ndata: {json.dumps(frame)}\n\n".encode())

    def answer(self, status, body=None, type="application/json"):
        if status >= 400:
            type, body = "application/problem+json", {"type": "about:blank", "title": self.responses[status][0], "status": status, **body}
        self.send_response(status)
        for header in {**HEADERS, "Content-Type": type}.items(): self.send_header(*header)
        self.end_headers()
        if body: self.wfile.write(json.dumps(body).encode())

signal.signal(signal.SIGINT, signal.SIG_DFL)
threading.Thread(target=ThreadingHTTPServer(("", int(sys.argv[1])), Handler).serve_forever).start()
for line in sys.stdin: publish(*line.split(maxsplit=2))
