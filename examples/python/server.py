"""Serves jobs to Jobtail clients by event stream and polling: python3 server.py 8000
Each line of stdin is an event, such as: 42 progress {"ratio": 0.5}"""
import json, re, secrets, sys, threading
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote, urlsplit

HEARTBEAT_S, ENDS, CURSOR = 15, ("succeeded", "failed", "cancelled"), "[A-Za-z0-9._:~-]{0,128}"
HELLO = {"protocol": 1, "heartbeatMs": HEARTBEAT_S * 1000}
HEADERS = {"Cache-Control": "private, no-store, no-transform", "Vary": "Accept, Origin, Authorization, Cookie, Last-Event-ID, Prefer",
           "X-Accel-Buffering": "no", "X-Content-Type-Options": "nosniff"}
logs, changed = {}, threading.Condition()

class Log:
    def __init__(self, job): self.job, self.epoch, self.status, self.events = job, secrets.token_hex(4), "queued", []

    def place(self, seq): return {"job": self.job, "epoch": self.epoch, "seq": seq, "cursor": f"{self.epoch}-{seq}", "status": self.status}

    def read(self, seq, seconds):  # waits for events after seq, or for the end
        with changed:
            changed.wait_for(lambda: len(self.events) > seq or self.status in ENDS, seconds)
            return self.events[seq:], self.status in ENDS

def publish(job, type, data=None):
    with changed:
        log = logs.setdefault(job, Log(job))
        if log.status in ENDS: raise ValueError(f"job {job} has ended")
        seq, time = len(log.events) + 1, datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        log.events.append({"id": f"{log.epoch}-{seq}", "seq": seq, "job": job, "type": type, "time": time, "data": data})
        log.status = type if type in (*ENDS, "queued") else "running"
        changed.notify_all()

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        url = urlsplit(self.path)
        path, query = re.fullmatch("/jobs/([^/]+)(/events)?", url.path), dict(parse_qsl(url.query))
        log, after = path and logs.get(unquote(path[1])), self.headers["Last-Event-ID"] or query.get("after", "")
        if not log: return self.answer({"code": "unknown-job"}, 404)
        if not re.fullmatch(CURSOR, after): return self.answer({"code": "bad-request"}, 400)
        (events, _), wait = log.read(0, 0), re.search("wait=([0-9]+)", f"{url.query},{self.headers['Prefer']}")
        seq = len(events) if after == "tail" else next((each["seq"] for each in events if each["id"] == after), 0)
        if not path[2]: self.answer({**log.place(len(events)), "id": log.job, "result": events[-1]["data"] if log.status == "succeeded" else None})
        elif "text/event-stream" in self.headers.get("Accept", ""): self.stream(log, seq, "pad" in query)
        else: self.poll(log, seq, min(55, int(wait[1])) if wait else 0)

    def do_POST(self): self.answer({}, 405)  # no jobs are started here

    def poll(self, log, seq, seconds):
        events, done = log.read(seq, seconds)
        page, more, place = events[:1000], len(events) > 1000, log.place(seq)
        place |= {"from": place["cursor"], "cursor": log.place(seq + len(page))["cursor"], "done": done and not more}
        self.answer({**HELLO, "more": more, "jobs": [place], "events": page})

    def stream(self, log, seq, pad):
        events, done = log.read(seq, 0)
        if done and not events: return self.head(204)
        self.head(200, "text/event-stream; charset=utf-8")
        beat = ":" + " " * (2048 if pad else 0) + "\n\n"
        self.write("event: control", {"control": "hello", **HELLO})
        if pad: self.wfile.write(beat.encode())
        self.write("event: control", {"control": "subscribed", **log.place(seq)})
        while events or not done:
            if not events: self.wfile.write(beat.encode())
            for event in events: self.write(f"id: {event['id']}", event)
            seq += len(events)
            events, done = log.read(seq, HEARTBEAT_S)
        self.write("event: control", {"control": "done", "job": log.job, "cursor": log.place(seq)["cursor"]})

    def write(self, field, frame): self.wfile.write(f"{field}\ndata: {json.dumps(frame)}\n\n".encode())

    def answer(self, body, status=200):
        if status >= 400: body |= {"type": "about:blank", "title": self.responses[status][0], "status": status}
        self.head(status, "application/problem+json" if status >= 400 else "application/json")
        self.wfile.write(json.dumps(body).encode())

    def head(self, status, type=None):
        self.send_response(status)
        for header in {**HEADERS, **({"Content-Type": type} if type else {})}.items(): self.send_header(*header)
        self.end_headers()

if __name__ == "__main__":
    server = ThreadingHTTPServer(("", int(sys.argv[1])), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"http://localhost:{server.server_port}/jobs", flush=True)
    for line in sys.stdin:
        job, type, data = (line.split(maxsplit=2) + ["null"])[:3]
        publish(job, type, json.loads(data))
    threading.Event().wait()
