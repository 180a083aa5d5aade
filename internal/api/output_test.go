package api_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/internal/account"
	"github.com/jobcenter-go/jobcenter/internal/api"
)

func TestOutputAsItCame(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{})
	s.api("POST", "/jobs", shellJob("a", `printf 'a\000b\377\n'; sleep 0.3; printf '<b>\304\343\272\303</b>' >&2; sleep 0.3; printf 🙂; exit 3`), http.StatusCreated)
	run := s.finished("a")
	if run.State != "failed" || run.Reason != "exit_code" || run.ExitCode == nil || *run.ExitCode != 3 {
		t.Errorf("run = %+v", run)
	}
	const stdout, stderr, end = "a\x00b\xff\n", "<b>\xc4\xe3\xba\xc3</b>", "🙂"
	whole := stdout + stderr + end
	get := func(query string, header map[string]string) reply {
		return s.do(call{method: "GET", path: "/api/v1/runs/" + run.ID + "/output" + query, role: account.Viewer, header: header})
	}
	r := get("", nil)
	if r.status != http.StatusOK || r.body != whole {
		t.Errorf("output = %d %q, want %q", r.status, r.body, whole)
	}
	// Whatever a command writes, a browser must not take it for a page.
	if r.header.Get("Content-Type") != "text/plain; charset=utf-8" || r.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("headers = %v", r.header)
	}
	for query, want := range map[string]string{"?stream=stdout": stdout + end, "?stream=stderr": stderr} {
		if r := get(query, nil); r.body != want {
			t.Errorf("%s = %q, want %q", query, r.body, want)
		}
	}
	for name, test := range map[string]struct {
		header string
		status int
		body   string
		within string
	}{
		"middle":          {"bytes=1-3", http.StatusPartialContent, whole[1:4], "bytes 1-3/"},
		"end":             {"bytes=-4", http.StatusPartialContent, whole[len(whole)-4:], "bytes "},
		"from there on":   {"bytes=5-", http.StatusPartialContent, whole[5:], "bytes 5-"},
		"beyond the end":  {"bytes=5000-", http.StatusRequestedRangeNotSatisfiable, "", "bytes */"},
		"across a stream": {"bytes=3-8", http.StatusPartialContent, whole[3:9], "bytes 3-8/"},
	} {
		r := get("", map[string]string{"Range": test.header})
		if r.status != test.status || test.body != "" && r.body != test.body {
			t.Errorf("%s: %d %q, want %d %q", name, r.status, r.body, test.status, test.body)
		}
		if got := r.header.Get("Content-Range"); !strings.HasPrefix(got, test.within) || !strings.HasSuffix(got, "/"+strconv.Itoa(len(whole))) {
			t.Errorf("%s: Content-Range = %q", name, got)
		}
	}
	if r := get("", map[string]string{"If-None-Match": r.header.Get("ETag")}); r.status != http.StatusNotModified {
		t.Errorf("unchanged output: status = %d, want 304", r.status)
	}
}

func TestGapIsNamed(t *testing.T) {
	t.Parallel()
	const limit, size = 1 << 20, 3_000_000
	s := newSite(t, siteOptions{outputLimit: limit})
	s.api("POST", "/jobs", shellJob("a", `echo begin; yes | head -c 2999990; echo end`), http.StatusCreated)
	run := s.finished("a")
	if run.OutputSize != size || run.OutputKept > limit || run.OutputKept < limit/2 {
		t.Fatalf("run = %+v, want %d bytes of which up to %d are kept", run, size, limit)
	}
	r := s.api("GET", "/runs/"+run.ID+"/output", "", http.StatusOK)
	note := fmt.Sprintf("\n[… %d bytes not kept …]\n", run.OutputSize-run.OutputKept)
	begin, end, found := strings.Cut(r.body, note)
	if !found || !strings.HasPrefix(begin, "begin\n") || !strings.HasSuffix(end, "\nend\n") || int64(len(begin)+len(end)) != run.OutputKept {
		t.Fatalf("%d bytes, found the note: %t, kept %d", len(r.body), found, len(begin)+len(end))
	}
	// A range is one of the text that was shown, the note included.
	at := len(begin) - 5
	r = s.do(call{method: "GET", path: "/api/v1/runs/" + run.ID + "/output", role: account.Viewer, header: map[string]string{"Range": fmt.Sprintf("bytes=%d-%d", at, at+len(note)+9)}})
	if want := begin[at:] + note + end[:5]; r.body != want {
		t.Errorf("range = %q, want %q", r.body, want)
	}
	// The stream shows the gap by an offset that jumps.
	var offset, jumped int64
	for _, e := range s.follow(run.ID, "", nil) {
		if e.name != "output" {
			continue
		}
		if e.output.Offset != offset {
			jumped += e.output.Offset - offset
		}
		offset = e.output.Offset + int64(len(e.output.Data))
		if e.id != strconv.FormatInt(offset, 10) {
			t.Fatalf("id = %q, want the offset behind the chunk, %d", e.id, offset)
		}
	}
	if jumped != run.OutputSize-run.OutputKept || offset != run.OutputSize {
		t.Errorf("jumped over %d to %d, want %d to %d", jumped, offset, run.OutputSize-run.OutputKept, run.OutputSize)
	}
}

// event is a server-sent event.
type event struct {
	id, name, data string
	output         struct {
		Offset int64
		Stream jobcenter.Stream
		At     time.Time
		Data   []byte
	}
	run api.Run
}

// stream opens a run's event stream.
func (s *site) stream(ctx context.Context, runID, query string, header map[string]string) *http.Response {
	s.t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/api/v1/runs/"+runID+"/output/stream"+query, nil)
	check(s.t, err)
	req.Header.Set("Authorization", "Bearer "+s.tokens[account.Viewer])
	for name, value := range header {
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	check(s.t, err)
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream" {
		s.t.Fatalf("stream: status = %d, headers = %v", res.StatusCode, res.Header)
	}
	return res
}

// follow reads a run's event stream to its end.
func (s *site) follow(runID, query string, header map[string]string) []event {
	s.t.Helper()
	res := s.stream(s.t.Context(), runID, query, header)
	defer func() { _ = res.Body.Close() }()
	var events []event
	reader := bufio.NewReader(res.Body)
	for {
		e, err := readEvent(reader)
		if err != nil {
			return events
		}
		events = append(events, e)
	}
}

func readEvent(r *bufio.Reader) (event, error) {
	var e event
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return e, err
		}
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch key {
		case "id":
			e.id = value
		case "event":
			e.name = value
		case "data":
			e.data = value
		case "":
			if e.name == "" { // a comment
				continue
			}
			if e.name == "output" {
				return e, json.Unmarshal([]byte(e.data), &e.output)
			}
			return e, json.Unmarshal([]byte(e.data), &e.run)
		}
	}
}

func TestOutputIsFollowedLive(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{})
	s.api("POST", "/jobs", shellJob("a", `echo one; while [ ! -e "$GO" ]; do sleep 0.05; done; echo two >&2`), http.StatusCreated)
	dir := t.TempDir()
	s.api("PATCH", "/jobs/a", `{"task":{"environment":{"GO":"`+dir+`/go"}}}`, http.StatusOK)
	run := decode[api.Run](t, s.api("POST", "/jobs/a/run", "", http.StatusAccepted))

	res := s.stream(t.Context(), run.ID, "", nil)
	reader := bufio.NewReader(res.Body)
	first, err := readEvent(reader)
	check(t, err)
	if first.name != "run" || first.run.ID != run.ID {
		t.Errorf("first event = %+v, want the run", first)
	}
	var chunk event
	for chunk.name != "output" { // while the command waits
		chunk, err = readEvent(reader)
		check(t, err)
	}
	if string(chunk.output.Data) != "one\n" || chunk.output.Stream != "stdout" || chunk.id != "4" || chunk.output.At.IsZero() {
		t.Errorf("chunk = %+v", chunk)
	}
	// The connection breaks off; the reader comes back with the last id.
	_ = res.Body.Close()
	resumed := s.stream(t.Context(), run.ID, "?offset=0", map[string]string{"Last-Event-ID": chunk.id})
	defer func() { _ = resumed.Body.Close() }()
	s.api("POST", "/jobs", shellJob("go", `touch "`+dir+`/go"`), http.StatusCreated)
	s.finished("go")
	var output []byte
	var last event
	reader = bufio.NewReader(resumed.Body)
	for {
		e, err := readEvent(reader)
		if errors.Is(err, io.EOF) {
			break
		}
		check(t, err)
		output = append(output, e.output.Data...)
		last = e
	}
	if string(output) != "two\n" {
		t.Errorf("resumed output = %q, want what came after", output)
	}
	if last.name != "end" || last.run.State != "succeeded" || last.run.OutputSize != 8 {
		t.Errorf("last event = %+v, want the end", last)
	}
	// A run that has ended is told in full, from any offset within it.
	var whole []byte
	for _, e := range s.follow(run.ID, "?offset=2", nil) {
		whole = append(whole, e.output.Data...)
	}
	if string(whole) != "e\ntwo\n" {
		t.Errorf("from offset 2: %q", whole)
	}
	if r := s.do(call{method: "GET", path: "/api/v1/runs/" + run.ID + "/output/stream", role: account.Viewer, header: map[string]string{"Last-Event-ID": "x"}}); r.status != http.StatusUnprocessableEntity {
		t.Errorf("Last-Event-ID of no stream: status = %d, want 422", r.status)
	}
}

func TestStopIsRecorded(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{})
	s.api("POST", "/jobs", shellJob("a", "echo started; sleep 60"), http.StatusCreated)
	run := decode[api.Run](t, s.api("POST", "/jobs/a/run", "", http.StatusAccepted))
	eventually(t, "output", func() bool {
		return s.api("GET", "/runs/"+run.ID+"/output", "", http.StatusOK).body == "started\n"
	})
	if r := s.do(call{method: "POST", path: "/api/v1/jobs/a/run", role: account.Operator}); r.status != http.StatusConflict || r.problem(t).Code != "overlap" {
		t.Errorf("a second run: %d %s, want overlap", r.status, r.body)
	}
	if job := decode[api.Job](t, s.api("GET", "/jobs/a", "", http.StatusOK)); job.ActiveRuns != 1 || job.LastRun == nil || job.LastRun.State != "running" {
		t.Errorf("job = %+v, want an active run", job)
	}
	s.api("POST", "/runs/"+run.ID+"/stop", "", http.StatusAccepted)
	events := s.follow(run.ID, "", nil)
	if last := events[len(events)-1]; last.name != "end" || last.run.State != "stopped" || last.run.Reason != "stop" || !strings.Contains(last.run.Message, "token:admin") {
		t.Errorf("last event = %+v, want stopped by token:admin", last.run)
	}
	if r := s.do(call{method: "POST", path: "/api/v1/runs/" + run.ID + "/stop", role: account.Operator}); r.status != http.StatusConflict || r.problem(t).Code != "not_running" {
		t.Errorf("stopped again: %d %s", r.status, r.body)
	}
	page := decode[list[api.Run]](t, s.api("GET", "/runs?job=a&state=stopped,failed&limit=1", "", http.StatusOK))
	if len(page.Items) != 1 || page.Items[0].ID != run.ID || page.Items[0].JobName != "a" {
		t.Errorf("runs = %+v", page)
	}
	if r := s.api("GET", "/runs?job=a&to="+run.FireTime.Format(time.RFC3339Nano), "", http.StatusOK); !strings.Contains(r.body, `"items":[]`) {
		t.Errorf("runs before it = %s, want none", r.body)
	}
}

// What the job was called stays readable when it is gone.
func TestRunsOutliveTheirJob(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{})
	s.api("POST", "/jobs", shellJob("a", "echo kept"), http.StatusCreated)
	run := s.finished("a")
	s.api("DELETE", "/jobs/a", "", http.StatusNoContent)
	if got := decode[api.Run](t, s.api("GET", "/runs/"+run.ID, "", http.StatusOK)); got.JobName != "a" || got.State != "succeeded" {
		t.Errorf("run = %+v", got)
	}
	if r := s.api("GET", "/runs/"+run.ID+"/output", "", http.StatusOK); r.body != "kept\n" {
		t.Errorf("output = %q", r.body)
	}
}

// A reader that takes nothing keeps nobody from anything, and streams do not
// keep a server from stopping.
func TestSlowReaderAndTheEnd(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{outputLimit: 16 << 20})
	s.api("POST", "/jobs", shellJob("big", "head -c 16777216 /dev/zero"), http.StatusCreated)
	big := s.finished("big")
	slow := s.stream(t.Context(), big.ID, "", nil) // more than the sockets hold, and nobody reads it
	defer func() { _ = slow.Body.Close() }()

	s.api("POST", "/jobs", shellJob("a", "echo begun; sleep 60"), http.StatusCreated)
	run := decode[api.Run](t, s.api("POST", "/jobs/a/run", "", http.StatusAccepted))
	live := s.stream(t.Context(), run.ID, "", nil)
	defer func() { _ = live.Body.Close() }()
	reader := bufio.NewReader(live.Body)
	for e := (event{}); e.name != "output"; {
		var err error
		e, err = readEvent(reader)
		check(t, err)
	}
	if r := s.api("GET", "/runs/"+big.ID+"/output", "", http.StatusOK); len(r.body) != 16<<20 {
		t.Errorf("output = %d bytes", len(r.body))
	}
	close(s.closing)
	if rest, err := io.ReadAll(reader); err != nil || strings.Contains(string(rest), "event: end") {
		t.Errorf("the stream ended with %q, %v, want to break off", rest, err)
	}
}

func TestConsoleFiles(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{})
	const forever = "public, max-age=31536000, immutable"
	for name, test := range map[string]struct {
		path, accept, encoding string
		status                 int
		body, kind, cache      string
	}{
		"page":               {"/", "text/html", "", 200, "<html>console</html>", "text/html; charset=utf-8", "no-cache"},
		"page of the client": {"/jobs/nightly.1", "text/html", "br", 200, "<html>console</html>", "text/html; charset=utf-8", "no-cache"},
		"index.html":         {"/index.html", "*/*", "", 200, "<html>console</html>", "text/html; charset=utf-8", "no-cache"},
		"no page wanted":     {"/nothing", "application/json", "", 404, "not found\n", "text/plain; charset=utf-8", "no-store"},
		"asset":              {"/assets/app-1a2b.js", "*/*", "", 200, "plain", "text/javascript; charset=utf-8", forever},
		"asset, br":          {"/assets/app-1a2b.js", "*/*", "gzip, br", 200, "brotli", "text/javascript; charset=utf-8", forever},
		"asset, gzip":        {"/assets/app-1a2b.js", "*/*", "gzip;q=0.5, br;q=0", 200, "gzip", "text/javascript; charset=utf-8", forever},
		"no such asset":      {"/assets/app-old.js", "text/html", "", 404, "not found\n", "text/plain; charset=utf-8", "no-store"},
		"outside":            {"/assets/../../secret", "*/*", "", 200, "<html>console</html>", "text/html; charset=utf-8", "no-cache"},
		"file":               {"/favicon.svg", "image/*", "", 200, "<svg/>", "image/svg+xml", "no-cache"},
		"healthz":            {"/healthz", "*/*", "", 200, "ok\n", "text/plain; charset=utf-8", "no-store"},
		"readyz":             {"/readyz", "*/*", "", 200, "ok\n", "text/plain; charset=utf-8", "no-store"},
	} {
		encoding := test.encoding
		if encoding == "" {
			encoding = "identity"
		}
		r := s.do(call{method: "GET", path: test.path, header: map[string]string{"Accept": test.accept, "Accept-Encoding": encoding}})
		if r.status != test.status || r.body != test.body || r.header.Get("Content-Type") != test.kind || r.header.Get("Cache-Control") != test.cache {
			t.Errorf("%s: %d %q %v", name, r.status, r.body, r.header)
		}
		policy := r.header.Get("Content-Security-Policy")
		if !strings.Contains(policy, "script-src 'self';") || !strings.Contains(policy, "frame-ancestors 'none'") ||
			r.header.Get("X-Content-Type-Options") != "nosniff" || r.header.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: headers = %v", name, r.header)
		}
	}
	if r := s.do(call{method: "POST", path: "/jobs"}); r.status != http.StatusMethodNotAllowed {
		t.Errorf("POST: status = %d, want 405", r.status)
	}
}

// The document that is served is the one that is committed.
func TestDocumentIsServed(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{})
	r := s.do(call{method: "GET", path: "/api/v1/openapi.json"})
	want, err := api.Document("test")
	check(t, err)
	if !bytes.Equal([]byte(r.body), want) || r.header.Get("Content-Type") != "application/json" {
		t.Errorf("document = %d bytes, %v", len(r.body), r.header)
	}
}
