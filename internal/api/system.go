package api

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/jobcenter-go/jobcenter/internal/service"
	"github.com/jobcenter-go/jobcenter/trigger"
)

type systemOutput struct {
	Body struct {
		Version   string    `json:"version"`
		Node      string    `json:"node" doc:"The name of this server among those that share the database."`
		Timezone  string    `json:"timezone" doc:"The default time zone of triggers."`
		StartedAt time.Time `json:"started_at"`
		Now       time.Time `json:"now"`
		Healthy   bool      `json:"healthy"`
		Problem   string    `json:"problem" doc:"Why jobs do not fire; empty while they do."`
	}
}

type zonesOutput struct {
	Body struct {
		Items []string `json:"items" nullable:"false"`
	}
}

type previewInput struct {
	Language
	Body struct {
		Trigger  Trigger   `json:"trigger"`
		From     time.Time `json:"from,omitzero" doc:"Left out: now."`
		Count    int       `json:"count,omitempty" minimum:"1" maximum:"100" doc:"Left out: 10."`
		Timezone string    `json:"timezone,omitempty" doc:"The zone of a trigger that names none. Left out: the server's default."`
		JobID    string    `json:"job_id,omitempty" doc:"The job whose fire times these are to be: its id chooses the values of H and ~ in crontab text, and the delays of jitter."`
	}
}

// Fire is one fire time of a preview, or a time that does not fire.
type Fire struct {
	Time   string `json:"time" format:"date-time" doc:"With the offset that the trigger's zone has then."`
	Wall   string `json:"wall" doc:"The time that the plan names, as the clocks of its zone show it, or would show it." example:"2026-03-29T02:30:00"`
	Effect string `json:"effect" enum:",moved,skipped,repeated,shifted,delayed" doc:"What became of that time. Usually empty: it simply fires. Skipped: it does not, and is not counted."`
	Note   string `json:"note" doc:"The effect in words; usually empty."`
}

// Warning is something about a trigger that may not be meant.
type Warning struct {
	Code    string `json:"code" doc:"The same in all languages." example:"some_months"`
	Field   string `json:"field" doc:"The key of the trigger that it is about; may be empty."`
	Message string `json:"message"`
}

type previewOutput struct {
	Body struct {
		Fires       []Fire    `json:"fires" nullable:"false"`
		Timezone    string    `json:"timezone" doc:"The zone that the trigger computes in."`
		Exhausted   bool      `json:"exhausted" doc:"Whether the trigger has fewer fire times than were asked for."`
		Description string    `json:"description" doc:"The trigger in words, in the language of Accept-Language."`
		Text        string    `json:"text" doc:"The trigger as one line of text, which is taken in place of the JSON form."`
		Warnings    []Warning `json:"warnings" nullable:"false"`
	}
}

func (s *server) routes() {
	s.sessionRoutes()
	s.jobRoutes()
	s.runRoutes()
	register(s, service.ReadJobs, route{
		method: http.MethodPost, path: "/triggers/preview", id: "preview-trigger", group: "Triggers", summary: "The next fire times of a trigger",
	}, s.preview)
	register(s, service.ReadSystem, route{
		method: http.MethodGet, path: "/timezones", id: "list-timezones", group: "Triggers", summary: "The names of the time zones",
	}, s.timezones)
	register(s, service.ReadSystem, route{
		method: http.MethodGet, path: "/system", id: "get-system", group: "System", summary: "The state of the server",
	}, s.system)
	registerStream(s, service.Public, route{
		method: http.MethodGet, path: "/openapi.json", id: "get-openapi", group: "System", summary: "This document",
	}, "application/json", func(context.Context, *struct{}) (func(http.ResponseWriter, *http.Request), error) {
		return func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(s.document) // the client has gone
		}, nil
	})
}

func (s *server) system(ctx context.Context, _ *struct{}) (*systemOutput, error) {
	system, err := s.svc.System(actorOf(ctx))
	if err != nil {
		return nil, err
	}
	var out systemOutput
	b := &out.Body
	b.Version, b.Node, b.Timezone = system.Version, system.Node, system.Zone.String()
	b.StartedAt, b.Now = system.StartedAt.UTC().Truncate(time.Microsecond), system.Now.UTC().Truncate(time.Microsecond)
	b.Healthy = system.Problem == nil
	if system.Problem != nil {
		b.Problem = system.Problem.Error()
	}
	return &out, nil
}

func (s *server) timezones(context.Context, *struct{}) (*zonesOutput, error) {
	var out zonesOutput
	out.Body.Items = service.Zones()
	return &out, nil
}

func (s *server) preview(ctx context.Context, in *previewInput) (*previewOutput, error) {
	zone := s.svc.Zone()
	if name := in.Body.Timezone; name != "" {
		var err error
		if zone, err = time.LoadLocation(name); err != nil || name == "Local" {
			return nil, &service.Error{Code: service.Invalid, Field: "timezone", Value: shortValue("", name), Message: "is not a time zone such as Asia/Shanghai or UTC"}
		}
	}
	t, err := parseTrigger(in.Body.Trigger, zone)
	if err != nil {
		return nil, err
	}
	from, count := in.Body.From, in.Body.Count
	if from.IsZero() {
		from = time.Now().Truncate(time.Microsecond)
	}
	if count == 0 {
		count = 10
	}
	fires, exhausted, err := s.svc.PreviewTrigger(actorOf(ctx), t, in.Body.JobID, from, count, in.lang())
	if err != nil {
		return nil, err
	}
	var out previewOutput
	b := &out.Body
	b.Fires, b.Warnings = []Fire{}, []Warning{}
	for _, fire := range fires {
		b.Fires = append(b.Fires, Fire{
			Time: fire.Time.Format(time.RFC3339Nano), Wall: fire.Wall.Format("2006-01-02T15:04:05.999999"),
			Effect: string(fire.Effect), Note: fire.Note,
		})
	}
	for _, warning := range trigger.Lint(trigger.ForJob(t, in.Body.JobID), from, in.lang()) {
		b.Warnings = append(b.Warnings, Warning{warning.Code, warning.Field, warning.Message})
	}
	b.Exhausted, b.Timezone = exhausted, trigger.Zone(t).String()
	b.Description = trigger.Describe(trigger.ForJob(t, in.Body.JobID), in.lang())
	b.Text, err = trigger.Text(t)
	return &out, err
}

// health answers whether the program is there at all.
func (s *server) health(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok\n") }

// ready answers whether jobs fire and the database answers. What is wrong is
// for the log: anybody may ask.
func (s *server) ready(w http.ResponseWriter, r *http.Request) {
	select {
	case <-s.stopping:
		plain(w, http.StatusServiceUnavailable, "stopping\n")
		return
	default:
	}
	if err := s.svc.Ready(r.Context()); err != nil {
		s.log.LogAttrs(r.Context(), slog.LevelWarn, "not ready", slog.Any("error", err))
		plain(w, http.StatusServiceUnavailable, "not ready\n")
		return
	}
	plain(w, http.StatusOK, "ok\n")
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text) // the client has gone
}
