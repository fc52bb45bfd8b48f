package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log"
	"sync"
	"time"
)

const keep = time.Hour // after a job's end

// JobError is a failure that users are told of, with a code for programs.
type JobError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (e JobError) Error() string { return e.Message }

// Work is what a job does. It ends early where ctx is done: the job was cancelled.
type Work func(ctx context.Context, job *Job) (any, error)

// Jobs starts jobs, and knows them until an hour after their end.
type Jobs struct {
	mu      sync.Mutex
	jobs    map[string]*Job
	running sync.WaitGroup
	places  chan struct{} // as many jobs run at once
}

func NewJobs(maxRunning int) *Jobs {
	return &Jobs{jobs: map[string]*Job{}, places: make(chan struct{}, maxRunning)}
}

func (s *Jobs) Get(id string) *Job {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.jobs[id]
}

// Start begins work. With the key of an earlier start of this owner it returns that one's job, and begins nothing.
func (s *Jobs) Start(owner, key string, body []byte, work Work) *Job {
	digest := sha256.Sum256([]byte(key))
	id := owner + "." + hex.EncodeToString(digest[:])
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgetOldOnes()
	if found := s.jobs[id]; found != nil {
		return found
	}
	job := newJob(id, owner, body)
	s.jobs[id] = job
	s.running.Add(1)
	go s.run(job, work)
	return job
}

func (s *Jobs) run(job *Job, work Work) {
	defer s.running.Done()
	select {
	case s.places <- struct{}{}:
		defer func() { <-s.places }()
	case <-job.ctx.Done(): // cancelled while it was queued
		job.Publish("cancelled", map[string]any{})
		return
	}
	job.Publish("started", map[string]any{})
	result, err := work(job.ctx, job)
	var failure JobError
	switch {
	case err == nil:
		job.Publish("succeeded", result)
	case job.ctx.Err() != nil:
		job.Publish("cancelled", map[string]any{})
	case errors.As(err, &failure):
		job.Publish("failed", failure)
	default:
		log.Printf("job %s: %v", job.ID, err) // for us: it may name hosts, paths and passwords
		job.Publish("failed", JobError{"error", "the job has failed"})
	}
}

// Close lets jobs end for so long, then cancels them. It returns once all have ended.
func (s *Jobs) Close(drain time.Duration) {
	late := time.AfterFunc(drain, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, job := range s.jobs {
			job.Cancel()
		}
	})
	defer late.Stop()
	s.running.Wait()
}

func (s *Jobs) forgetOldOnes() {
	for id, job := range s.jobs {
		job.mu.Lock()
		isOld := !job.endedAt.IsZero() && time.Since(job.endedAt) > keep
		job.mu.Unlock()
		if isOld {
			delete(s.jobs, id)
		}
	}
}
