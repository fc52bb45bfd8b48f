// Serves jobs to Jobtail clients, by event streams and polling: go run .
package main

import (
	"context"
	"errors"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const (
	maxRunning = 8
	drain      = 20 * time.Second // less than the time that the platform gives a process after SIGTERM, often 30 s
	farewell   = 5 * time.Second  // for answers that are under way
)

func main() {
	port := os.Getenv("PORT")
	if port == "" {
		port = "8000"
	}
	closing, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	jobs := NewJobs(maxRunning)
	released, release := context.WithCancel(context.Background())
	server := &http.Server{Addr: ":" + port, Handler: &handler{jobs, released}, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
			log.Fatal(err)
		}
	}()

	<-closing.Done()
	ended := make(chan error)
	go func() {
		jobs.Close(drain)
		release() // nobody waits for events any more
		close(ended)
	}()
	// Takes no connections any more, which then go to another process, and waits for the answers that are under way.
	ctx, cancel := context.WithTimeout(context.Background(), drain+farewell)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		log.Print(err)
	}
	<-ended
}
