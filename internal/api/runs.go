package api

import (
	"context"
	"net/http"
	"time"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/internal/service"
)

// RunRef names a run.
type RunRef struct {
	ID string `path:"id" doc:"The run's id."`
}

type runsInput struct {
	Job    string    `query:"job" doc:"The id of a job, which may have been deleted since."`
	State  []string  `query:"state" enum:"queued,running,succeeded,failed,timed_out,stopped,lost,missed,skipped" doc:"Any of these, separated by commas."`
	From   time.Time `query:"from" doc:"Fire times at or after it."`
	To     time.Time `query:"to" doc:"Fire times before it."`
	Limit  int       `query:"limit" minimum:"1" maximum:"500" doc:"Left out: 50."`
	Cursor string    `query:"cursor" doc:"next_cursor of the page before."`
}

type runsOutput struct {
	Body struct {
		Items      []Run  `json:"items" nullable:"false"`
		NextCursor string `json:"next_cursor,omitempty" doc:"Absent on the last page."`
	}
}

type runOutput struct {
	Body Run
}

func (s *server) runRoutes() {
	register(s, service.ReadRuns, route{
		method: http.MethodGet, path: "/runs", id: "list-runs", group: "Runs", summary: "List runs", description: "Newest fire time first.",
	}, s.listRuns)
	register(s, service.ReadRuns, route{
		method: http.MethodGet, path: "/runs/{id}", id: "get-run", group: "Runs", summary: "Read a run",
	}, s.getRun)
	register(s, service.StopRuns, route{
		method: http.MethodPost, path: "/runs/{id}/stop", id: "stop-run", group: "Runs", summary: "Stop a run", status: http.StatusAccepted,
		description: "Returns at once; the run ends when its task has returned.",
	}, s.stopRun)
	registerStream(s, service.ReadRuns, route{
		method: http.MethodGet, path: "/runs/{id}/output", id: "get-output", group: "Runs", summary: "Read a run's output",
		description: "The bytes as they came; Range is supported. Where bytes were not kept, a line of its own says how many: [… 123 bytes not kept …].",
	}, "text/plain; charset=utf-8", s.output)
	registerStream(s, service.ReadRuns, route{
		method: http.MethodGet, path: "/runs/{id}/output/stream", id: "follow-output", group: "Runs", summary: "Follow a run's output",
		description: "Server-sent events. `output` carries {\"offset\",\"stream\",\"at\",\"data\"} with base64 data and, as its id, the offset behind it; " +
			"`run` carries the Run at the start and at each change of state; `end` carries the Run and is the last. " +
			"Resumes behind Last-Event-ID or ?offset=. An offset that jumps is a gap that was not kept.",
	}, "text/event-stream", s.follow)
}

func (s *server) listRuns(ctx context.Context, in *runsInput) (*runsOutput, error) {
	q := jobcenter.RunQuery{JobID: in.Job, From: in.From, To: in.To, Limit: in.Limit, Cursor: in.Cursor}
	for _, state := range in.State {
		q.States = append(q.States, jobcenter.RunState(state))
	}
	runs, next, err := s.svc.Runs(ctx, actorOf(ctx), q)
	if err != nil {
		return nil, err
	}
	var out runsOutput
	out.Body.Items = make([]Run, len(runs))
	for i, run := range runs {
		out.Body.Items[i] = runOf(run)
	}
	out.Body.NextCursor = next
	return &out, nil
}

func (s *server) getRun(ctx context.Context, in *RunRef) (*runOutput, error) {
	run, err := s.svc.Run(ctx, actorOf(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	return &runOutput{Body: runOf(run)}, nil
}

func (s *server) stopRun(ctx context.Context, in *RunRef) (*runOutput, error) {
	run, err := s.svc.StopRun(ctx, actorOf(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	return &runOutput{Body: runOf(run)}, nil
}
