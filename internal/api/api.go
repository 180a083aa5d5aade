// Package api is the REST API of JobCenter and what serves the console: it
// translates requests into calls of package service, and errors into
// problems. Each route is declared with the operation that it takes, so that
// none can be reached without permission.
package api

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/jobcenter-go/jobcenter/internal/account"
	"github.com/jobcenter-go/jobcenter/internal/service"
)

// prefix is where the API is.
const prefix = "/api/v1"

// maxBody is how many bytes a request's body may have.
const maxBody = 1 << 20

// bodyTime is how long a request's body may take to arrive.
const bodyTime = 30 * time.Second

// Options are what the API is made of. Logger, Stopping and Closing may
// be left out.
type Options struct {
	Service  *service.Service
	Accounts *account.Accounts
	// Console serves everything that is not the API's; see Console.
	Console http.Handler
	// Stopping, when it is closed, makes readyz say that the server is not
	// ready; Closing ends the event streams. Nil means never.
	Stopping, Closing <-chan struct{}
	// Logger takes failures of the server. Nil means none.
	Logger *slog.Logger
	// Version is the program's, for the OpenAPI document.
	Version string
}

// server is what the handlers share.
type server struct {
	svc      *service.Service
	accounts *account.Accounts
	stopping <-chan struct{}
	closing  <-chan struct{}
	log      *slog.Logger
	huma     huma.API
	// document is the OpenAPI document as it is served.
	document []byte
}

// New makes the handler of everything that JobCenter serves.
func New(opts Options) (http.Handler, error) {
	s, mux, err := newServer(opts)
	if err != nil {
		return nil, err
	}
	root := http.NewServeMux()
	root.Handle("/api/", s.guard(s.orProblem(mux)))
	root.HandleFunc("GET /healthz", s.health)
	root.HandleFunc("GET /readyz", s.ready)
	root.Handle("/", opts.Console)
	return safeHeaders(root), nil
}

// strictKeys makes huma tell "ID" from "id", which is a switch for the whole
// process. Otherwise of two such keys in one body either might count.
var strictKeys = sync.OnceFunc(func() { huma.ValidateStrictCasing = true }) //nolint:gochecknoglobals // as the switch is one

func newServer(opts Options) (*server, *http.ServeMux, error) {
	strictKeys()
	s := &server{svc: opts.Service, accounts: opts.Accounts, stopping: opts.Stopping, closing: opts.Closing, log: opts.Logger}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	mux := http.NewServeMux()
	s.huma = humago.New(mux, humaConfig(opts.Version))
	s.huma.UseMiddleware(s.authorize)
	s.routes()
	var err error
	s.document, err = document(s.huma.OpenAPI())
	return s, mux, err
}

func humaConfig(version string) huma.Config {
	config := huma.DefaultConfig("JobCenter", version)
	config.Info.Description = "Schedule commands, watch them run, find their output again."
	config.Servers = []*huma.Server{{URL: "/"}}
	config.OpenAPIPath, config.DocsPath, config.SchemasPath = "", "", ""
	config.CreateHooks = nil // no $schema links in answers
	config.RejectUnknownQueryParameters = true
	format := huma.Format{Marshal: huma.DefaultJSONFormat.Marshal, Unmarshal: unmarshal}
	config.Formats = map[string]huma.Format{"application/json": format, "json": format}
	config.Transformers = []huma.Transformer{func(_ huma.Context, _ string, v any) (any, error) {
		if e, ok := v.(*huma.ErrorModel); ok {
			return validationProblem(e), nil
		}
		return v, nil
	}}
	return config
}

// unmarshal reads JSON, which is UTF-8: encoding/json would put other
// characters in place of what is not, in a command as well.
func unmarshal(data []byte, v any) error {
	if !utf8.Valid(data) {
		return errors.New("is not UTF-8")
	}
	return json.Unmarshal(data, v)
}

// route is where and what an operation of the API is.
type route struct {
	method, path string
	id           string // the operation's name in the document
	summary      string
	description  string
	status       int // of success; 0 means 200
	group        string
}

const operationKey = "operation"

// register adds a route. There is no way to add one without saying which
// operation it takes.
func register[I, O any](s *server, op service.Operation, r route, handle func(context.Context, *I) (*O, error)) {
	operation := huma.Operation{
		OperationID: r.id, Method: r.method, Path: prefix + r.path,
		Summary: r.summary, Description: r.description, Tags: []string{r.group},
		DefaultStatus: r.status,
		// huma refuses a body that is as long as its limit.
		MaxBodyBytes: maxBody + 1, BodyReadTimeout: bodyTime,
		Metadata: map[string]any{operationKey: op},
	}
	if op != service.Public {
		operation.Security = []map[string][]string{{"session": {}}, {"token": {}}}
	}
	problemSchema(s.huma.OpenAPI(), &operation)
	huma.Register(s.huma, operation, func(ctx context.Context, input *I) (*O, error) {
		out, err := handle(ctx, input)
		if err != nil {
			return nil, problem(ctx, s.log, err)
		}
		return out, nil
	})
}

// orProblem answers with problems where the mux would answer in plain text:
// paths and methods that the API does not have.
func (s *server) orProblem(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refuse, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		refusal := refusal{header: http.Header{}}
		refuse.ServeHTTP(&refusal, r)
		if refusal.status == http.StatusMethodNotAllowed {
			w.Header().Set("Allow", refusal.header.Get("Allow"))
			writeProblem(w, newProblem(http.StatusMethodNotAllowed, codeMethodNotAllowed,
				r.Method+" is not allowed here, allowed: "+refusal.header.Get("Allow")))
			return
		}
		writeProblem(w, newProblem(http.StatusNotFound, string(service.NotFound), "the API has no such path"))
	})
}

// refusal keeps how a mux refuses a request.
type refusal struct {
	header http.Header
	status int
}

func (r *refusal) Header() http.Header         { return r.header }
func (r *refusal) Write(b []byte) (int, error) { return len(b), nil }
func (r *refusal) WriteHeader(status int)      { r.status = status }

// isWrite reports whether a request may change something.
func isWrite(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return false
	default:
		return true
	}
}

// bearer returns the token of the Authorization header. given is whether
// there is such a header at all: if so, cookies count for nothing.
func bearer(r *http.Request) (token string, given bool) {
	header := r.Header.Get("Authorization")
	if header == "" {
		return "", false
	}
	scheme, token, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", true
	}
	return strings.TrimSpace(token), true
}
