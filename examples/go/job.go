package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
)

const maxEvents = 1000 // in one answer

// The logs are gone with this process. Another epoch tells readers that a cursor they have kept is of another log.
var epoch = strconv.FormatInt(time.Now().UnixNano(), 36)

var ends = map[string]string{"succeeded": "result", "failed": "error", "cancelled": "error"}

// Event is one entry of a job's log, as PROTOCOL.md has it.
type Event struct {
	ID   string    `json:"id"`
	Seq  int       `json:"seq"`
	Job  string    `json:"job"`
	Type string    `json:"type"`
	Time time.Time `json:"time"`
	Data any       `json:"data"`
}

// Place says where the events of an answer leave their reader.
type Place struct {
	Job    string `json:"job"`
	Epoch  string `json:"epoch"`
	Seq    int    `json:"seq"`
	From   string `json:"from"`
	Cursor string `json:"cursor"`
	Status string `json:"status"`
	Done   bool   `json:"done"`
}

// Job has a log of events. Its methods may be called from any goroutine.
type Job struct {
	ID, Owner string
	Body      []byte // what it was started with

	ctx    context.Context // done when somebody has cancelled the job
	cancel context.CancelFunc

	mu      sync.Mutex
	events  []Event
	latest  map[string]any // the data of each type's latest event
	changed chan struct{}  // closed at the next event
	endedAt time.Time
}

func newJob(id, owner string, body []byte) *Job {
	job := &Job{ID: id, Owner: owner, Body: body, latest: map[string]any{}, changed: make(chan struct{})}
	job.ctx, job.cancel = context.WithCancel(context.Background())
	job.Publish("queued", map[string]any{})
	return job
}

// Publish appends an event. After the one that ends the job there are no others.
func (j *Job) Publish(kind string, data any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.publish(kind, data)
}

func (j *Job) publish(kind string, data any) {
	if !j.endedAt.IsZero() {
		return
	}
	seq, now := len(j.events)+1, time.Now().UTC()
	j.events = append(j.events, Event{cursor(seq), seq, j.ID, kind, now, data})
	j.latest[kind] = data
	if ends[kind] != "" {
		j.endedAt = now
	}
	close(j.changed)
	j.changed = make(chan struct{})
}

// Cancel asks the work to stop. Once is enough, and after the end there is nothing to stop.
func (j *Job) Cancel() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.ctx.Err() == nil {
		j.publish("cancelling", map[string]any{})
		j.cancel()
	}
}

// Read returns the events after a cursor. Where there are none yet, it waits for the first one until ctx is done.
func (j *Job) Read(ctx context.Context, after string) ([]Event, Place) {
	for {
		j.mu.Lock()
		seq := j.position(after)
		isOver, changed := !j.endedAt.IsZero(), j.changed
		if seq < len(j.events) || isOver || ctx.Err() != nil {
			defer j.mu.Unlock()
			end := len(j.events)
			if end > seq+maxEvents {
				end = seq + maxEvents
			}
			return j.events[seq:end], Place{j.ID, epoch, seq, cursor(seq), cursor(end), j.status(), isOver && end == len(j.events)}
		}
		after = cursor(seq) // "tail" is where it was at first
		j.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// Snapshot says how the job stands now.
func (j *Job) Snapshot() map[string]any {
	j.mu.Lock()
	defer j.mu.Unlock()
	last := j.events[len(j.events)-1]
	found := map[string]any{"id": j.ID, "status": j.status(), "epoch": epoch, "seq": last.Seq, "cursor": last.ID}
	for _, kind := range []string{"progress", "cancelling"} {
		if data, isThere := j.latest[kind]; isThere {
			found[kind] = data
		}
	}
	if member := ends[last.Type]; member != "" {
		found[member] = last.Data
	}
	return found
}

func (j *Job) status() string {
	last := j.events[len(j.events)-1].Type
	if ends[last] != "" || last == "queued" {
		return last
	}
	return "running"
}

// What is not a cursor of this log is answered from its first event.
func (j *Job) position(after string) int {
	if after == "tail" {
		return len(j.events)
	}
	seq, err := strconv.Atoi(strings.TrimPrefix(after, epoch+"-"))
	if !strings.HasPrefix(after, epoch+"-") || err != nil || seq < 0 || seq > len(j.events) {
		return 0
	}
	return seq
}

func cursor(seq int) string { return fmt.Sprintf("%s-%d", epoch, seq) }
