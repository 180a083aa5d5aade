package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/jobcenter-go/jobcenter/internal/sqlkit"
)

type run1 struct {
	ID, State, Reason, Message string
}

func TestEverythingIsThereAfterARestart(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	s := serve(t, data, nil, "--stop-grace", "300ms")
	link := regexp.MustCompile(regexp.QuoteMeta(s.url) + `/setup#token=\S+`).FindString(s.stdout())
	if link == "" {
		t.Errorf("output = %q, want a set-up link", s.stdout())
	}
	if info, err := os.Stat(data); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("data folder: %v, %v, want it closed to others", info.Mode(), err)
	}
	token := newToken(t, data) // beside the running server
	var system, again struct{ Node string }
	if status := s.api(token, "GET", "/system", "", &system); status != http.StatusOK || system.Node == "" {
		t.Fatalf("system: status = %d, %+v", status, system)
	}
	s.api(token, "POST", "/jobs", `{"id":"long","task":{"type":"shell","command":"echo begun; env; sleep 60"},"trigger":{"type":"crontab","expression":"0 0 1 1 *"}}`, nil)
	var run run1
	if status := s.api(token, "POST", "/jobs/long/run", "", &run); status != http.StatusAccepted {
		t.Fatalf("run: status = %d", status)
	}
	eventually(t, "output", func() bool { return strings.Contains(output(s, token, run.ID), "begun") })
	// Who watches sees the end of the run, and then of the server.
	stream, err := s.request(t.Context(), token, "GET", "/api/v1/runs/"+run.ID+"/output/stream", "")
	check(t, err)
	defer func() { _ = stream.Body.Close() }()
	check(t, s.cmd.Process.Signal(syscall.SIGTERM))
	events, err := io.ReadAll(stream.Body)
	check(t, err)
	if !strings.Contains(string(events), `event: end`) || !strings.Contains(string(events), `"reason":"shutdown"`) {
		t.Errorf("events = %s, want the end of the run", events)
	}
	if code := s.wait(); code != 0 {
		t.Fatalf("exit code = %d: %s", code, s.stderr.String())
	}

	s = serve(t, data, nil)
	if strings.Contains(s.stdout(), link) || !strings.Contains(s.stdout(), "/setup#token=") {
		t.Errorf("output = %q, want another set-up link", s.stdout())
	}
	s.api(token, "GET", "/runs/"+run.ID, "", &run)
	if run.State != "stopped" || run.Reason != "shutdown" {
		t.Errorf("run = %+v, want it stopped by the shutdown", run)
	}
	if out := output(s, token, run.ID); !strings.HasPrefix(out, "begun\n") || strings.Contains(out, "ADMIN") {
		t.Errorf("output = %q", out)
	}
	var job struct{ State string }
	if s.api(token, "GET", "/jobs/long", "", &job); job.State != "active" {
		t.Errorf("job = %+v", job)
	}
	if s.api(token, "GET", "/system", "", &again); again != system {
		t.Errorf("node = %q, want %q as before", again.Node, system.Node)
	}
	s.stop()
}

func output(p *process, token, run string) string {
	p.t.Helper()
	res, err := p.request(p.t.Context(), token, "GET", "/api/v1/runs/"+run+"/output", "")
	check(p.t, err)
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	check(p.t, err)
	return string(text)
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	s := serve(t, data, nil, "--stop-grace", "10m")
	token := newToken(t, data)
	s.api(token, "POST", "/jobs", `{"id":"a","task":{"type":"shell","command":"echo begun; sleep 300"},"trigger":{"type":"crontab","expression":"0 0 1 1 *"}}`, nil)
	var run run1
	s.api(token, "POST", "/jobs/a/run", "", &run)
	eventually(t, "output", func() bool { return output(s, token, run.ID) == "begun\n" })
	check(t, s.cmd.Process.Signal(syscall.SIGTERM))
	eventually(t, "the stop", func() bool {
		res, err := s.request(t.Context(), "", "GET", "/readyz", "")
		check(t, err)
		defer func() { _ = res.Body.Close() }()
		return res.StatusCode == http.StatusServiceUnavailable
	})
	eventually(t, "the end", func() bool {
		_ = s.cmd.Process.Signal(syscall.SIGTERM) // fails once it has ended
		return s.ended()
	})
	if code := s.wait(); code == 0 {
		t.Error("exit code = 0, want that of a server that was ended")
	}
	// The next start finds what was left, ends it and says so.
	s = serve(t, data, nil)
	eventually(t, "the recovery", func() bool {
		s.api(token, "GET", "/runs/"+run.ID, "", &run)
		return run.State == "lost"
	})
	if run.Reason != "node_died" || run.Message == "" {
		t.Errorf("run = %+v", run)
	}
	s.stop()
}

func TestFirstAdminFromTheEnvironment(t *testing.T) {
	t.Parallel()
	const password = "correct horse"
	data := t.TempDir()
	for name, test := range map[string]struct {
		env  []string
		want string
	}{
		"password alone": {[]string{"JOBCENTER_ADMIN_PASSWORD=" + password}, "must be set both or neither"},
		"e-mail alone":   {[]string{"JOBCENTER_ADMIN_EMAIL=ada@example.com"}, "must be set both or neither"},
		"short password": {[]string{"JOBCENTER_ADMIN_EMAIL=ada@example.com", "JOBCENTER_ADMIN_PASSWORD=short"}, "password: has 5 characters"},
		"no e-mail":      {[]string{"JOBCENTER_ADMIN_EMAIL=ada", "JOBCENTER_ADMIN_PASSWORD=" + password}, "is not an e-mail address"},
	} {
		p := start(t, test.env, "serve", "--listen", "127.0.0.1:0", "--data", data)
		if code := p.wait(); code != 1 || !strings.Contains(p.stderr.String(), test.want) || strings.Contains(p.stdout(), "ready") {
			t.Errorf("%s: exit code = %d, %q, want 1 and %q", name, code, p.stderr.String(), test.want)
		}
	}
	s := serve(t, data, []string{"JOBCENTER_ADMIN_EMAIL=ada@example.com", "JOBCENTER_ADMIN_PASSWORD=" + password})
	if strings.Contains(s.stdout(), "setup") {
		t.Errorf("output = %q, want no set-up link", s.stdout())
	}
	signIn := fmt.Sprintf(`{"email":"ada@example.com","password":%q}`, password)
	if status := s.api("", "POST", "/session", signIn, nil); status != http.StatusOK {
		t.Errorf("sign-in: status = %d", status)
	}
	s.stop()
	// Once there is a user, the variables are for nothing.
	s = serve(t, data, []string{"JOBCENTER_ADMIN_EMAIL=eve@example.com", "JOBCENTER_ADMIN_PASSWORD=" + password})
	if status := s.api("", "POST", "/session", strings.Replace(signIn, "ada@", "eve@", 1), nil); status != http.StatusUnauthorized {
		t.Errorf("sign-in of another: status = %d, want 401", status)
	}
	s.stop()
}

func TestServeRefuses(t *testing.T) {
	t.Parallel()
	busy, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	check(t, err)
	defer func() { _ = busy.Close() }()
	dir := t.TempDir()
	check(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o600))
	inUse := filepath.Join(dir, "in-use")
	s := serve(t, inUse, nil)
	newer := filepath.Join(dir, "newer")
	serve(t, newer, nil).stop()
	check(t, raiseSchema(t.Context(), filepath.Join(newer, "jobcenter.db")))
	unused := filepath.Join(dir, "unused")

	for name, test := range map[string]struct {
		args []string
		code int
		want string
	}{
		"port in use":        {[]string{"--listen", busy.Addr().String(), "--data", unused}, 1, busy.Addr().String() + " is in use"},
		"no address":         {[]string{"--listen", "nonsense", "--data", unused}, 1, `cannot listen on "nonsense"`},
		"data folder in use": {[]string{"--data", inUse}, 1, "is in use by another JobCenter server"},
		"data is a file":     {[]string{"--data", filepath.Join(dir, "file")}, 1, "not a directory"},
		"newer database":     {[]string{"--data", newer}, 1, "from a newer version"},
		"unknown database":   {[]string{"--data", unused + "2", "--database", "oracle://x"}, 1, "unknown scheme"},
		"no database folder": {[]string{"--data", unused + "2", "--database", "sqlite:" + unused + "/x/y.db"}, 1, "no such file or directory"},
		"unknown flag":       {[]string{"--port", "1"}, 2, "unknown flag --port"},
		"pool of nothing":    {[]string{"--pool-size", "0", "--data", unused}, 1, "allowed: 1 to 10000"},
		"negative grace":     {[]string{"--stop-grace=-1s", "--data", unused}, 1, "allowed: 0 or more"},
		"grace of no unit":   {[]string{"--stop-grace", "soon"}, 2, "--stop-grace"},
		"output limit":       {[]string{"--output-limit", "much"}, 2, `"much" is not a size`},
		"time zone":          {[]string{"--timezone", "Mars/Olympus"}, 2, `"Mars/Olympus" is not a time zone`},
		"log format":         {[]string{"--log-format", "xml"}, 2, "--log-format"},
	} {
		args := append([]string{"serve", "--listen", "127.0.0.1:0"}, test.args...)
		p := start(t, nil, args...)
		if code := p.wait(); code != test.code || !strings.Contains(p.stderr.String(), test.want) || p.stdout() != "" {
			t.Errorf("%s: exit code = %d, %q, want %d and %q", name, code, p.stderr.String(), test.code, test.want)
		}
	}
	if _, err := os.Stat(unused); err == nil {
		t.Error("a server that could not listen made its data folder")
	}
	s.stop()
}

// raiseSchema makes a database look like one of a newer version.
func raiseSchema(ctx context.Context, path string) error {
	db, err := sqlkit.Open(ctx, path)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	_, err = db.Write.ExecContext(ctx, "INSERT INTO jobcenter_schema_account (version_id, is_applied) VALUES (9999, 1)")
	return err
}

func TestDataFolderThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	// Where everybody may go, unlike the folders of the testing package.
	dir, err := os.MkdirTemp("", "jobcenter-test") //nolint:usetesting // see above
	check(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	check(t, os.Chmod(dir, 0o755))
	data := filepath.Join(dir, "data")
	check(t, os.Mkdir(data, 0o555))
	for _, test := range []struct{ data, want string }{
		{data, "cannot be written: permission denied"},
		{filepath.Join(data, "below"), "cannot be made: permission denied"},
	} {
		p := startAs(t, dir, "serve", "--listen", "127.0.0.1:0", "--data", test.data)
		if code := p.wait(); code != 1 || !strings.Contains(p.stderr.String(), test.want) {
			t.Errorf("exit code = %d, %q, want 1 and %q", code, p.stderr.String(), test.want)
		}
	}
	if left, err := os.ReadDir(data); err != nil || len(left) != 0 {
		t.Errorf("data folder = %v, %v, want it empty", left, err)
	}
}

func TestTokenCreate(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	code, out, stderr := command(t, "", "token", "create", "--name", "ci", "--role", "operator", "--data", data)
	if code != 0 || !regexp.MustCompile(`^jc_[A-Za-z0-9_-]{43}\n$`).MatchString(out) || stderr != "" {
		t.Fatalf("exit code = %d, %q, %q, want a token alone on its line", code, out, stderr)
	}
	s := serve(t, data, nil, "--log-format", "json", "--timezone", "Asia/Shanghai", "--node", "first", "--output-limit", "1MiB")
	var system struct{ Node, Timezone string }
	if status := s.api(strings.TrimSpace(out), "GET", "/system", "", &system); status != http.StatusOK || system.Node != "first" || system.Timezone != "Asia/Shanghai" {
		t.Errorf("system = %d, %+v", status, system)
	}
	s.stop()
	for name, test := range map[string]struct {
		args []string
		code int
		want string
	}{
		"name taken":   {[]string{"--name", "ci", "--role", "admin"}, 1, `a token "ci" exists already`},
		"unknown role": {[]string{"--name", "x", "--role", "root"}, 1, "allowed: admin, operator, viewer"},
		"no role":      {[]string{"--name", "x"}, 2, "--role"},
		"no name":      {[]string{"--role", "admin"}, 2, "--name"},
	} {
		args := append([]string{"token", "create", "--data", data}, test.args...)
		if code, out, stderr := command(t, "", args...); code != test.code || out != "" || !strings.Contains(stderr, test.want) {
			t.Errorf("%s: exit code = %d, %q, %q, want %d and %q", name, code, out, stderr, test.code, test.want)
		}
	}
}

func TestHelpAndVersion(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--help"}, {"serve", "--help"}, {"token", "create", "--help"}, {"next", "--help"}} {
		if code, out, stderr := command(t, "", args...); code != 0 || !strings.Contains(out, "Usage: jobcenter") || stderr != "" {
			t.Errorf("%v: exit code = %d, %q, %q", args, code, out, stderr)
		}
	}
	if code, out, _ := command(t, "", "version"); code != 0 || !strings.HasPrefix(out, "jobcenter ") {
		t.Errorf("version: exit code = %d, %q", code, out)
	}
	if code, _, stderr := command(t, ""); code != 2 || stderr == "" {
		t.Errorf("no command: exit code = %d, %q", code, stderr)
	}
}
