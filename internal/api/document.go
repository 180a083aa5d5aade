package api

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/jobcenter-go/jobcenter/internal/service"
)

// The kinds of trigger, for the document only; package trigger reads them.
type (
	// CronTrigger fires at the times that all its fields allow.
	CronTrigger struct {
		Type      string `json:"type" enum:"cron"`
		Year      string `json:"year,omitempty" example:"2026-2030"`
		Month     string `json:"month,omitempty" doc:"1 to 12, or jan to dec." example:"6-8,11-12"`
		Day       string `json:"day,omitempty" doc:"1 to 31, last, or such as 3rd fri or last sun." example:"3rd fri"`
		Week      string `json:"week,omitempty" doc:"The ISO week, 1 to 53."`
		DayOfWeek string `json:"day_of_week,omitempty" doc:"0 to 6 where 0 is Monday, or mon to sun." example:"mon-fri"`
		Hour      string `json:"hour,omitempty" example:"9-17"`
		Minute    string `json:"minute,omitempty" example:"*/5"`
		Second    string `json:"second,omitempty" example:"0"`
		Bounds
	}
	// CrontabTrigger is a line of a crontab: 5 fields, or 6 with leading seconds.
	CrontabTrigger struct {
		Type       string `json:"type" enum:"crontab"`
		Expression string `json:"expression" example:"*/5 9-17 * * mon-fri"`
		Bounds
	}
	// IntervalTrigger fires every so often, counted from start_date. Left
	// out, that is one interval after the job was added.
	IntervalTrigger struct {
		Type    string  `json:"type" enum:"interval"`
		Weeks   int64   `json:"weeks,omitempty"`
		Days    int64   `json:"days,omitempty"`
		Hours   int64   `json:"hours,omitempty"`
		Minutes int64   `json:"minutes,omitempty"`
		Seconds float64 `json:"seconds,omitempty"`
		Bounds
	}
	// DateTrigger fires once.
	DateTrigger struct {
		Type     string `json:"type" enum:"date"`
		RunDate  string `json:"run_date" doc:"RFC 3339, or without an offset the wall time in timezone." example:"2026-11-06T16:30:05"`
		Timezone string `json:"timezone,omitempty" doc:"An IANA name. Left out: the server's default." example:"Asia/Shanghai"`
	}
	// Bounds are what all but a date have.
	Bounds struct {
		StartDate string `json:"start_date,omitempty" doc:"No fire time before it. RFC 3339, or without an offset the wall time in timezone."`
		EndDate   string `json:"end_date,omitempty" doc:"No fire time after it. RFC 3339, or without an offset the wall time in timezone."`
		Timezone  string `json:"timezone,omitempty" doc:"An IANA name. Left out: the server's default." example:"Asia/Shanghai"`
	}
)

const schemas = "#/components/schemas/"

// Document returns the OpenAPI document of a version of the API.
func Document(version string) ([]byte, error) {
	s, _, err := newServer(Options{Version: version})
	if err != nil {
		return nil, err
	}
	return s.document, nil
}

// document renders the OpenAPI document, with what huma is not to validate by
// described in full.
func document(spec *huma.OpenAPI) ([]byte, error) {
	registry := spec.Components.Schemas
	kinds := map[string]string{}
	var refs []any
	for kind, t := range map[string]reflect.Type{
		"cron": reflect.TypeFor[CronTrigger](), "crontab": reflect.TypeFor[CrontabTrigger](),
		"interval": reflect.TypeFor[IntervalTrigger](), "date": reflect.TypeFor[DateTrigger](),
	} {
		kinds[kind] = registry.Schema(t, true, "").Ref
	}
	for _, kind := range []string{"cron", "crontab", "interval", "date"} {
		refs = append(refs, map[string]string{"$ref": kinds[kind]})
	}
	// huma knows its own form of errors only; every answer has a Problem.
	delete(registry.Map(), "ErrorModel")
	delete(registry.Map(), "ErrorDetail")
	spec.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"session": {Type: "apiKey", In: "cookie", Name: sessionCookie},
		"token":   {Type: "http", Scheme: "bearer", Description: "An API token, made by jobcenter token create."},
	}
	text, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	var full map[string]any
	if err := json.Unmarshal(text, &full); err != nil {
		return nil, err
	}
	components, _ := full["components"].(map[string]any)
	known, _ := components["schemas"].(map[string]any)
	known["Trigger"] = map[string]any{
		"oneOf":         refs,
		"discriminator": map[string]any{"propertyName": "type", "mapping": kinds},
	}
	// huma knows no reference that may be null.
	job, _ := known["Job"].(map[string]any)
	fields, _ := job["properties"].(map[string]any)
	fields["last_run"] = map[string]any{
		"oneOf":       []any{map[string]string{"$ref": schemas + "Run"}, map[string]string{"type": "null"}},
		"description": "The last run that started.",
	}
	text, err = json.MarshalIndent(full, "", "  ")
	return append(text, '\n'), err
}

// problemSchema describes the errors of an operation.
func problemSchema(spec *huma.OpenAPI, op *huma.Operation) {
	spec.Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "")
	op.Responses = map[string]*huma.Response{"default": {
		Description: "Error",
		Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: &huma.Schema{Ref: schemas + "Problem"}}},
	}}
}

type streamOutput struct {
	Body func(huma.Context)
}

// registerStream adds a route that answers with something else than JSON.
func registerStream[I any](s *server, op service.Operation, r route, contentType string, handle func(context.Context, *I) (func(http.ResponseWriter, *http.Request), error)) {
	register(s, op, r, func(ctx context.Context, in *I) (*streamOutput, error) {
		answer, err := handle(ctx, in)
		if err != nil {
			return nil, err
		}
		return &streamOutput{func(c huma.Context) {
			r, w := humago.Unwrap(c)
			w.Header().Set("Content-Type", contentType)
			answer(w, r.WithContext(ctx))
		}}, nil
	})
	path := s.huma.OpenAPI().Paths[prefix+r.path]
	path.Get.Responses["200"] = &huma.Response{
		Description: "OK",
		Content:     map[string]*huma.MediaType{contentType: {Schema: &huma.Schema{Type: huma.TypeString}}},
	}
}
