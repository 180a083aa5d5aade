package api

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/jobcenter-go/jobcenter/internal/account"
	"github.com/jobcenter-go/jobcenter/internal/service"
)

// Problem is every error of the API, in the form of RFC 9457.
type Problem struct {
	Type   string `json:"type" doc:"Always about:blank: the status and the code say what kind of problem it is."`
	Title  string `json:"title" doc:"The status in words."`
	Status int    `json:"status" doc:"The HTTP status."`
	Detail string `json:"detail" doc:"What is wrong, in words."`
	// Code is a stable word for programs to branch on.
	Code   string         `json:"code" doc:"A stable word for programs to branch on." example:"invalid_field"`
	Errors []ProblemField `json:"errors,omitempty" nullable:"false" doc:"The fields at fault, if any."`

	retryAfter time.Duration
}

// ProblemField is one field of a request that is at fault.
type ProblemField struct {
	Location string `json:"location" doc:"Where the field is." example:"body.trigger.hour"`
	Message  string `json:"message" doc:"What is wrong with it and what is allowed."`
	Value    any    `json:"value,omitempty" doc:"What was given, if it is short and no secret."`
}

// Codes of problems that are none of package service's.
const (
	codeBadCredentials   = "bad_credentials"
	codeBadSetupToken    = "bad_setup_token"
	codeTooManyAttempts  = "too_many_attempts"
	codeBodyTooLarge     = "body_too_large"
	codeUnsupportedMedia = "unsupported_media_type"
	codeMethodNotAllowed = "method_not_allowed"
	codeCrossOrigin      = "cross_origin"
	codeInternal         = "internal"
)

func (p *Problem) Error() string { return p.Detail }

// GetStatus returns the HTTP status.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders returns the headers that go with the problem.
func (p *Problem) GetHeaders() http.Header {
	if p.retryAfter <= 0 {
		return nil
	}
	seconds := int(math.Ceil(p.retryAfter.Seconds()))
	return http.Header{"Retry-After": {strconv.Itoa(seconds)}}
}

// ContentType returns the media type of problems.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

func newProblem(status int, code, detail string, fields ...ProblemField) *Problem {
	return &Problem{
		Type: "about:blank", Title: http.StatusText(status), Status: status,
		Code: code, Detail: detail, Errors: fields,
	}
}

// problem turns any error into a Problem. It is the only place that knows
// which error is which status. Failures of the server itself are logged and
// not told.
func problem(ctx context.Context, log *slog.Logger, err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	if known, ok := errors.AsType[*service.Error](err); ok {
		return serviceProblem(known)
	}
	if invalid, ok := errors.AsType[*account.InvalidError](err); ok {
		return newProblem(http.StatusUnprocessableEntity, string(service.Invalid), invalid.Error(),
			ProblemField{Location: "body." + invalid.Field, Message: invalid.Problem})
	}
	if many, ok := errors.AsType[*account.TooManyAttemptsError](err); ok {
		p := newProblem(http.StatusTooManyRequests, codeTooManyAttempts, many.Error())
		p.retryAfter = many.RetryAfter
		return p
	}
	switch {
	case errors.Is(err, account.ErrBadCredentials):
		return newProblem(http.StatusUnauthorized, codeBadCredentials, account.ErrBadCredentials.Error())
	case errors.Is(err, account.ErrBadSetupToken):
		return newProblem(http.StatusForbidden, codeBadSetupToken, account.ErrBadSetupToken.Error())
	case errors.Is(err, account.ErrSetupDone):
		return newProblem(http.StatusConflict, string(service.Conflict), account.ErrSetupDone.Error())
	}
	if ctx.Err() == nil { // otherwise the client has gone, and that is why
		log.LogAttrs(ctx, slog.LevelError, "request failed", slog.Any("error", err))
	}
	return newProblem(http.StatusInternalServerError, codeInternal, "something went wrong in the server; its log says what")
}

func serviceProblem(e *service.Error) *Problem {
	p := newProblem(statusOf(e.Code), string(e.Code), e.Error())
	if e.Field != "" {
		location := "body." + e.Field
		if e.Code == service.BadCursor {
			location = "query." + e.Field
		}
		p.Errors = []ProblemField{{Location: location, Message: e.Message, Value: e.Value}}
	}
	return p
}

func statusOf(code service.Code) int {
	switch code {
	case service.Invalid, service.NeverFires, service.BadCursor:
		return http.StatusUnprocessableEntity
	case service.NotFound:
		return http.StatusNotFound
	case service.Conflict, service.TooManyRuns, service.NotRunning:
		return http.StatusConflict
	case service.VersionChanged:
		return http.StatusPreconditionFailed
	case service.Unauthenticated:
		return http.StatusUnauthorized
	case service.Forbidden:
		return http.StatusForbidden
	default:
		return http.StatusInternalServerError
	}
}

// validationProblem gives the errors that huma finds itself the same form.
// What was given is repeated only if it is short and plain: huma would repeat
// whole bodies, passwords included.
func validationProblem(e *huma.ErrorModel) *Problem {
	p := newProblem(e.Status, string(service.Invalid), e.Detail)
	switch e.Status {
	case http.StatusRequestEntityTooLarge:
		p.Code = codeBodyTooLarge
	case http.StatusUnsupportedMediaType:
		p.Code = codeUnsupportedMedia
	case http.StatusInternalServerError:
		p.Code, p.Detail = codeInternal, "something went wrong in the server"
		return p
	}
	for _, detail := range e.Errors {
		if detail != nil {
			p.Errors = append(p.Errors, ProblemField{Location: detail.Location, Message: detail.Message, Value: shortValue(detail.Location, detail.Value)})
		}
	}
	if len(p.Errors) == 1 {
		p.Detail = p.Errors[0].Location + ": " + p.Errors[0].Message
	}
	return p
}

func shortValue(location string, value any) any {
	const most = 100
	switch v := value.(type) {
	case string:
		if location == "body" || location == "body.password" || location == "body.token" || v == "" || len(v) > most {
			return nil
		}
		return v
	case bool, float64, int, int64, json.Number:
		return v
	default:
		return nil
	}
}

// writeProblem answers a request with a problem, outside of huma.
func writeProblem(w http.ResponseWriter, p *Problem) {
	maps.Copy(w.Header(), p.GetHeaders())
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the client has gone
}
