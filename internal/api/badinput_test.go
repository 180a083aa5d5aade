package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/jobcenter-go/jobcenter/internal/account"
	"github.com/jobcenter-go/jobcenter/internal/api"
)

func TestBadInput(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{})
	s.api("POST", "/jobs", shellJob("taken", "true"), http.StatusCreated)
	before := s.api("GET", "/jobs", "", http.StatusOK).body
	with := func(trigger string) string {
		return `{"id":"bad","task":{"type":"shell","command":"true"},"trigger":` + trigger + `}`
	}
	post := func(body string) call { return call{method: "POST", path: "/api/v1/jobs", body: body} }
	for name, test := range map[string]struct {
		call     call
		status   int
		code     string
		location string
	}{
		"unknown trigger kind":     {post(with(`{"type":"moon"}`)), 422, "invalid_field", "body.trigger.type"},
		"trigger without kind":     {post(with(`{"hour":"1"}`)), 422, "invalid_field", "body.trigger.type"},
		"trigger is no object":     {post(with(`"daily"`)), 422, "invalid_field", "body.trigger.expression"},
		"trigger is null":          {post(with(`null`)), 422, "invalid_field", "body.trigger"},
		"field out of range":       {post(with(`{"type":"cron","hour":"25"}`)), 422, "invalid_field", "body.trigger.hour"},
		"step 0":                   {post(with(`{"type":"cron","minute":"*/0"}`)), 422, "invalid_field", "body.trigger.minute"},
		"reversed range":           {post(with(`{"type":"cron","hour":"17-9"}`)), 422, "invalid_field", "body.trigger.hour"},
		"crontab out of range":     {post(with(`{"type":"crontab","expression":"61 * * * *"}`)), 422, "invalid_field", "body.trigger.expression"},
		"crontab of 4 fields":      {post(with(`{"type":"crontab","expression":"* * * *"}`)), 422, "invalid_field", "body.trigger.expression"},
		"interval of nothing":      {post(with(`{"type":"interval"}`)), 422, "invalid_field", "body.trigger"},
		"never fires: 30 February": {post(with(`{"type":"crontab","expression":"0 0 30 2 *"}`)), 422, "never_fires", "body.trigger"},
		"never fires: past date":   {post(with(`{"type":"date","run_date":"2001-01-01T00:00:00"}`)), 422, "never_fires", "body.trigger"},
		"never fires: ended":       {post(with(`{"type":"interval","minutes":1,"start_date":"2000-01-01","end_date":"2001-01-01"}`)), 422, "never_fires", "body.trigger"},
		"unknown time zone":        {post(with(`{"type":"cron","hour":"1","timezone":"Mars/Olympus"}`)), 422, "invalid_field", "body.trigger.timezone"},
		"end before start":         {post(with(`{"type":"cron","hour":"1","start_date":"2030-01-02","end_date":"2030-01-01"}`)), 422, "invalid_field", "body.trigger.end_date"},
		"unknown key of a trigger": {post(with(`{"type":"cron","hours":"1"}`)), 422, "invalid_field", "body.trigger.hours"},
		"duplicate id":             {post(shellJob("taken", "false")), 409, "conflict", "body.id"},
		"bad id":                   {post(shellJob("a b", "true")), 422, "invalid_field", "body.id"},
		"empty command":            {post(shellJob("bad", " ")), 422, "invalid_field", "body.task.command"},
		"no command":               {post(`{"task":{"type":"shell"},"trigger":` + far + `}`), 422, "invalid_field", "body.task"},
		"NUL in the command":       {post(shellJob("bad", "a\x00b")), 422, "invalid_field", "body.task.command"},
		"relative directory":       {post(`{"task":{"type":"shell","command":"true","directory":"x"},"trigger":` + far + `}`), 422, "invalid_field", "body.task.directory"},
		"unknown kind of task":     {post(`{"task":{"type":"ftp","command":"x"},"trigger":` + far + `}`), 422, "invalid_field", "body.task.type"},
		"unknown field":            {post(`{"task":{"type":"shell","command":"true"},"trigger":` + far + `,"colour":"x"}`), 422, "invalid_field", "body.colour"},
		"key in another case":      {post(strings.Replace(shellJob("bad", "true"), `"id"`, `"ID"`, 1)), 422, "invalid_field", "body.ID"},
		"not UTF-8":                {post(strings.Replace(shellJob("bad", "true"), "true", "printf \xff", 1)), 400, "invalid_field", "body"},
		"PATCH in another case":    {call{method: "PATCH", path: "/api/v1/jobs/taken", body: `{"NAME":"x"}`}, 422, "invalid_field", "body.NAME"},
		"PATCH with no object":     {call{method: "PATCH", path: "/api/v1/jobs/taken", body: `null`}, 422, "invalid_field", "body"},
		"too deep":                 {post(strings.Repeat("[", 100_000)), 400, "invalid_field", "body"},
		"read-only field":          {post(`{"task":{"type":"shell","command":"true"},"trigger":` + far + `,"version":7}`), 422, "invalid_field", "body.version"},
		"unknown field of a task":  {post(`{"task":{"type":"shell","command":"true","shell":"zsh"},"trigger":` + far + `}`), 422, "invalid_field", "body.task.shell"},
		"no trigger":               {post(`{"task":{"type":"shell","command":"true"}}`), 422, "invalid_field", "body"},
		"grace of no duration":     {post(`{"misfire_grace":"soon",` + shellJob("bad", "true")[1:]), 422, "invalid_field", "body.misfire_grace"},
		"negative timeout":         {post(`{"timeout":"-1s",` + shellJob("bad", "true")[1:]), 422, "invalid_field", "body.timeout"},
		"unknown coalesce":         {post(`{"coalesce":"some",` + shellJob("bad", "true")[1:]), 422, "invalid_field", "body.coalesce"},
		"no instances":             {post(`{"max_instances":0,` + shellJob("bad", "true")[1:]), 422, "invalid_field", "body.max_instances"},
		"tag twice":                {post(`{"tags":["a","a"],` + shellJob("bad", "true")[1:]), 422, "invalid_field", "body.tags"},
		"wrong JSON type":          {post(`{"paused":"yes",` + shellJob("bad", "true")[1:]), 422, "invalid_field", "body.paused"},
		"not JSON":                 {post(`{"id":`), 400, "invalid_field", "body"},
		"two JSON values":          {post(shellJob("bad", "true") + `{}`), 400, "invalid_field", "body"},
		"a list":                   {post(`[]`), 422, "invalid_field", "body"},
		"body over the limit":      {post(shellJob("bad", strings.Repeat("x", 1<<20))), 413, "body_too_large", ""},
		"wrong content type":       {call{method: "POST", path: "/api/v1/jobs", body: shellJob("bad", "true"), header: map[string]string{"Content-Type": "text/plain"}}, 415, "unsupported_media_type", ""},
		"no content type":          {call{method: "POST", path: "/api/v1/jobs", body: shellJob("bad", "true"), header: map[string]string{"Content-Type": ""}}, 415, "unsupported_media_type", ""},
		"unknown path":             {call{method: "GET", path: "/api/v1/nothing"}, 404, "not_found", ""},
		"path above the API":       {call{method: "GET", path: "/api/"}, 404, "not_found", ""},
		"method that is not there": {call{method: "PUT", path: "/api/v1/jobs", body: `{}`}, 405, "method_not_allowed", ""},
		"unknown parameter":        {call{method: "GET", path: "/api/v1/jobs?serach=x"}, 422, "invalid_field", "query.serach"},
		"limit out of range":       {call{method: "GET", path: "/api/v1/jobs?limit=501"}, 422, "invalid_field", "query.limit"},
		"limit of no number":       {call{method: "GET", path: "/api/v1/runs?limit=x"}, 422, "invalid_field", "query.limit"},
		"unknown order":            {call{method: "GET", path: "/api/v1/jobs?sort=size"}, 422, "invalid_field", "query.sort"},
		"unknown state":            {call{method: "GET", path: "/api/v1/runs?state=queued,lazy"}, 422, "invalid_field", "query.state[1]"},
		"no instant":               {call{method: "GET", path: "/api/v1/runs?from=yesterday"}, 422, "invalid_field", "query.from"},
		"cursor of no list":        {call{method: "GET", path: "/api/v1/jobs?cursor=x"}, 422, "bad_cursor", "query.cursor"},
		"runs: cursor of no list":  {call{method: "GET", path: "/api/v1/runs?cursor=x"}, 422, "bad_cursor", "query.cursor"},
		"another id in PUT":        {call{method: "PUT", path: "/api/v1/jobs/taken", body: shellJob("other", "true")}, 422, "invalid_field", "body.id"},
		"another id in PATCH":      {call{method: "PATCH", path: "/api/v1/jobs/taken", body: `{"id":"other"}`}, 422, "invalid_field", "body.id"},
		"PATCH of an unknown key":  {call{method: "PATCH", path: "/api/v1/jobs/taken", body: `{"colour":"x"}`}, 422, "invalid_field", "body.colour"},
		"PATCH of a wrong type":    {call{method: "PATCH", path: "/api/v1/jobs/taken", body: `{"tags":"x"}`}, 422, "invalid_field", "body.tags"},
		"PATCH away the trigger":   {call{method: "PATCH", path: "/api/v1/jobs/taken", body: `{"trigger":null}`}, 422, "invalid_field", "body"},
		"PATCH to a bad trigger":   {call{method: "PATCH", path: "/api/v1/jobs/taken", body: `{"trigger":{"expression":"x"}}`}, 422, "invalid_field", "body.trigger.expression"},
		"PATCH to never":           {call{method: "PATCH", path: "/api/v1/jobs/taken", body: `{"trigger":{"type":"date","run_date":"2001-01-01"}}`}, 422, "never_fires", "body.trigger"},
		"PUT to never":             {call{method: "PUT", path: "/api/v1/jobs/taken", body: with(`{"type":"date","run_date":"2001-01-01"}`)[:1] + with(`{"type":"date","run_date":"2001-01-01"}`)[len(`{"id":"bad",`):]}, 422, "never_fires", "body.trigger"},
		"If-Match of no version":   {call{method: "PATCH", path: "/api/v1/jobs/taken", body: `{}`, header: map[string]string{"If-Match": "7"}}, 422, "invalid_field", "header.If-Match"},
		"preview of nothing":       {call{method: "POST", path: "/api/v1/triggers/preview", body: `{"trigger":{"type":"moon"}}`}, 422, "invalid_field", "body.trigger.type"},
		"preview of too many":      {call{method: "POST", path: "/api/v1/triggers/preview", body: `{"trigger":` + far + `,"count":101}`}, 422, "invalid_field", "body.count"},
		"preview in no zone":       {call{method: "POST", path: "/api/v1/triggers/preview", body: `{"trigger":` + far + `,"timezone":"Local"}`}, 422, "invalid_field", "body.timezone"},
	} {
		test.call.role = account.Admin
		r := s.do(test.call)
		if r.status != test.status {
			t.Errorf("%s: status = %d, want %d: %s", name, r.status, test.status, r.body)
			continue
		}
		p := r.problem(t)
		if p.Code != test.code {
			t.Errorf("%s: code = %q, want %q", name, p.Code, test.code)
		}
		if !located(p, test.location) {
			t.Errorf("%s: errors = %+v, want one at %q", name, p.Errors, test.location)
		}
		if len(r.body) > 4096 {
			t.Errorf("%s: the answer repeats the request: %d bytes", name, len(r.body))
		}
	}
	if after := s.api("GET", "/jobs", "", http.StatusOK).body; after != before {
		t.Errorf("jobs = %s, want those from before: %s", after, before)
	}
}

func located(p api.Problem, location string) bool {
	if location == "" {
		return len(p.Errors) == 0
	}
	for _, e := range p.Errors {
		if e.Location == location && e.Message != "" {
			return true
		}
	}
	return false
}

// A body without a length is measured as it comes.
func TestBodyWithoutLengthIsLimited(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{})
	body := struct{ *strings.Reader }{strings.NewReader(shellJob("bad", strings.Repeat("x", 2<<20)))}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/api/v1/jobs", body)
	check(t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+s.tokens[account.Admin])
	res, err := http.DefaultClient.Do(req)
	check(t, err)
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("status = %d, want 413", res.StatusCode)
	}
}

// A password is never repeated in an answer.
func TestSecretsAreNotRepeated(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{})
	for _, body := range []string{
		`{"email":"ada@example.com","password":"s3cret-value","x":1}`,
		`{"password":"s3cret-value"}`,
		`{"email":"ada@example.com","password":"s3cret-value"`,
		`{"email":"ada@example.com","password":{"p":"s3cret-value"}}`,
		`{"email":"ada@example.com","password":"s3cret-value"}`,
	} {
		r := s.do(call{method: "POST", path: "/api/v1/session", body: body})
		if strings.Contains(r.body, "s3cret") || r.status < 400 {
			t.Errorf("%s: %d %s", body, r.status, r.body)
		}
	}
}
