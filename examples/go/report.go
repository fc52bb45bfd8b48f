package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

const maxPages = 10_000

// makeReport makes a report, page by page. Replace it by your work. What it returns is the job's result.
func makeReport(ctx context.Context, job *Job, body []byte) (any, error) {
	input := struct {
		Title     string
		Pages     int
		MsPerPage int
	}{MsPerPage: 200}
	// Anybody with a token can send anything. A JobError is shown to users; what other errors say is not.
	if err := json.Unmarshal(body, &input); err != nil || input.Title == "" {
		return nil, JobError{"bad-input", "title: expected text"}
	}
	if input.Pages < 1 || input.Pages > maxPages {
		return nil, JobError{"bad-input", fmt.Sprintf("pages: expected an integer from 1 to %d", maxPages)}
	}
	for page := 1; page <= input.Pages; page++ {
		select {
		case <-time.After(time.Duration(input.MsPerPage) * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		job.Publish("progress", map[string]any{"current": page, "total": input.Pages, "unit": "pages", "message": input.Title})
	}
	return map[string]string{"url": "/reports/" + job.ID + ".pdf"}, nil
}
