"""Serves jobs to Jobtail clients: python3 server.py 8000. Each line of stdin is an event, such as: 42 progress {"ratio": 0.5}"""
import datetime, http.server, json, re, secrets, signal, sys, threading, urllib.parse

JSON, PROBLEM, STREAM = "application/json", "application/problem+json", "text/event-stream; charset=utf-8"
HEADERS = {"Cache-Control": "private, no-store, no-transform", "Vary": "*", "X-Accel-Buffering": "no", "X-Content-Type-Options": "nosniff"}
HELLO, ENDS = {"protocol": 1, "heartbeatMs": 15_000}, {"succeeded": "result", "failed": "error", "cancelled": "error"}
epoch, logs, changed = secrets.token_hex(4), {}, threading.Condition()  # a restart loses the logs, and begins another epoch

def publish(job, type, data="null"):
    with changed:
        log, time = logs.setdefault(job, []), datetime.datetime.now(datetime.timezone.utc).isoformat()
        if log and log[-1]["type"] in ENDS: raise ValueError(f"job {job} has ended")
        seq = len(log) + 1
        log.append({"id": f"{epoch}-{seq}", "seq": seq, "job": job, "type": type, "time": time, "data": json.loads(data)})
        changed.notify_all()

def read(log, after, wait_s=0):  # the events after a cursor, as soon as there are some, and where they leave the reader
    with changed:
        seq = len(log) if after == "tail" else next((event["seq"] for event in reversed(log) if event["id"] == after), 0)
        changed.wait_for(lambda: len(log) > seq or log[-1]["type"] in ENDS, wait_s)
        events = log[seq:seq + 1000]
        last = (events or log)[-1]
        return events, {"job": last["job"], "epoch": epoch, "seq": seq, "from": f"{epoch}-{seq}", "cursor": last["id"],
                        "status": last["type"] if last["type"] in (*ENDS, "queued") else "running", "done": last["type"] in ENDS}

def answer(url, headers):  # a status, a content type, and the body in pieces
    path, query = re.fullmatch("/jobs/([^/]+)(/events)?", url.path), dict(urllib.parse.parse_qsl(url.query))
    log, after = path and logs.get(urllib.parse.unquote(path[1])), headers["Last-Event-ID"] or query.get("after", "")
    if not log: return 404, PROBLEM, ['{"status": 404, "title": "Not Found", "code": "unknown-job"}']
    if re.search("[^A-Za-z0-9._:~-]|.{129}", after): return 400, PROBLEM, ['{"status": 400, "title": "Bad Request", "code": "bad-request"}']
    if not path[2]:
        _, end = read(log, "tail")
        return 200, JSON, [json.dumps({**end, "id": end["job"], **({ENDS[end["status"]]: log[-1]["data"]} if end["done"] else {})})]
    is_stream, wait = "text/event-stream" in headers.get("Accept", ""), re.search(r"\bwait=(\d+)", f"{url.query} {headers['Prefer']}")
    events, place = read(log, after, min(int(wait[1]), 55) if wait and not is_stream else 0)
    if is_stream and place["done"] and not events: return 204, STREAM, []
    if is_stream: return 200, STREAM, stream(log, events, place, "pad" in query)
    return 200, JSON, [json.dumps({**HELLO, "more": len(events) == 1000, "jobs": [place], "events": events})]

def stream(log, events, place, is_padded):
    yield control("hello", HELLO) + control("subscribed", {**place, "cursor": place["from"]})
    while events or not place["done"]:
        for event in events: yield f"id: {event['id']}\ndata: {json.dumps(event)}\n\n"
        yield ":" + " " * 2048 * is_padded + "\n\n"
        events, place = read(log, place["cursor"], 15)
    yield control("done", place)

def control(name, fields): return f"event: control\ndata: {json.dumps({'control': name, **fields})}\n\n"

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        status, type, body = answer(urllib.parse.urlsplit(self.path), self.headers)
        self.send_response(status)
        for header in {**HEADERS, "Content-Type": type}.items(): self.send_header(*header)
        self.end_headers()
        for part in body: self.wfile.write(part.encode())

    def do_POST(self): self.send_error(405)  # no jobs are started here

http.server.ThreadingHTTPServer.request_queue_size = 128  # of its 5, clients that come at once would wait for seconds
signal.signal(signal.SIGINT, signal.SIG_DFL)
threading.Thread(target=http.server.ThreadingHTTPServer(("", int(sys.argv[1])), Handler).serve_forever).start()
for line in sys.stdin: publish(*line.split(maxsplit=2))
