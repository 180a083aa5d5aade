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
	for _, of := range triggerForms() {
		ref := registry.Schema(of.form, true, "").Ref
		kinds[of.kind] = ref
		refs = append(refs, map[string]string{"$ref": ref})
	}
	refs = append(refs, map[string]string{
		"type": "string", "example": `quartz "0 0 12 L * ?" timezone=Asia/Shanghai`,
		"description": "In requests, the trigger as one line of text: its kind, then its keys as key=value. A bare crontab expression will do.",
	})
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
