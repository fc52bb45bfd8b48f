"""Jobs: a log of events for each, and the threads that work on them."""

import datetime
import hashlib
import secrets
import threading
import time
import traceback
from concurrent.futures import Future, ThreadPoolExecutor, wait

ENDS = {"succeeded": "result", "failed": "error", "cancelled": "error"}
MAX_EVENTS = 1000  # in one answer
KEEP_SECONDS = 3600  # after a job's end
# The logs are gone with this process. Another epoch tells readers that a cursor they have kept is of another log.
EPOCH = secrets.token_hex(4)


class JobError(Exception):
    """A failure that users are told of, with a code for programs."""

    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.code = code


class Cancelled(Exception):
    """Ends the work of a job that somebody has cancelled."""


class Job:
    def __init__(self, id: str, owner: str, body: bytes):
        self.id, self.owner, self.body = id, owner, body
        self.cancelled = threading.Event()
        self.ended_at: float | None = None
        self._events: list[dict] = []
        self._latest: dict[str, object] = {}  # the data of each type's latest event
        self._changed = threading.Condition()
        self._closing = False
        self.publish("queued", {})

    def publish(self, type: str, data) -> None:
        """Appends an event. After the one that ends the job there are no others."""
        with self._changed:
            if self.ended:
                raise ValueError(f"job {self.id} has ended")
            seq = len(self._events) + 1
            now = datetime.datetime.now(datetime.timezone.utc).isoformat()
            self._events.append({"id": cursor(seq), "seq": seq, "job": self.id, "type": type, "time": now, "data": data})
            self._latest[type] = data
            if type in ENDS:
                self.ended_at = time.monotonic()
            self._changed.notify_all()

    def sleep(self, seconds: float) -> None:
        """Waits, and raises Cancelled as soon as the job is cancelled."""
        if self.cancelled.wait(seconds):
            raise Cancelled

    def cancel(self) -> None:
        """Asks the work to stop. Once is enough, and after the end there is nothing to stop."""
        with self._changed:
            if self.ended or self.cancelled.is_set():
                return
            self.publish("cancelling", {})
            self.cancelled.set()

    @property
    def ended(self) -> bool:
        return self.ended_at is not None

    @property
    def status(self) -> str:
        last = self._events[-1]["type"]
        return last if last in ENDS or last == "queued" else "running"

    def read(self, after: str, wait_seconds: float = 0) -> tuple[list[dict], dict]:
        """The events after a cursor, and where they leave the reader. Where there are none yet, it waits for the first one."""
        with self._changed:
            seq = self._position(after)
            self._changed.wait_for(lambda: len(self._events) > seq or self.ended or self._closing, wait_seconds)
            events = self._events[seq : seq + MAX_EVENTS]
            place = seq + len(events)
            done = self.ended and place == len(self._events)
            return events, {
                "job": self.id,
                "epoch": EPOCH,
                "seq": seq,
                "from": cursor(seq),
                "cursor": cursor(place),
                "status": self.status,
                "done": done,
            }

    def snapshot(self) -> dict:
        with self._changed:
            last = self._events[-1]
            found = {"id": self.id, "status": self.status, "epoch": EPOCH, "seq": last["seq"], "cursor": last["id"]}
            found.update({type: self._latest[type] for type in ("progress", "cancelling") if type in self._latest})
            if self.ended:
                found[ENDS[last["type"]]] = last["data"]
            return found

    def release_readers(self) -> None:
        """From now on nobody waits for an event: the server is closing."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()

    def _position(self, after: str) -> int:
        """What is not a cursor of this log is answered from its first event."""
        if after == "tail":
            return len(self._events)
        epoch, _, seq = after.partition("-")
        return int(seq) if epoch == EPOCH and seq.isdecimal() and int(seq) <= len(self._events) else 0


def cursor(seq: int) -> str:
    return f"{EPOCH}-{seq}"


class Jobs:
    def __init__(self, workers: int = 8):
        self._jobs: dict[str, Job] = {}
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(workers)
        self._running: set[Future] = set()

    def get(self, id: str) -> Job | None:
        return self._jobs.get(id)

    def start(self, owner: str, key: str | None, body: bytes, work) -> Job:
        """Begins `work(job)` in a thread. With the key of an earlier start of this owner it is that one's job, and nothing is begun."""
        name = secrets.token_urlsafe() if key is None else hashlib.sha256(key.encode()).hexdigest()
        with self._lock:
            self._forget_old_ones()
            id = f"{owner}.{name}"
            if found := self._jobs.get(id):
                return found
            job = self._jobs[id] = Job(id, owner, body)
        running = self._pool.submit(run, job, work)
        self._running.add(running)
        running.add_done_callback(self._running.discard)
        return job

    def close(self, drain_seconds: float) -> None:
        """Lets jobs end for so long, then cancels them. Returns once all have ended, and nobody waits for events any more."""
        wait(self._running.copy(), drain_seconds)
        for job in self._jobs.values():
            job.cancel()
        self._pool.shutdown()
        for job in self._jobs.values():
            job.release_readers()

    def _forget_old_ones(self) -> None:
        oldest = time.monotonic() - KEEP_SECONDS
        self._jobs = {id: job for id, job in self._jobs.items() if job.ended_at is None or job.ended_at > oldest}


def run(job: Job, work) -> None:
    """Runs the work, and says how it ended."""
    try:
        job.sleep(0)  # it may have been cancelled while it was queued
        job.publish("started", {})
        job.publish("succeeded", work(job))
    except Cancelled:
        job.publish("cancelled", {})
    except JobError as error:
        job.publish("failed", {"code": error.code, "message": str(error)})
    except Exception:
        traceback.print_exc()  # for us: it may name hosts, paths and passwords
        job.publish("failed", {"code": "error", "message": "the job has failed"})
