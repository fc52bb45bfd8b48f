// Serves jobs to Jobtail clients by event stream and polling: go run main.go 8000
// Each line of stdin is an event, such as: 42 progress {"ratio": 0.5}
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"
)

const heartbeat = 15 * time.Second

type object map[string]any
type jobLog struct {
	job, epoch, status string
	events             []object
	changed            chan struct{} // closed at each event, and replaced
}

var (
	mutex   sync.Mutex
	logs    = map[string]*jobLog{}
	paths   = regexp.MustCompile(`^/jobs/([^/]+)(/events)?$`)
	cursors = regexp.MustCompile(`^[A-Za-z0-9._:~-]{0,128}$`)
	ends    = regexp.MustCompile(`^(succeeded|failed|cancelled)$`)
)

func publish(job, kind string, data any) {
	mutex.Lock()
	defer mutex.Unlock()
	log := logs[job]
	if log == nil {
		log = &jobLog{job: job, epoch: fmt.Sprintf("%x", time.Now().UnixNano()), changed: make(chan struct{})}
		logs[job] = log
	}
	if ends.MatchString(log.status) {
		panic("job " + job + " has ended")
	}
	seq, now := len(log.events)+1, time.Now().UTC().Format(time.RFC3339Nano)
	log.events = append(log.events, object{"id": log.cursor(seq), "seq": seq, "job": job, "type": kind, "time": now, "data": data})
	if log.status = "running"; kind == "queued" || ends.MatchString(kind) {
		log.status = kind
	}
	close(log.changed)
	log.changed = make(chan struct{})
}

func (log *jobLog) cursor(seq int) string { return fmt.Sprintf("%s-%d", log.epoch, seq) }

// What comes after seq; where there is nothing yet, it is waited for.
func (log *jobLog) read(r *http.Request, seq int, wait time.Duration) (events []object, status string, done bool) {
	for late := time.After(wait); ; {
		mutex.Lock()
		events, status, changed := log.events[seq:], log.status, log.changed
		mutex.Unlock()
		if done = ends.MatchString(status); len(events) > 0 || done || wait <= 0 {
			return events, status, done
		}
		select {
		case <-changed:
		case <-late:
			wait = 0
		case <-r.Context().Done():
			wait = 0
		}
	}
}

func serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "private, no-store, no-transform")
	w.Header().Set("Vary", "Accept, Origin, Authorization, Cookie, Last-Event-ID, Prefer")
	var log *jobLog
	path := append(paths.FindStringSubmatch(r.URL.EscapedPath()), "", "")
	if job, err := url.PathUnescape(path[1]); err == nil {
		mutex.Lock()
		log = logs[job]
		mutex.Unlock()
	}
	query, after := r.URL.Query(), r.Header.Get("Last-Event-ID")
	if after == "" {
		after = query.Get("after")
	}
	switch {
	case r.Method != "GET":
		answer(w, 405, object{}) // no jobs are started here
	case log == nil:
		answer(w, 404, object{"code": "unknown-job"})
	case !cursors.MatchString(after):
		answer(w, 400, object{"code": "bad-request"})
	default:
		events, status, _ := log.read(r, 0, 0)
		seq := 0
		for _, event := range events {
			if after == "tail" || after == event["id"] {
				seq = event["seq"].(int)
			}
		}
		if path[2] == "" {
			end := len(events)
			answer(w, 200, object{"id": log.job, "epoch": log.epoch, "seq": end, "cursor": log.cursor(end), "status": status, "result": result(events[end-1])})
		} else if strings.Contains(r.Header.Get("Accept"), "text/event-stream") {
			stream(w, r, log, seq)
		} else {
			poll(w, r, log, seq)
		}
	}
}

func result(last object) any {
	if last["type"] == "succeeded" {
		return last["data"]
	}
	return nil
}

func poll(w http.ResponseWriter, r *http.Request, log *jobLog, seq int) {
	var seconds int
	fmt.Sscan(r.URL.Query().Get("wait"), &seconds)
	fmt.Sscanf(r.Header.Get("Prefer"), "wait=%d", &seconds)
	if seconds > 55 {
		seconds = 55
	}
	events, status, done := log.read(r, seq, time.Duration(seconds)*time.Second)
	page := append([]object{}, events...) // [] where there are none, not null
	if len(page) > 1000 {
		page, done = page[:1000], false
	}
	place := object{"job": log.job, "epoch": log.epoch, "seq": seq, "from": log.cursor(seq), "cursor": log.cursor(seq + len(page)), "status": status, "done": done}
	more := len(page) < len(events)
	answer(w, 200, object{"protocol": 1, "heartbeatMs": heartbeat.Milliseconds(), "more": more, "jobs": []object{place}, "events": page})
}

func stream(w http.ResponseWriter, r *http.Request, log *jobLog, seq int) {
	events, status, done := log.read(r, seq, 0)
	if done && len(events) == 0 {
		w.WriteHeader(204)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("X-Accel-Buffering", "no")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	beat := ":\n\n"
	write(w, "event: control", object{"control": "hello", "protocol": 1, "heartbeatMs": heartbeat.Milliseconds()})
	if r.URL.Query().Get("pad") == "1" {
		beat = ":" + strings.Repeat(" ", 2048) + "\n\n"
		fmt.Fprint(w, beat)
	}
	write(w, "event: control", object{"control": "subscribed", "job": log.job, "epoch": log.epoch, "seq": seq, "cursor": log.cursor(seq), "status": status})
	for (len(events) > 0 || !done) && r.Context().Err() == nil {
		if len(events) == 0 {
			fmt.Fprint(w, beat)
		}
		for _, event := range events {
			write(w, "id: "+event["id"].(string), event)
		}
		w.(http.Flusher).Flush()
		seq += len(events)
		events, _, done = log.read(r, seq, heartbeat)
	}
	write(w, "event: control", object{"control": "done", "job": log.job, "cursor": log.cursor(seq)})
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
	listener, err := net.Listen("tcp", ":"+os.Args[1])
	if err != nil {
		panic(err)
	}
	fmt.Printf("http://localhost:%d/jobs\n", listener.Addr().(*net.TCPAddr).Port)
	go http.Serve(listener, http.HandlerFunc(serve))
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		fields := append(strings.SplitN(lines.Text(), " ", 3), "null")
		var data any
		json.Unmarshal([]byte(fields[2]), &data)
		publish(fields[0], fields[1], data)
	}
	select {}
}
