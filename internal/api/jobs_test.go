package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jobcenter-go/jobcenter/internal/account"
	"github.com/jobcenter-go/jobcenter/internal/api"
	"github.com/jobcenter-go/jobcenter/trigger"
)

func TestJobAsItWasGiven(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{})
	given := `{"id":"nightly","name":"Nightly backup",
		"task":{"type":"shell","command":"echo 备份","directory":"/tmp","environment":{"A":"1"}},
		"trigger":{"type":"cron","day":"3rd fri","hour":"0-3","timezone":"Asia/Shanghai"},
		"misfire_grace":"90s","coalesce":"earliest","overlap":"skip","max_instances":2,"timeout":"10m","tags":["db","夜"],"paused":true}`
	created := s.api("POST", "/jobs", given, http.StatusCreated)
	if got := created.header.Get("Location"); got != "/api/v1/jobs/nightly" {
		t.Errorf("Location = %q", got)
	}
	if got := created.header.Get("ETag"); got != `"1"` {
		t.Errorf("ETag = %q", got)
	}
	read := s.api("GET", "/jobs/nightly", "", http.StatusOK)
	if read.body != created.body {
		t.Errorf("read = %s, want what was created: %s", read.body, created.body)
	}
	var got, want map[string]any
	check(t, json.Unmarshal([]byte(read.body), &got))
	check(t, json.Unmarshal([]byte(given), &want))
	want["misfire_grace"], want["timeout"] = "1m30s", "10m0s"
	for key := range want {
		if diff := cmp.Diff(want[key], got[key]); diff != "" {
			t.Errorf("%s (-given +read):\n%s", key, diff)
		}
	}
	if got["state"] != "paused" || got["next_fire_time"] != nil || got["last_run"] != nil || got["version"] != 1.0 {
		t.Errorf("job = %s", read.body)
	}
	chinese := s.do(call{method: "GET", path: "/api/v1/jobs/nightly", role: account.Admin, header: map[string]string{"Accept-Language": "zh-CN,en;q=0.5"}})
	if a, b := decode[api.Job](t, read).Description, decode[api.Job](t, chinese).Description; a == "" || b == "" || a == b {
		t.Errorf("descriptions = %q and %q, want one in each language", a, b)
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{})
	job := decode[api.Job](t, s.api("POST", "/jobs", `{"task":{"type":"shell","command":"true"},"trigger":{"type":"interval","minutes":2}}`, http.StatusCreated))
	if job.ID == "" || job.Name != job.ID || job.MisfireGrace != "" || job.Coalesce != "latest" || job.Overlap != "skip" ||
		job.MaxInstances != 1 || job.Timeout != "" || job.Tags == nil || job.State != "active" || job.NextFireTime == nil {
		t.Errorf("job = %+v", job)
	}
	// Nothing that is stored depends on a default.
	text, err := job.Trigger.MarshalJSON()
	check(t, err)
	if !strings.Contains(string(text), `"timezone":"UTC"`) || !strings.Contains(string(text), `"start_date"`) {
		t.Errorf("trigger = %s, want its zone and start", text)
	}
}

func TestChange(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{})
	s.api("POST", "/jobs", `{"id":"a","task":{"type":"shell","command":"true","environment":{"A":"1"}},"trigger":{"type":"crontab","expression":"0 0 1 1 *","timezone":"Europe/Berlin"},"tags":["x"],"timeout":"5s"}`, http.StatusCreated)
	patch := func(body string, header map[string]string) reply {
		return s.do(call{method: "PATCH", path: "/api/v1/jobs/a", role: account.Admin, body: body, header: header})
	}
	// A patch leaves alone what it does not name.
	r := patch(`{"name":"A","task":{"environment":{"B":"2"}},"trigger":{"expression":"0 0 2 1 *"},"timeout":null,"misfire_grace":"unlimited"}`,
		map[string]string{"If-Match": `"1"`, "Content-Type": "application/merge-patch+json"})
	job := decode[api.Job](t, r)
	trigger, _ := job.Trigger.MarshalJSON()
	if r.status != http.StatusOK || r.header.Get("ETag") != `"2"` || job.Name != "A" || job.Timeout != "" || job.MisfireGrace != "unlimited" ||
		job.Task.Command != "true" || len(job.Task.Environment) != 2 || !slices.Equal(job.Tags, []string{"x"}) ||
		!strings.Contains(string(trigger), "0 0 2 1 *") || !strings.Contains(string(trigger), "Europe/Berlin") {
		t.Errorf("patched = %d %s", r.status, r.body)
	}
	// A trigger of another kind takes the place of the one before.
	r = patch(`{"trigger":{"type":"cron","hour":1}}`, nil)
	trigger, _ = decode[api.Job](t, r).Trigger.MarshalJSON()
	if r.status != http.StatusOK || string(trigger) != `{"type":"cron","hour":"1","timezone":"UTC"}` {
		t.Errorf("trigger = %s: %s", trigger, r.body)
	}
	// Who knows only an older version changes nothing.
	for _, c := range []call{
		{method: "PATCH", body: `{"name":"B"}`}, {method: "PUT", body: shellJob("a", "false")}, {method: "DELETE"},
	} {
		c.path, c.role, c.header = "/api/v1/jobs/a", account.Admin, map[string]string{"If-Match": `"2"`}
		if r := s.do(c); r.status != http.StatusPreconditionFailed || r.problem(t).Code != "version_changed" {
			t.Errorf("%s with an old version: status = %d: %s", c.method, r.status, r.body)
		}
	}
	if job := decode[api.Job](t, s.api("GET", "/jobs/a", "", http.StatusOK)); job.Name != "A" || job.Version != 3 {
		t.Errorf("job = %+v, want it as it was", job)
	}
	// PUT gives what is left out its default.
	job = decode[api.Job](t, s.api("PUT", "/jobs/a", shellJob("a", "false"), http.StatusOK))
	if job.Name != "a" || len(job.Tags) != 0 || job.MisfireGrace != "" || job.Task.Command != "false" || job.Task.Environment != nil || job.Version != 4 {
		t.Errorf("replaced = %+v", job)
	}
	s.api("PUT", "/jobs/none", shellJob("", "true"), http.StatusNotFound)
	s.api("DELETE", "/jobs/a", "", http.StatusNoContent)
	s.api("GET", "/jobs/a", "", http.StatusNotFound)
	s.api("DELETE", "/jobs/a", "", http.StatusNotFound)
}

func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{})
	s.api("POST", "/jobs", shellJob("a", "true"), http.StatusCreated)
	if job := decode[api.Job](t, s.api("POST", "/jobs/a/pause", "", http.StatusOK)); job.State != "paused" || job.NextFireTime != nil {
		t.Errorf("paused = %+v", job)
	}
	if run := s.finished("a"); run.State != "succeeded" {
		t.Errorf("a paused job started by hand: %+v", run)
	}
	if job := decode[api.Job](t, s.api("POST", "/jobs/a/resume", "", http.StatusOK)); job.State != "active" || job.NextFireTime == nil || job.LastRun == nil || job.LastRun.State != "succeeded" {
		t.Errorf("resumed = %+v", job)
	}
}

func TestJobsArePaged(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{})
	var all []string
	for i := range 7 {
		id := fmt.Sprintf("job-%d", i)
		all = append(all, id)
		body := strings.Replace(shellJob(id, fmt.Sprintf("echo word%d", i)), "{", fmt.Sprintf(`{"tags":["even%t"],`, i%2 == 0), 1)
		s.api("POST", "/jobs", body, http.StatusCreated)
	}
	pages := func(query string) []string {
		var ids []string
		for cursor, n := "", 0; n < 10; n++ {
			page := decode[list[api.Job]](t, s.api("GET", "/jobs?"+query+"&cursor="+cursor, "", http.StatusOK))
			for _, job := range page.Items {
				ids = append(ids, job.ID)
			}
			if cursor = page.NextCursor; cursor == "" {
				return ids
			}
		}
		t.Fatal("the pages do not end")
		return nil
	}
	reversed := slices.Clone(all)
	slices.Reverse(reversed)
	for query, want := range map[string][]string{
		"limit=3":                       all,
		"limit=2&sort=-id":              reversed,
		"limit=7":                       all,
		"limit=3&sort=-created_at":      reversed,
		"limit=2&sort=next_fire_time":   all,
		"limit=1&tag=eventrue":          {"job-0", "job-2", "job-4", "job-6"},
		"limit=2&search=WORD3":          {"job-3"},
		"limit=2&search=job+eventrue+6": {"job-6"},
		"limit=2&state=paused":          nil,
		"limit=2&task=other":            nil,
	} {
		if diff := cmp.Diff(want, pages(query)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", query, diff)
		}
	}
}

func TestPreview(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{})
	type preview struct {
		Fires       []api.Fire
		Exhausted   bool
		Description string
		Warnings    []api.Warning
		Text        string
	}
	for name, test := range map[string]struct {
		body      string
		fires     []string
		exhausted bool
	}{
		"crontab in a zone": {
			`{"trigger":{"type":"crontab","expression":"0 9 * * mon"},"from":"2026-01-01T00:00:00Z","count":2,"timezone":"Asia/Shanghai"}`,
			[]string{"2026-01-05T09:00:00+08:00", "2026-01-12T09:00:00+08:00"},
			false,
		},
		"interval from now on": {
			`{"trigger":{"type":"interval","hours":1},"from":"2026-01-01T00:30:00Z","count":1}`, []string{"2026-01-01T01:30:00Z"}, false,
		},
		"once": {`{"trigger":{"type":"date","run_date":"2026-01-02"},"from":"2026-01-01T00:00:00Z"}`, []string{"2026-01-02T00:00:00Z"}, true},
		"past": {`{"trigger":{"type":"date","run_date":"2025-01-02"},"from":"2026-01-01T00:00:00Z"}`, nil, true},
	} {
		p := decode[preview](t, s.api("POST", "/triggers/preview", test.body, http.StatusOK))
		var got []string
		for _, fire := range p.Fires {
			got = append(got, fire.Time)
		}
		if diff := cmp.Diff(test.fires, got); diff != "" || p.Exhausted != test.exhausted || p.Description == "" {
			t.Errorf("%s: %+v (-want +got):\n%s", name, p, diff)
		}
		if (len(p.Warnings) > 0) != (test.fires == nil) {
			t.Errorf("%s: warnings = %v", name, p.Warnings)
		}
	}
}

// TestPreviewTells looks at what a preview says besides fire times: what the
// clocks do to them, the values that a job's id chooses, and the text, which is
// taken in place of the JSON form.
func TestPreviewTells(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{})
	type preview struct {
		Fires             []api.Fire
		Description, Text string
		Warnings          []api.Warning
	}
	ask := func(body string) preview {
		return decode[preview](t, s.api("POST", "/triggers/preview", body, http.StatusOK))
	}
	got := ask(`{"trigger":"cron hour=2 minute=30 on_gap=skip on_fold=both timezone=Europe/Berlin","from":"2026-03-28T12:00:00Z","count":1}`)
	want := preview{
		Fires: []api.Fire{
			{Time: "2026-03-29T03:00:00+02:00", Wall: "2026-03-29T02:30:00", Effect: "skipped", Note: "02:30 does not exist that day; skipped"},
			{Time: "2026-03-30T02:30:00+02:00", Wall: "2026-03-30T02:30:00"},
		},
		Description: "at 02:30 every day",
		Text:        "cron hour=2 minute=30 timezone=Europe/Berlin on_gap=skip on_fold=both",
		Warnings:    got.Warnings,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("a time that the clocks skip (-want +got):\n%s", diff)
	}
	if len(got.Warnings) == 0 || got.Warnings[0].Code != trigger.LintGap {
		t.Errorf("warnings = %v", got.Warnings)
	}
	a, b := ask(`{"trigger":"H H * * *","job_id":"a","count":1}`), ask(`{"trigger":"H H * * *","job_id":"b","count":1}`)
	if a.Fires[0].Time == b.Fires[0].Time || len(a.Warnings) > 0 {
		t.Errorf("two jobs: %v and %v", a, b)
	}
	if none := ask(`{"trigger":"H H * * *","count":1}`); len(none.Warnings) != 1 || none.Warnings[0].Code != trigger.LintUnknownJobID {
		t.Errorf("without a job: %v", none.Warnings)
	}
	if daily := ask(`{"trigger":"@daily","count":1}`); daily.Text != "crontab @daily timezone=UTC" {
		t.Errorf("a bare expression is %q", daily.Text)
	}
	s.api("POST", "/triggers/preview", `{"trigger":"quartz \"0 0 * * * *\""}`, http.StatusUnprocessableEntity)
}

// TestJobOfEachKind makes a job of each kind of trigger, in either form.
func TestJobOfEachKind(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{})
	for kind, text := range map[string]string{
		"cron":                `cron hour=9 day="3rd fri"`,
		"crontab":             `*/5 9-17 * * mon-fri`,
		"quartz":              `quartz "0 0 12 L * ?"`,
		"interval":            `interval minutes=2`,
		"calendar_interval":   `calendar_interval months=1 hour=9 start_date=2026-01-31`,
		"daily_time_interval": `daily_time_interval every=10 unit=minute from=09:00 to=17:00`,
		"date":                `date 2031-01-01T00:00:00Z`,
		"dates":               `dates run_dates=["2031-01-01","2031-02-01"]`,
		"rrule":               `rrule FREQ=MONTHLY;BYDAY=-1FR start_date=2026-01-01T09:00:00`,
		"and":                 `and (cron day=13) (cron day_of_week=fri)`,
		"or":                  `or (crontab "0 9 * * *") (interval hours=7)`,
	} {
		data, err := json.Marshal(map[string]any{"id": kind, "trigger": text, "task": map[string]string{"type": "shell", "command": "true"}})
		if err != nil {
			t.Fatal(err)
		}
		job := decode[api.Job](t, s.api("POST", "/jobs", string(data), http.StatusCreated))
		if job.State != "active" || job.NextFireTime == nil || job.Description == "" || !strings.HasPrefix(job.TriggerText, kind) {
			t.Errorf("%s: %+v", kind, job)
		}
		form, err := json.Marshal(job.Trigger)
		if err != nil {
			t.Fatal(err)
		}
		again := decode[api.Job](t, s.api("PATCH", "/jobs/"+kind, `{"trigger":`+string(form)+`}`, http.StatusOK))
		if again.Version != 1 || again.TriggerText != job.TriggerText {
			t.Errorf("%s came back as %+v", kind, again)
		}
	}
	boot := decode[api.Job](t, s.api("POST", "/jobs", `{"trigger":"@reboot","task":{"type":"shell","command":"true"}}`, http.StatusCreated))
	if boot.State != "active" || boot.NextFireTime != nil {
		t.Errorf("@reboot: %+v", boot)
	}
}
