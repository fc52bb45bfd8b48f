package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	heartbeat    = 15 * time.Second
	maxWait      = 55 * time.Second
	maxBodyBytes = 1 << 20
)

// Replace this by yours: look a session up, or verify a token.
var users = map[string]string{"ada-token": "ada", "bob-token": "bob"}

var (
	paths   = regexp.MustCompile(`^/jobs/([^/]+)(?:/(events|cancel))?$`)
	cursors = regexp.MustCompile(`^[A-Za-z0-9._:~-]{0,128}$`)
	waits   = regexp.MustCompile(`\bwait=(\d{1,3})\b`)
	hello   = map[string]any{"protocol": 1, "heartbeatMs": heartbeat.Milliseconds()}
)

type handler struct {
	jobs     *Jobs
	released context.Context // done when the server is closing, and nobody may wait for events any more
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// What every answer says: nobody in between may keep it, change it or hold it back.
	w.Header().Set("Cache-Control", "private, no-store, no-transform")
	w.Header().Set("Vary", "*")
	w.Header().Set("X-Accel-Buffering", "no")
	w.Header().Set("Incremental", "?1")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	user, isKnown := users[token]
	switch {
	case !isKnown || !strings.EqualFold(scheme, "bearer"):
		refuse(w, http.StatusUnauthorized, "unauthorized")
	case r.Method == http.MethodPost && !isOwnPage(r):
		refuse(w, http.StatusForbidden, "forbidden")
	case r.Method == http.MethodPost && r.URL.Path == "/jobs":
		h.start(w, r, user)
	default:
		h.serveJob(w, r, user)
	}
}

// Pages of other sites may not start and cancel jobs. Browsers say by Origin whose page asks.
func isOwnPage(r *http.Request) bool {
	origin, err := url.Parse(r.Header.Get("Origin"))
	return err == nil && (origin.String() == "" || origin.Host == r.Host)
}

func (h *handler) start(w http.ResponseWriter, r *http.Request, user string) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBodyBytes))
	if err != nil {
		refuse(w, http.StatusRequestEntityTooLarge, "bad-request")
		return
	}
	if len(body) > 0 && !json.Valid(body) {
		refuse(w, http.StatusBadRequest, "bad-request")
		return
	}
	key := r.Header.Get("Idempotency-Key")
	if key == "" {
		key = randomKey()
	}
	job := h.jobs.Start(user, key, body, func(ctx context.Context, job *Job) (any, error) { return makeReport(ctx, job, body) })
	if string(job.Body) != string(body) { // the key of an earlier start, and another input
		refuse(w, http.StatusUnprocessableEntity, "bad-request")
		return
	}
	w.Header().Set("Location", "/jobs/"+url.PathEscape(job.ID))
	send(w, http.StatusAccepted, job.Snapshot())
}

// Only its owner may follow and cancel a job.
func (h *handler) serveJob(w http.ResponseWriter, r *http.Request, user string) {
	var job *Job
	found := paths.FindStringSubmatch(r.URL.EscapedPath())
	if found != nil {
		if id, err := url.PathUnescape(found[1]); err == nil {
			job = h.jobs.Get(id)
		}
	}
	switch {
	case job == nil:
		refuse(w, http.StatusNotFound, "unknown-job")
	case job.Owner != user:
		refuse(w, http.StatusForbidden, "forbidden")
	case r.Method == http.MethodPost && found[2] == "cancel":
		job.Cancel()
		send(w, http.StatusAccepted, job.Snapshot())
	case r.Method != http.MethodGet || found[2] == "cancel":
		refuse(w, http.StatusMethodNotAllowed, "bad-request")
	case found[2] == "events":
		h.serveEvents(w, r, job)
	default:
		send(w, http.StatusOK, job.Snapshot())
	}
}

func (h *handler) serveEvents(w http.ResponseWriter, r *http.Request, job *Job) {
	after := r.Header.Get("Last-Event-ID")
	if after == "" {
		after = r.FormValue("after")
	}
	if !cursors.MatchString(after) {
		refuse(w, http.StatusBadRequest, "bad-request")
		return
	}
	if strings.Contains(r.Header.Get("Accept"), "text/event-stream") {
		h.stream(w, r, job, after)
		return
	}
	events, place := h.read(r, job, after, waitOf(r))
	answer := map[string]any{"jobs": []Place{place}, "events": events, "more": len(events) == maxEvents}
	for name, value := range hello {
		answer[name] = value
	}
	send(w, http.StatusOK, answer)
}

func (h *handler) stream(w http.ResponseWriter, r *http.Request, job *Job, after string) {
	events, place := h.read(r, job, after, 0)
	if place.Done && len(events) == 0 {
		w.WriteHeader(http.StatusNoContent) // a browser's EventSource then asks no more
		return
	}
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	padding := ""
	if r.FormValue("pad") != "" { // gets through proxies that hold back short writes
		padding = strings.Repeat(" ", 2048)
	}
	say(w, "hello", hello)
	say(w, "subscribed", map[string]any{"job": job.ID, "epoch": epoch, "seq": place.Seq, "cursor": place.From, "status": place.Status})
	for {
		for _, event := range events {
			fmt.Fprintf(w, "id: %s\ndata: %s\n\n", event.ID, text(event))
		}
		fmt.Fprintf(w, ":%s\n\n", padding) // a comment is the heartbeat
		if place.Done {
			say(w, "done", map[string]any{"job": job.ID, "cursor": place.Cursor})
			return
		}
		w.(http.Flusher).Flush()
		if r.Context().Err() != nil {
			return
		}
		events, place = h.read(r, job, place.Cursor, heartbeat)
	}
}

// Waits until the client has gone or the server is closing, at most.
func (h *handler) read(r *http.Request, job *Job, after string, wait time.Duration) ([]Event, Place) {
	ctx, cancel := context.WithTimeout(r.Context(), wait)
	defer cancel()
	go func() {
		select {
		case <-h.released.Done():
			cancel()
		case <-ctx.Done():
		}
	}()
	return job.Read(ctx, after)
}

func waitOf(r *http.Request) time.Duration {
	asked := waits.FindStringSubmatch("wait=" + r.FormValue("wait") + " " + r.Header.Get("Prefer"))
	if asked == nil {
		return 0
	}
	seconds, _ := strconv.Atoi(asked[1]) // digits
	if wait := time.Duration(seconds) * time.Second; wait < maxWait {
		return wait
	}
	return maxWait
}
