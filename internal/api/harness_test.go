package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"
	_ "time/tzdata" // a machine need not have zone files

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/internal/account"
	"github.com/jobcenter-go/jobcenter/internal/api"
	"github.com/jobcenter-go/jobcenter/internal/service"
	"github.com/jobcenter-go/jobcenter/internal/sqlkit"
	"github.com/jobcenter-go/jobcenter/jobstore/sqlstore"
	"github.com/jobcenter-go/jobcenter/task/shell"
)

const (
	adminEmail    = "ada@example.com"
	adminPassword = "correct horse"
)

// site is a whole JobCenter on a port of its own, over SQLite.
type site struct {
	t        *testing.T
	url      string
	accounts *account.Accounts
	store    *sqlstore.Store
	closing  chan struct{}
	tokens   map[account.Role]string
}

// siteOptions say what a site is like; the zero value is a usual one.
type siteOptions struct {
	bare        bool  // no user
	outputLimit int64 // zero: 64 KiB
}

// newSite starts a site with an admin and a token for each role.
func newSite(t *testing.T, opts siteOptions) *site {
	t.Helper()
	if opts.outputLimit == 0 {
		opts.outputLimit = 64 << 10
	}
	dir := t.TempDir()
	db, err := sqlkit.Open(t.Context(), filepath.Join(dir, "jobcenter.db"))
	check(t, err)
	accounts, err := account.New(t.Context(), db)
	check(t, err)
	store, err := sqlstore.New(t.Context(), db, sqlstore.Options{})
	check(t, err)
	task, err := shell.New(shell.Options{Dir: filepath.Join(dir, "shell"), KillGrace: time.Second})
	check(t, err)
	sched, err := jobcenter.New(jobcenter.Options{
		Store: store, Tasks: map[string]jobcenter.Task{"shell": task}, Node: "test", StopGrace: -1, OutputLimit: opts.outputLimit,
	})
	check(t, err)
	closing := make(chan struct{})
	files := fstest.MapFS{
		"assets/app-1a2b.js":    {Data: []byte("plain")},
		"assets/app-1a2b.js.br": {Data: []byte("brotli")},
		"assets/app-1a2b.js.gz": {Data: []byte("gzip")},
		"favicon.svg":           {Data: []byte("<svg/>")},
	}
	handler, err := api.New(api.Options{
		Service:  service.New(service.Options{Scheduler: sched, Version: "test", Node: "test"}),
		Accounts: accounts, Console: api.Console(files, []byte("<html>console</html>")), Closing: closing, Version: "test",
	})
	check(t, err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- sched.Run(ctx) }()
	server := httptest.NewServer(handler)
	t.Cleanup(func() {
		select {
		case <-closing:
		default:
			close(closing)
		}
		server.Close()
		cancel()
		check(t, <-done)
		check(t, store.Close())
		check(t, db.Close())
	})
	s := &site{t: t, url: server.URL, accounts: accounts, store: store, closing: closing, tokens: map[account.Role]string{}}
	for _, role := range []account.Role{account.Viewer, account.Operator, account.Admin} {
		s.tokens[role], err = accounts.AddToken(t.Context(), string(role), role)
		check(t, err)
	}
	if !opts.bare {
		_, err := accounts.AddFirstUser(t.Context(), account.NewUser{Email: adminEmail, Password: adminPassword, Role: account.Admin})
		check(t, err)
	}
	return s
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// call is a request; the zero value of each field but method and path is
// left out.
type call struct {
	method, path string
	role         account.Role // whose token to use
	header       map[string]string
	body         string
	client       *http.Client
}

// reply is what came back.
type reply struct {
	status int
	header http.Header
	body   string
}

func (s *site) do(c call) reply {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), c.method, s.url+c.path, strings.NewReader(c.body))
	check(s.t, err)
	if c.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.role != "" {
		req.Header.Set("Authorization", "Bearer "+s.tokens[c.role])
	}
	for name, value := range c.header {
		if value == "" {
			req.Header.Del(name)
			continue
		}
		req.Header.Set(name, value)
	}
	client := c.client
	if client == nil {
		client = http.DefaultClient
	}
	res, err := client.Do(req)
	check(s.t, err)
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	check(s.t, err)
	return reply{res.StatusCode, res.Header, string(body)}
}

// api calls the API as an admin's program and fails the test unless the
// status is the one that is wanted.
func (s *site) api(method, path, body string, status int) reply {
	s.t.Helper()
	r := s.do(call{method: method, path: "/api/v1" + path, role: account.Admin, body: body})
	if r.status != status {
		s.t.Fatalf("%s %s: status = %d, want %d: %s", method, path, r.status, status, r.body)
	}
	return r
}

// browser is a client with a cookie jar.
func browser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	check(t, err)
	return &http.Client{Jar: jar}
}

// signedIn is a browser of the admin.
func (s *site) signedIn() *http.Client {
	s.t.Helper()
	client := browser(s.t)
	r := s.do(call{method: "POST", path: "/api/v1/session", client: client, body: `{"email":"` + adminEmail + `","password":"` + adminPassword + `"}`})
	if r.status != http.StatusOK {
		s.t.Fatalf("sign-in: status = %d: %s", r.status, r.body)
	}
	return client
}

// decode reads a JSON body.
func decode[T any](t *testing.T, r reply) T {
	t.Helper()
	var v T
	decoder := json.NewDecoder(bytes.NewReader([]byte(r.body)))
	if err := decoder.Decode(&v); err != nil {
		t.Fatalf("decode %q: %v", r.body, err)
	}
	return v
}

// problem is decoded from a reply that has to be one.
func (r reply) problem(t *testing.T) api.Problem {
	t.Helper()
	if got := r.header.Get("Content-Type"); got != "application/problem+json" {
		t.Fatalf("status %d: content type = %q, want a problem: %s", r.status, got, r.body)
	}
	p := decode[api.Problem](t, r)
	if p.Status != r.status || p.Title == "" || p.Code == "" || p.Type != "about:blank" {
		t.Errorf("problem = %+v, want a whole one of status %d", p, r.status)
	}
	return p
}

// eventually asks until ok is true, as what happens happens in real time.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: did not come about", what)
		}
		<-tick.C
	}
}

// far is a trigger that does not fire while tests run.
const far = `{"type":"crontab","expression":"0 0 1 1 *"}`

func shellJob(id, command string) string {
	text, _ := json.Marshal(map[string]any{
		"id": id, "task": map[string]any{"type": "shell", "command": command}, "trigger": json.RawMessage(far),
	})
	return string(text)
}

// finished starts a job by hand and waits for the end of its run.
func (s *site) finished(id string) api.Run {
	s.t.Helper()
	run := decode[api.Run](s.t, s.api("POST", "/jobs/"+id+"/run", "", http.StatusAccepted))
	eventually(s.t, "end of the run", func() bool {
		run = decode[api.Run](s.t, s.api("GET", "/runs/"+run.ID, "", http.StatusOK))
		return run.EndedAt != nil
	})
	return run
}
