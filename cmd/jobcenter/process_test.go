package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// asCommand makes the test binary behave as the command itself.
const asCommand = "TEST_AS_JOBCENTER"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
	}
	os.Exit(m.Run())
}

// process is the command in a process of its own.
type process struct {
	t   *testing.T
	cmd *exec.Cmd
	url string // of a server

	mu     sync.Mutex
	out    bytes.Buffer
	stderr bytes.Buffer
	ready  chan struct{}
	done   chan error
}

// start starts the command with further variables in its environment.
func start(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	binary, err := os.Executable()
	check(t, err)
	cmd := exec.Command(binary, args...) //nolint:noctx // ended by the test
	cmd.Env = append([]string{asCommand + "=1", "PATH=" + os.Getenv("PATH")}, env...)
	return started(t, cmd)
}

// startAs starts a copy of the command in a folder as a user who is not root.
func startAs(t *testing.T, dir string, args ...string) *process {
	t.Helper()
	self, err := os.Executable()
	check(t, err)
	program, err := os.ReadFile(self)
	check(t, err)
	binary := filepath.Join(dir, "jobcenter")
	check(t, os.WriteFile(binary, program, 0o755))
	cmd := exec.Command(binary, args...) //nolint:noctx // ended by the test
	cmd.Env = []string{asCommand + "=1"}
	if os.Getuid() == 0 {
		const nobody = 65534
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	return started(t, cmd)
}

func started(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{t: t, cmd: cmd, ready: make(chan struct{}), done: make(chan error, 1)}
	cmd.Stderr = &p.stderr
	stdout, err := cmd.StdoutPipe()
	check(t, err)
	check(t, cmd.Start())
	go func() {
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			p.mu.Lock()
			p.out.WriteString(lines.Text() + "\n")
			if _, url, found := strings.Cut(lines.Text(), "JobCenter is ready at "); found {
				p.url = url
				close(p.ready)
			}
			p.mu.Unlock()
		}
		p.done <- cmd.Wait()
	}()
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return p
}

// serve starts a server on a free port and waits until it is ready.
func serve(t *testing.T, data string, env []string, args ...string) *process {
	t.Helper()
	p := start(t, env, append([]string{"serve", "--listen", "127.0.0.1:0", "--data", data}, args...)...)
	select {
	case <-p.ready:
	case err := <-p.done:
		t.Fatalf("the server ended: %v: %s", err, p.stderr.String())
	case <-time.After(30 * time.Second):
		t.Fatal("the server does not become ready")
	}
	return p
}

// wait waits for the end and returns the exit code.
func (p *process) wait() int {
	p.t.Helper()
	select {
	case err := <-p.done:
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			return exit.ExitCode()
		}
		check(p.t, err)
		return 0
	case <-time.After(30 * time.Second):
		p.t.Fatal("the command does not end")
		return -1
	}
}

// ended reports whether the command has ended.
func (p *process) ended() bool {
	select {
	case err := <-p.done:
		p.done <- err
		return true
	default:
		return false
	}
}

func (p *process) stdout() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

// stop ends a server in good order.
func (p *process) stop() {
	p.t.Helper()
	check(p.t, p.cmd.Process.Signal(os.Interrupt))
	if code := p.wait(); code != 0 {
		p.t.Fatalf("exit code = %d: %s", code, p.stderr.String())
	}
}

// command runs the command within this process.
func command(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = run(t.Context(), args, strings.NewReader(stdin), &out, &err)
	return code, out.String(), err.String()
}

func newToken(t *testing.T, data string) string {
	t.Helper()
	code, out, stderr := command(t, "", "token", "create", "--name", t.Name(), "--role", "admin", "--data", data)
	if code != 0 {
		t.Fatalf("token create: exit code = %d: %s", code, stderr)
	}
	return strings.TrimSpace(out)
}

// request calls a server's API.
func (p *process) request(ctx context.Context, token, method, path, body string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, p.url+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return http.DefaultClient.Do(req)
}

// api calls a server's API, decodes the answer and returns the status.
func (p *process) api(token, method, path, body string, into any) int {
	p.t.Helper()
	res, err := p.request(p.t.Context(), token, method, "/api/v1"+path, body)
	check(p.t, err)
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	check(p.t, err)
	if into != nil {
		if err := json.Unmarshal(text, into); err != nil {
			p.t.Fatalf("%s %s: %d %s", method, path, res.StatusCode, text)
		}
	}
	return res.StatusCode
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually asks until ok is true.
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
