package redisstore_test

import (
	"bufio"
	"fmt"
	"net"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// server is a Redis server of the test's own, to be killed or told bad things.
type server struct {
	url string
	cmd *exec.Cmd
}

// freePort is one that nobody listens on.
func freePort(t *testing.T) int {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().(*net.TCPAddr).Port
}

// startServer starts a server whose data is in a folder, and returns when it
// takes connections.
func startServer(t *testing.T, dir string, port int, args ...string) *server {
	t.Helper()
	serverURL(t) // or else skip
	program, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("there is no redis-server in the path")
	}
	args = slices.Concat([]string{"--bind", "127.0.0.1", "--port", fmt.Sprint(port), "--dir", dir, "--save", ""}, args)
	cmd := exec.CommandContext(t.Context(), program, args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &server{url: fmt.Sprintf("redis://127.0.0.1:%d/0", port), cmd: cmd}
	t.Cleanup(s.kill)
	var log []string
	scanner := bufio.NewScanner(out)
	for scanner.Scan() {
		log = append(log, scanner.Text())
		if strings.Contains(scanner.Text(), "Ready to accept connections") {
			go func() { // what it says later must not hold it up
				for scanner.Scan() {
				}
			}()
			return s
		}
	}
	t.Fatalf("the server did not start:\n%s", strings.Join(log, "\n"))
	return nil
}

// kill ends the server with SIGKILL, and returns when it is gone.
func (s *server) kill() {
	_ = s.cmd.Process.Kill() // it may be gone
	_ = s.cmd.Wait()
}
