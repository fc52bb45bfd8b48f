// Serves jobs to Jobtail clients: go run main.go 8000. Each line of stdin is an event, such as: 42 progress {"ratio": 0.5}
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"
)

type object map[string]any

const frame = "event: control\ndata: %s\n\n"

var (
	epoch   = fmt.Sprintf("%x", time.Now().UnixNano()) // a restart loses the logs, and begins another epoch
	logs    = map[string][]object{}
	changed = sync.NewCond(&sync.Mutex{})
	ends    = map[any]string{"succeeded": "result", "failed": "error", "cancelled": "error"}
	cursors = regexp.MustCompile(`^[A-Za-z0-9._:~-]{0,128}$`)
)

func publish(job, kind, data string) {
	changed.L.Lock()
	defer changed.L.Unlock()
	if hasEnded(logs[job]) || !json.Valid([]byte(data)) {
		panic("job " + job + " has ended, or this is no JSON: " + data)
	}
	seq, now := len(logs[job])+1, time.Now().UTC()
	logs[job] = append(logs[job], object{"id": cursor(seq), "seq": seq, "job": job, "type": kind, "time": now, "data": json.RawMessage(data)})
	changed.Broadcast()
}

// The log, as soon as it goes on after the cursor, with at most 1,000 events of that; and the cursor's place in it.
func read(job, after string, wait time.Duration) (log []object, seq int) {
	changed.L.Lock()
	defer changed.L.Unlock()
	over := time.Now().Add(wait) // before the timer that ends the wait is set
	defer time.AfterFunc(wait, func() { changed.L.Lock(); changed.Broadcast(); changed.L.Unlock() }).Stop()
	for seq = len(logs[job]); seq > 0 && after != "tail" && after != cursor(seq); {
		seq--
	}
	for seq > 0 && seq == len(logs[job]) && !hasEnded(logs[job]) && time.Now().Before(over) {
		changed.Wait()
	}
	if log = logs[job]; len(log) > seq+1000 {
		log = log[:seq+1000]
	}
	return log, seq
}

func serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "private, no-store, no-transform")
	w.Header().Set("Vary", "*")
	w.Header().Set("Content-Type", "application/json")
	job := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/jobs/"), "/events") // no id here ends in /events
	after := append(r.Header.Values("Last-Event-ID"), r.FormValue("after"))[0]
	wait, _ := time.ParseDuration(strings.TrimPrefix(r.FormValue("wait")+r.Header.Get("Prefer"), "wait=") + "s")
	log, seq := read(job, after, time.Duration(math.Min(float64(wait), float64(55*time.Second))))
	switch {
	case r.Method != "GET":
		w.WriteHeader(405) // no jobs are started here
	case len(log) == 0:
		refuse(w, 404, "unknown-job")
	case !cursors.MatchString(after):
		refuse(w, 400, "bad-request")
	case !strings.HasSuffix(r.URL.Path, "/events"):
		log, seq = read(job, "tail", 0)
		snapshot := object{"id": job, "epoch": epoch, "seq": seq, "cursor": cursor(seq), "status": state(log)}
		if hasEnded(log) {
			snapshot[ends[state(log)]] = log[seq-1]["data"]
		}
		fmt.Fprint(w, snapshot)
	case !strings.Contains(r.Header.Get("Accept"), "text/event-stream"):
		place := object{"job": job, "epoch": epoch, "seq": seq, "from": cursor(seq), "cursor": cursor(len(log)),
			"status": state(log), "done": hasEnded(log)}
		fmt.Fprint(w, object{"protocol": 1, "heartbeatMs": 15000, "more": len(log) == seq+1000, "jobs": []object{place}, "events": log[seq:]})
	case hasEnded(log[:seq]):
		w.WriteHeader(204)
	default:
		stream(w, r, job, log, seq)
	}
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	fmt.Fprint(w, object{"status": status, "title": http.StatusText(status), "code": code})
}

func stream(w http.ResponseWriter, r *http.Request, job string, log []object, seq int) {
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("X-Accel-Buffering", "no")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	fmt.Fprintf(w, frame, object{"control": "hello", "protocol": 1, "heartbeatMs": 15000})
	fmt.Fprintf(w, frame, object{"control": "subscribed", "job": job, "epoch": epoch, "seq": seq, "cursor": cursor(seq), "status": state(log)})
	for r.Context().Err() == nil && !hasEnded(log[:seq]) {
		for ; seq < len(log); seq++ {
			fmt.Fprintf(w, "id: %s\ndata: %s\n\n", cursor(seq+1), log[seq])
		}
		fmt.Fprintf(w, ":%*s\n\n", 2048*len(r.Form["pad"]), "")
		w.(http.Flusher).Flush()
		log, seq = read(job, cursor(seq), 15*time.Second)
	}
	fmt.Fprintf(w, frame, object{"control": "done", "job": job, "cursor": cursor(seq)})
}

func state(log []object) any {
	if last := log[len(log)-1]["type"]; last == "queued" || hasEnded(log) {
		return last
	}
	return "running"
}

func hasEnded(log []object) bool { return len(log) > 0 && ends[log[len(log)-1]["type"]] != "" }

func cursor(seq int) string { return fmt.Sprintf("%s-%d", epoch, seq) }

func (fields object) String() string { text, _ := json.Marshal(fields); return string(text) }

func main() {
	go func() { panic(http.ListenAndServe(":"+os.Args[1], http.HandlerFunc(serve))) }()
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		event := append(strings.SplitN(lines.Text(), " ", 3), "null")
		publish(event[0], event[1], event[2])
	}
	select {}
}
