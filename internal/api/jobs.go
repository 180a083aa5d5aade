package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/internal/service"
	"github.com/jobcenter-go/jobcenter/trigger"
)

// Language is the language that a client wants descriptions in.
type Language struct {
	AcceptLanguage string `header:"Accept-Language" doc:"English unless Chinese comes first."`
}

func (l Language) lang() trigger.Lang {
	first, _, _ := strings.Cut(l.AcceptLanguage, ",")
	if strings.HasPrefix(strings.ToLower(strings.TrimSpace(first)), "zh") {
		return trigger.Chinese
	}
	return trigger.English
}

// JobRef names a job.
type JobRef struct {
	Language
	ID string `path:"id" doc:"The job's id."`
}

// Expectation is the version that a change is meant for.
type Expectation struct {
	IfMatch string `header:"If-Match" doc:"The version that the job must still have, in double quotes as in ETag; otherwise 412."`
}

func (e Expectation) version() (*int64, error) {
	if e.IfMatch == "" || e.IfMatch == "*" {
		return nil, nil //nolint:nilnil // no version is expected
	}
	version, err := strconv.ParseInt(strings.Trim(e.IfMatch, `"`), 10, 64)
	if err != nil || !strings.HasPrefix(e.IfMatch, `"`) {
		return nil, newProblem(http.StatusUnprocessableEntity, string(service.Invalid),
			`If-Match must be a version in double quotes, such as "3"`,
			ProblemField{Location: "header.If-Match", Message: "is not a version in double quotes", Value: shortValue("", e.IfMatch)})
	}
	return &version, nil
}

type jobsInput struct {
	Language
	Search string `query:"search" maxLength:"200" doc:"Words that the id, name, command or tags contain."`
	Tag    string `query:"tag"`
	State  string `query:"state" enum:"active,paused,finished,quarantined"`
	Task   string `query:"task"`
	Sort   string `query:"sort" enum:"id,-id,name,-name,next_fire_time,-next_fire_time,created_at,-created_at" doc:"A leading minus: descending. Left out: id."`
	Limit  int    `query:"limit" minimum:"1" maximum:"500" doc:"Left out: 50."`
	Cursor string `query:"cursor" doc:"next_cursor of the page before."`
}

type jobsOutput struct {
	Body struct {
		Items      []Job  `json:"items" nullable:"false"`
		NextCursor string `json:"next_cursor,omitempty" doc:"Absent on the last page."`
	}
}

type jobOutput struct {
	ETag string `header:"ETag" doc:"The version in double quotes."`
	Body Job
}

type createdOutput struct {
	Location string `header:"Location"`
	ETag     string `header:"ETag" doc:"The version in double quotes."`
	Body     Job
}

type createInput struct {
	Language
	Body JobInput
}

type replaceInput struct {
	JobRef
	Expectation
	Body JobInput
}

type patchInput struct {
	JobRef
	Expectation
	Body mergePatch `contentType:"application/merge-patch+json"`
}

type deleteInput struct {
	JobRef
	Expectation
}

// mergePatch is a JSON merge patch (RFC 7396) of a JobInput.
type mergePatch map[string]any

// Schema says what can be patched only roughly: the job that results is
// checked against the schema of JobInput.
func (mergePatch) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true, Description: "A JSON merge patch of a JobInput."}
}

func (s *server) jobRoutes() {
	register(s, service.ReadJobs, route{
		method: http.MethodGet, path: "/jobs", id: "list-jobs", group: "Jobs", summary: "List jobs",
	}, s.listJobs)
	register(s, service.EditJobs, route{
		method: http.MethodPost, path: "/jobs", id: "create-job", group: "Jobs", summary: "Create a job", status: http.StatusCreated,
	}, s.createJob)
	register(s, service.ReadJobs, route{
		method: http.MethodGet, path: "/jobs/{id}", id: "get-job", group: "Jobs", summary: "Read a job",
	}, s.getJob)
	register(s, service.EditJobs, route{
		method: http.MethodPut, path: "/jobs/{id}", id: "replace-job", group: "Jobs", summary: "Replace a job's definition",
		description: "What is left out gets its default. The id, if given, must be the path's.",
	}, s.replaceJob)
	register(s, service.EditJobs, route{
		method: http.MethodPatch, path: "/jobs/{id}", id: "patch-job", group: "Jobs", summary: "Change some of a job's definition",
	}, s.patchJob)
	register(s, service.EditJobs, route{
		method: http.MethodDelete, path: "/jobs/{id}", id: "delete-job", group: "Jobs", summary: "Delete a job", status: http.StatusNoContent,
		description: "Its runs and their output stay.",
	}, s.deleteJob)
	register(s, service.PauseJobs, route{
		method: http.MethodPost, path: "/jobs/{id}/pause", id: "pause-job", group: "Jobs", summary: "Pause a job",
	}, s.pauseJob)
	register(s, service.PauseJobs, route{
		method: http.MethodPost, path: "/jobs/{id}/resume", id: "resume-job", group: "Jobs", summary: "Resume a paused job",
	}, s.resumeJob)
	register(s, service.RunJobs, route{
		method: http.MethodPost, path: "/jobs/{id}/run", id: "run-job", group: "Jobs", summary: "Run a job now", status: http.StatusAccepted,
		description: "Paused or not. 409 if it has as many runs as max_instances allows.",
	}, s.runJob)
}

func (s *server) listJobs(ctx context.Context, in *jobsInput) (*jobsOutput, error) {
	sort, desc := strings.CutPrefix(in.Sort, "-")
	jobs, next, err := s.svc.Jobs(ctx, actorOf(ctx), jobcenter.JobQuery{
		Search: in.Search, Tag: in.Tag, State: jobcenter.JobState(in.State), Task: in.Task,
		Sort: jobcenter.JobSort(sort), Desc: desc, Limit: in.Limit, Cursor: in.Cursor,
	})
	if err != nil {
		return nil, err
	}
	var out jobsOutput
	out.Body.Items = make([]Job, len(jobs))
	for i, job := range jobs {
		out.Body.Items[i] = jobOf(job, in.lang())
	}
	out.Body.NextCursor = next
	return &out, nil
}

func (s *server) createJob(ctx context.Context, in *createInput) (*createdOutput, error) {
	job := jobcenter.Job{ID: in.Body.ID}
	if err := in.Body.apply(&job, s.svc.Zone()); err != nil {
		return nil, err
	}
	added, err := s.svc.CreateJob(ctx, actorOf(ctx), job)
	if err != nil {
		return nil, err
	}
	out := jobOf(added, in.lang())
	return &createdOutput{Location: prefix + "/jobs/" + out.ID, ETag: etag(out), Body: out}, nil
}

func (s *server) getJob(ctx context.Context, in *JobRef) (*jobOutput, error) {
	job, err := s.svc.Job(ctx, actorOf(ctx), in.ID)
	return in.answer(job, err)
}

func (s *server) replaceJob(ctx context.Context, in *replaceInput) (*jobOutput, error) {
	version, err := in.version()
	if err != nil {
		return nil, err
	}
	job, err := s.svc.ChangeJob(ctx, actorOf(ctx), in.ID, version, func(job *jobcenter.Job) error {
		if err := sameID(in.Body.ID, job.ID); err != nil {
			return err
		}
		return in.Body.apply(job, s.svc.Zone())
	})
	return in.answer(job, err)
}

func (s *server) patchJob(ctx context.Context, in *patchInput) (*jobOutput, error) {
	version, err := in.version()
	if err != nil {
		return nil, err
	}
	job, err := s.svc.ChangeJob(ctx, actorOf(ctx), in.ID, version, func(job *jobcenter.Job) error {
		now := jobOf(service.Job{Job: *job}, trigger.English)
		patched, err := s.patched(now.input(), in.Body)
		if err != nil {
			return err
		}
		if err := sameID(patched.ID, job.ID); err != nil {
			return err
		}
		return patched.apply(job, s.svc.Zone())
	})
	return in.answer(job, err)
}

// patched returns a job's definition with a merge patch applied, checked in
// the same way as one that is given whole.
func (s *server) patched(input JobInput, patch mergePatch) (JobInput, error) {
	text, err := json.Marshal(input)
	if err != nil {
		return JobInput{}, err
	}
	var fields map[string]any
	if err := json.Unmarshal(text, &fields); err != nil {
		return JobInput{}, err
	}
	before, _ := fields["trigger"].(map[string]any)
	after, _ := patch["trigger"].(map[string]any)
	if kind, given := after["type"]; given && kind != before["type"] {
		// What was known of a trigger of another kind does not belong to it.
		delete(fields, "trigger")
	}
	merge(fields, patch)
	registry := s.huma.OpenAPI().Components.Schemas
	schema := registry.Schema(reflect.TypeFor[JobInput](), true, "")
	var result huma.ValidateResult
	huma.Validate(registry, schema, huma.NewPathBuffer([]byte("body"), len("body")), huma.ModeWriteToServer, any(fields), &result)
	if len(result.Errors) > 0 {
		wrong, _ := huma.NewError(http.StatusUnprocessableEntity, "validation failed", result.Errors...).(*huma.ErrorModel)
		return JobInput{}, validationProblem(wrong)
	}
	if text, err = json.Marshal(fields); err != nil {
		return JobInput{}, err
	}
	var out JobInput
	return out, json.Unmarshal(text, &out)
}

// merge applies a JSON merge patch: null removes, objects merge, everything
// else replaces.
func merge(into, patch map[string]any) {
	for key, value := range patch {
		switch value := value.(type) {
		case nil:
			delete(into, key)
		case map[string]any:
			inner, ok := into[key].(map[string]any)
			if !ok {
				inner = map[string]any{}
			}
			merge(inner, value)
			into[key] = inner
		default:
			into[key] = value
		}
	}
}

func sameID(given, id string) error {
	if given == "" || given == id {
		return nil
	}
	return &service.Error{Code: service.Invalid, Field: "id", Value: shortValue("", given), Message: fmt.Sprintf("must be the job's id %q, which cannot change", id)}
}

func (s *server) deleteJob(ctx context.Context, in *deleteInput) (*struct{}, error) {
	version, err := in.version()
	if err != nil {
		return nil, err
	}
	return nil, s.svc.DeleteJob(ctx, actorOf(ctx), in.ID, version)
}

func (s *server) pauseJob(ctx context.Context, in *JobRef) (*jobOutput, error) {
	job, err := s.svc.PauseJob(ctx, actorOf(ctx), in.ID)
	return in.answer(job, err)
}

func (s *server) resumeJob(ctx context.Context, in *JobRef) (*jobOutput, error) {
	job, err := s.svc.ResumeJob(ctx, actorOf(ctx), in.ID)
	return in.answer(job, err)
}

func (s *server) runJob(ctx context.Context, in *JobRef) (*runOutput, error) {
	run, err := s.svc.RunJob(ctx, actorOf(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	return &runOutput{Body: runOf(run)}, nil
}

func (r *JobRef) answer(job service.Job, err error) (*jobOutput, error) {
	if err != nil {
		return nil, err
	}
	out := jobOf(job, r.lang())
	return &jobOutput{ETag: etag(out), Body: out}, nil
}

func etag(job Job) string { return fmt.Sprintf("%q", strconv.FormatInt(job.Version, 10)) }
