// Serves jobs to Jobtail clients: go run main.go 8000. Each line of stdin is an event, such as: 42 progress {"ratio": 0.5}
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"
)

type object map[string]any

var (
	epoch   = fmt.Sprintf("%x", time.Now().UnixNano()) // a restart loses the logs, and begins another epoch
	mutex   sync.Mutex
	logs    = map[string][]object{}
	changed = make(chan struct{}) // closed at each event, and replaced
	ends    = map[any]string{"succeeded": "result", "failed": "error", "cancelled": "error"}
	paths   = regexp.MustCompile(`^/jobs/([^/]+)(/events)?$`)
	cursors = regexp.MustCompile(`^[A-Za-z0-9._:~-]{0,128}$`)
)

func hasEnded(events []object) bool {
	return len(events) > 0 && ends[events[len(events)-1]["type"]] != ""
}

func cursor(seq int) string { return fmt.Sprintf("%s-%d", epoch, seq) }

func publish(job, kind, data string) {
	mutex.Lock()
	defer mutex.Unlock()
	if hasEnded(logs[job]) || !json.Valid([]byte(data)) {
		log.Fatalf("job %s has ended, or this is no JSON: %s", job, data)
	}
	seq, now := len(logs[job])+1, time.Now().UTC()
	logs[job] = append(logs[job], object{"id": cursor(seq), "seq": seq, "job": job, "type": kind, "time": now, "data": json.RawMessage(data)})
	close(changed)
	changed = make(chan struct{})
}

// The job's events, as soon as there are more than seq, or the last one.
func await(ctx context.Context, job string, seq int, wait time.Duration) []object {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for {
		mutex.Lock()
		events, next := logs[job], changed
		mutex.Unlock()
		if len(events) > seq || hasEnded(events) {
			return events
		}
		select {
		case <-next:
		case <-ctx.Done():
			return events
		}
	}
}

// Where a reader stands who has had the events up to seq.
func place(events []object, seq int) object {
	status := events[len(events)-1]["type"]
	if status != "queued" && ends[status] == "" {
		status = "running"
	}
	return object{"job": events[0]["job"], "epoch": epoch, "seq": seq, "cursor": cursor(seq), "status": status}
}

func serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "private, no-store, no-transform")
	w.Header().Set("Vary", "Accept, Origin, Authorization, Cookie, Last-Event-ID, Prefer")
	path := append(paths.FindStringSubmatch(r.URL.EscapedPath()), "", "", "")
	job, _ := url.PathUnescape(path[1])
	after := r.Header.Get("Last-Event-ID")
	if after == "" {
		after = r.FormValue("after")
	}
	events, seq := await(r.Context(), job, 0, 0), 0
	for i, event := range events {
		if after == "tail" || after == event["id"] {
			seq = i + 1
		}
	}
	switch {
	case r.Method != "GET":
		answer(w, 405, object{}) // no jobs are started here
	case len(events) == 0:
		answer(w, 404, object{"code": "unknown-job"})
	case !cursors.MatchString(after):
		answer(w, 400, object{"code": "bad-request"})
	case path[2] == "":
		snapshot(w, events)
	case strings.Contains(r.Header.Get("Accept"), "text/event-stream"):
		stream(w, r, job, seq)
	default:
		poll(w, r, job, seq)
	}
}

func snapshot(w http.ResponseWriter, events []object) {
	body, last := place(events, len(events)), events[len(events)-1]
	body["id"] = body["job"]
	if hasEnded(events) {
		body[ends[last["type"]]] = last["data"]
	}
	answer(w, 200, body)
}

func poll(w http.ResponseWriter, r *http.Request, job string, seq int) {
	var seconds int
	fmt.Sscan(r.FormValue("wait"), &seconds)
	fmt.Sscanf(r.Header.Get("Prefer"), "wait=%d", &seconds)
	if seconds > 55 {
		seconds = 55
	}
	events := await(r.Context(), job, seq, time.Duration(seconds)*time.Second)
	end := len(events)
	if end > seq+1000 {
		end = seq + 1000
	}
	here := place(events, seq)
	here["from"], here["cursor"], here["done"] = cursor(seq), cursor(end), hasEnded(events[:end])
	answer(w, 200, object{"protocol": 1, "heartbeatMs": 15000, "more": end < len(events), "jobs": []object{here}, "events": events[seq:end]})
}

func stream(w http.ResponseWriter, r *http.Request, job string, seq int) {
	events := await(r.Context(), job, seq, 0)
	if hasEnded(events[:seq]) {
		w.WriteHeader(204)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("X-Accel-Buffering", "no")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	beat := ":\n\n"
	if r.FormValue("pad") == "1" {
		beat = ":" + strings.Repeat(" ", 2048) + "\n\n"
	}
	here := place(events, seq)
	here["control"] = "subscribed"
	write(w, "event: control", object{"control": "hello", "protocol": 1, "heartbeatMs": 15000})
	write(w, "event: control", here)
	for !hasEnded(events[:seq]) && r.Context().Err() == nil {
		for _, event := range events[seq:] {
			write(w, "id: "+event["id"].(string), event)
		}
		fmt.Fprint(w, beat)
		w.(http.Flusher).Flush()
		seq = len(events)
		events = await(r.Context(), job, seq, 15*time.Second)
	}
	write(w, "event: control", object{"control": "done", "job": job, "cursor": cursor(seq)})
}

func write(w http.ResponseWriter, field string, frame object) {
	data, _ := json.Marshal(frame)
	fmt.Fprintf(w, "%s\ndata: %s\n\n", field, data)
}

func answer(w http.ResponseWriter, status int, body object) {
	w.Header().Set("Content-Type", "application/json")
	if status >= 400 {
		w.Header().Set("Content-Type", "application/problem+json")
		body["type"], body["title"], body["status"] = "about:blank", http.StatusText(status), status
	}
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}

func main() {
	go func() { log.Fatal(http.ListenAndServe(":"+os.Args[1], http.HandlerFunc(serve))) }()
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		fields := append(strings.SplitN(lines.Text(), " ", 3), "null")
		publish(fields[0], fields[1], fields[2])
	}
	select {}
}
