package api_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jobcenter-go/jobcenter/internal/account"
	"github.com/jobcenter-go/jobcenter/internal/api"
)

// access is the least role that a route takes (empty: none), and what a
// request without sense gets from it once it is let in.
type access struct {
	least  account.Role
	body   string
	status int
}

// routes is every route of the API. A new one has to be entered here.
func routes() map[string]access {
	return map[string]access{
		"GET /api/v1/setup":                   {"", "", http.StatusOK},
		"POST /api/v1/setup":                  {"", `{"token":"x","email":"a@example.com","password":"correct horse"}`, http.StatusConflict},
		"POST /api/v1/session":                {"", `{"email":"nobody@example.com","password":"x"}`, http.StatusUnauthorized},
		"DELETE /api/v1/session":              {"", "", http.StatusNoContent},
		"GET /api/v1/openapi.json":            {"", "", http.StatusOK},
		"GET /api/v1/session":                 {account.Viewer, "", http.StatusOK},
		"GET /api/v1/system":                  {account.Viewer, "", http.StatusOK},
		"GET /api/v1/timezones":               {account.Viewer, "", http.StatusOK},
		"GET /api/v1/jobs":                    {account.Viewer, "", http.StatusOK},
		"GET /api/v1/jobs/{id}":               {account.Viewer, "", http.StatusNotFound},
		"GET /api/v1/runs":                    {account.Viewer, "", http.StatusOK},
		"GET /api/v1/runs/{id}":               {account.Viewer, "", http.StatusNotFound},
		"GET /api/v1/runs/{id}/output":        {account.Viewer, "", http.StatusNotFound},
		"GET /api/v1/runs/{id}/output/stream": {account.Viewer, "", http.StatusNotFound},
		"POST /api/v1/triggers/preview":       {account.Viewer, `{"trigger":` + far + `}`, http.StatusOK},
		"POST /api/v1/jobs/{id}/run":          {account.Operator, "", http.StatusNotFound},
		"POST /api/v1/jobs/{id}/pause":        {account.Operator, "", http.StatusNotFound},
		"POST /api/v1/jobs/{id}/resume":       {account.Operator, "", http.StatusNotFound},
		"POST /api/v1/runs/{id}/stop":         {account.Operator, "", http.StatusNotFound},
		"POST /api/v1/jobs":                   {account.Admin, `{}`, http.StatusUnprocessableEntity},
		"PUT /api/v1/jobs/{id}":               {account.Admin, shellJob("", "true"), http.StatusNotFound},
		"PATCH /api/v1/jobs/{id}":             {account.Admin, `{}`, http.StatusNotFound},
		"DELETE /api/v1/jobs/{id}":            {account.Admin, "", http.StatusNotFound},
	}
}

func TestEveryRouteHasItsRole(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{})
	document, err := api.Document("")
	check(t, err)
	var doc struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	check(t, json.Unmarshal(document, &doc))
	var known []string
	for path, methods := range doc.Paths {
		for method := range methods {
			known = append(known, strings.ToUpper(method)+" "+path)
		}
	}
	slices.Sort(known)
	table := routes()
	if diff := cmp.Diff(slices.Sorted(maps.Keys(table)), known); diff != "" {
		t.Fatalf("routes (-table +API):\n%s", diff)
	}
	for name, route := range table {
		method, path, _ := strings.Cut(name, " ")
		path = strings.Replace(path, "{id}", "none", 1)
		for _, role := range []account.Role{"", account.Viewer, account.Operator, account.Admin} {
			r := s.do(call{method: method, path: path, role: role, body: route.body})
			want, code := route.status, ""
			switch {
			case route.least == "":
			case role == "":
				want, code = http.StatusUnauthorized, "unauthenticated"
			case !role.Includes(route.least):
				want, code = http.StatusForbidden, "forbidden"
			}
			if r.status != want {
				t.Errorf("%s as %q: status = %d, want %d: %s", name, role, r.status, want, r.body)
			}
			if code != "" {
				if got := r.problem(t).Code; got != code {
					t.Errorf("%s as %q: code = %q, want %q", name, role, got, code)
				}
			}
			if got := r.header.Get("Cache-Control"); got != "no-store" {
				t.Errorf("%s as %q: Cache-Control = %q, want no-store", name, role, got)
			}
		}
	}
}

// Who is not let in learns nothing of what the request would have met.
func TestPermissionComesFirst(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{})
	s.api("POST", "/jobs", shellJob("known", "true"), http.StatusCreated)
	for name, c := range map[string]call{
		"body of no sense":  {method: "POST", path: "/api/v1/jobs", body: `{"x":`},
		"unknown parameter": {method: "GET", path: "/api/v1/jobs?x=1"},
		"job that is there": {method: "GET", path: "/api/v1/jobs/known"},
	} {
		if r := s.do(c); r.status != http.StatusUnauthorized {
			t.Errorf("%s: status = %d, want 401", name, r.status)
		}
	}
	c := call{method: "PUT", path: "/api/v1/jobs/known", role: account.Viewer, body: `{"x":`}
	if r := s.do(c); r.status != http.StatusForbidden {
		t.Errorf("status = %d, want 403", r.status)
	}
}

func TestBadTokens(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{})
	client := s.signedIn()
	for _, header := range []string{"Bearer", "Bearer ", "Bearer jc_x", "Basic YTpi", s.tokens[account.Admin], "Bearer " + s.tokens[account.Admin] + "x"} {
		// The cookie of the session does not make up for it.
		r := s.do(call{method: "GET", path: "/api/v1/jobs", client: client, header: map[string]string{"Authorization": header}})
		if r.status != http.StatusUnauthorized || !strings.HasPrefix(r.header.Get("WWW-Authenticate"), "Bearer") {
			t.Errorf("%q: status = %d, WWW-Authenticate = %q, want 401", header, r.status, r.header.Get("WWW-Authenticate"))
		}
	}
}

func TestOtherSitesCannotWrite(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{})
	client := s.signedIn()
	s.api("POST", "/jobs", shellJob("victim", "true"), http.StatusCreated)
	for name, header := range map[string]map[string]string{
		"another origin":        {"Origin": "https://evil.example"},
		"no origin to speak of": {"Origin": "null"},
		"another site":          {"Sec-Fetch-Site": "cross-site"},
		"another port":          {"Sec-Fetch-Site": "same-site"},
	} {
		for _, c := range []call{
			{method: "DELETE", path: "/api/v1/jobs/victim"},
			{method: "POST", path: "/api/v1/jobs/victim/run"},
			{method: "POST", path: "/api/v1/jobs", body: shellJob("planted", "true")},
			{method: "POST", path: "/api/v1/session", body: `{"email":"` + adminEmail + `","password":"` + adminPassword + `"}`},
			{method: "DELETE", path: "/api/v1/session"},
		} {
			c.client, c.header = client, header
			r := s.do(c)
			if r.status != http.StatusForbidden || r.problem(t).Code != "cross_origin" {
				t.Errorf("%s: %s %s: status = %d, want 403: %s", name, c.method, c.path, r.status, r.body)
			}
			if r.header.Get("Access-Control-Allow-Origin") != "" || r.header.Get("Set-Cookie") != "" {
				t.Errorf("%s: headers = %v", name, r.header)
			}
		}
	}
	// A form needs no script to be sent from elsewhere; its types are refused
	// wherever it comes from.
	for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"} {
		r := s.do(call{
			method: "POST", path: "/api/v1/jobs/victim/run", client: client,
			header: map[string]string{"Content-Type": kind, "Origin": s.url}, body: "x=1",
		})
		if r.status != http.StatusUnsupportedMediaType {
			t.Errorf("%s: status = %d, want 415", kind, r.status)
		}
	}
	s.api("GET", "/jobs/victim", "", http.StatusOK)
	s.api("GET", "/jobs/planted", "", http.StatusNotFound)
	if r := s.api("GET", "/runs", "", http.StatusOK); len(decode[list[api.Run]](t, r).Items) != 0 {
		t.Errorf("runs = %s, want none", r.body)
	}
	// The console itself may.
	for name, header := range map[string]map[string]string{
		"own origin": {"Origin": s.url}, "own site": {"Sec-Fetch-Site": "same-origin"},
	} {
		if r := s.do(call{method: "POST", path: "/api/v1/jobs/victim/pause", client: client, header: header}); r.status != http.StatusOK {
			t.Errorf("%s: status = %d, want 200: %s", name, r.status, r.body)
		}
	}
}

// list is a page of any list.
type list[T any] struct {
	Items      []T    `json:"items"`
	NextCursor string `json:"next_cursor"`
}
