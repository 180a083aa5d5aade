package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/jobcenter-go/jobcenter/internal/api"
)

func TestSetupLinkWorksOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{bare: true})
	if r := s.do(call{method: "GET", path: "/api/v1/setup"}); !strings.Contains(r.body, `"needed":true`) {
		t.Errorf("setup = %s, want it needed", r.body)
	}
	token, err := s.accounts.NewSetupToken(t.Context())
	check(t, err)
	body := func(token, password string) string {
		return fmt.Sprintf(`{"token":%q,"email":"Ada@Example.com","password":%q}`, token, password)
	}
	for name, test := range map[string]struct {
		body     string
		status   int
		location string
	}{
		"wrong token":    {body("x", adminPassword), http.StatusForbidden, ""},
		"short password": {body(token, "short"), http.StatusUnprocessableEntity, "body.password"},
		"no e-mail":      {strings.Replace(body(token, adminPassword), "@", "", 1), http.StatusUnprocessableEntity, "body.email"},
	} {
		r := s.do(call{method: "POST", path: "/api/v1/setup", body: test.body})
		if r.status != test.status || !located(r.problem(t), test.location) {
			t.Errorf("%s: status = %d, want %d at %q: %s", name, r.status, test.status, test.location, r.body)
		}
	}
	client := browser(t)
	r := s.do(call{method: "POST", path: "/api/v1/setup", body: body(token, adminPassword), client: client})
	if r.status != http.StatusCreated {
		t.Fatalf("status = %d: %s", r.status, r.body)
	}
	if r := s.do(call{method: "GET", path: "/api/v1/session", client: client}); r.status != http.StatusOK || !strings.Contains(r.body, `"email":"ada@example.com"`) || !strings.Contains(r.body, `"role":"admin"`) {
		t.Errorf("session = %d %s, want ada as admin", r.status, r.body)
	}
	r = s.do(call{method: "POST", path: "/api/v1/setup", body: body(token, adminPassword)})
	if r.status != http.StatusConflict {
		t.Errorf("the same link again: status = %d, want 409", r.status)
	}
	if r := s.do(call{method: "GET", path: "/api/v1/setup"}); !strings.Contains(r.body, `"needed":false`) {
		t.Errorf("setup = %s, want it done", r.body)
	}
}

func TestSessionCookie(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{})
	signIn := call{method: "POST", path: "/api/v1/session", body: `{"email":"` + adminEmail + `","password":"` + adminPassword + `"}`}
	cookie := s.do(signIn).header.Get("Set-Cookie")
	for _, want := range []string{"HttpOnly", "SameSite=Lax", "Path=/", "Expires="} {
		if !strings.Contains(cookie, want) {
			t.Errorf("cookie = %q, want %s", cookie, want)
		}
	}
	if strings.Contains(cookie, "Secure") {
		t.Errorf("cookie = %q, Secure without TLS is not sent back", cookie)
	}
	signIn.header = map[string]string{"X-Forwarded-Proto": "https"}
	if cookie := s.do(signIn).header.Get("Set-Cookie"); !strings.Contains(cookie, "Secure") {
		t.Errorf("behind TLS: cookie = %q, want Secure", cookie)
	}
	// A token that an attacker knows beforehand is not the one that is signed in.
	signIn.header = map[string]string{"Cookie": "jobcenter_session=planted"}
	if cookie := s.do(signIn).header.Get("Set-Cookie"); strings.Contains(cookie, "planted") {
		t.Errorf("cookie = %q, want a token of its own", cookie)
	}

	client := s.signedIn()
	kept := client.Jar
	if r := s.do(call{method: "GET", path: "/api/v1/jobs", client: client}); r.status != http.StatusOK {
		t.Errorf("signed in: status = %d", r.status)
	}
	old := cookieOf(t, s, kept)
	r := s.do(call{method: "DELETE", path: "/api/v1/session", client: client})
	if r.status != http.StatusNoContent || !strings.Contains(r.header.Get("Set-Cookie"), "jobcenter_session=;") {
		t.Errorf("sign-out: status = %d, cookie = %q", r.status, r.header.Get("Set-Cookie"))
	}
	// What the browser had stays void, whoever kept it.
	r = s.do(call{method: "GET", path: "/api/v1/jobs", header: map[string]string{"Cookie": old}})
	if r.status != http.StatusUnauthorized {
		t.Errorf("after sign-out: status = %d, want 401", r.status)
	}
}

func cookieOf(t *testing.T, s *site, jar http.CookieJar) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url, nil)
	check(t, err)
	cookies := jar.Cookies(req.URL)
	if len(cookies) != 1 {
		t.Fatalf("cookies = %v, want one", cookies)
	}
	return cookies[0].String()
}

func TestFailedSignInsAreLimited(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{})
	attempt := func(email, password string) reply {
		return s.do(call{method: "POST", path: "/api/v1/session", body: fmt.Sprintf(`{"email":%q,"password":%q}`, email, password)})
	}
	limited := 0
	for range 15 {
		r := attempt(adminEmail, "wrong password")
		switch p := r.problem(t); r.status {
		case http.StatusUnauthorized:
			if p.Code != "bad_credentials" || limited > 0 {
				t.Fatalf("problem = %+v after %d refusals", p, limited)
			}
		case http.StatusTooManyRequests:
			limited++
			if p.Code != "too_many_attempts" || r.header.Get("Retry-After") == "" || r.header.Get("Retry-After") == "0" {
				t.Fatalf("problem = %+v, Retry-After = %q", p, r.header.Get("Retry-After"))
			}
		default:
			t.Fatalf("status = %d", r.status)
		}
	}
	if limited != 5 {
		t.Errorf("%d of 15 attempts were refused unseen, want 5", limited)
	}
	if r := attempt(adminEmail, adminPassword); r.status != http.StatusTooManyRequests {
		t.Errorf("the right password: status = %d, want 429: it would tell", r.status)
	}
	// An address that tries one account after another is stopped as well.
	last := reply{}
	for i := range 25 {
		last = attempt(fmt.Sprintf("user%d@example.com", i), "wrong password")
	}
	if last.status != http.StatusTooManyRequests {
		t.Errorf("30 failures from one address: status = %d, want 429", last.status)
	}
}

func TestWhoIsRecorded(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{})
	s.api("POST", "/jobs", shellJob("a", "true"), http.StatusCreated)
	s.api("POST", "/jobs", shellJob("b", "true"), http.StatusCreated)
	run := decode[api.Run](t, s.do(call{method: "POST", path: "/api/v1/jobs/a/run", client: s.signedIn()}))
	if run.Actor != adminEmail || run.Origin != "manual" {
		t.Errorf("by a person: actor = %q, origin = %q", run.Actor, run.Origin)
	}
	if run := s.finished("b"); run.Actor != "token:admin" || run.Origin != "api" {
		t.Errorf("by a program: actor = %q, origin = %q", run.Actor, run.Origin)
	}
}
