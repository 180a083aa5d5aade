package torture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// server is one of the test's own. It is killed, ended and started again, at
// the same address and with the same data.
type server struct {
	url, address string
	serverKind
	folder  string // its own
	log     *os.File
	as      *syscall.Credential // nil: who runs the test
	process *exec.Cmd
	exited  chan struct{} // closed when the process has
}

// serverKind is how a server is prepared, started and ended.
type serverKind struct {
	url     string                             // %s is the address
	prepare func(s *server) error              // nil: nothing is to be prepared
	command func(s *server) (command []string) // what becomes the server
	env     []string
	ready   string         // what it says when it takes connections
	end     syscall.Signal // has it end in good order
}

const (
	// serverPatience is how long a server may take to start, and to end when it
	// is told to.
	serverPatience = time.Minute
	// Ports are chosen below those that the system gives out itself. A client
	// that is given such a one could be connected with itself while the server
	// is down.
	firstPort, ports = 20000, 10000
)

// The programs of PostgreSQL are where nobody looks for them, by its version.
func newPostgres(t *testing.T, folder string) *server {
	t.Helper()
	bin := ""
	if found, err := filepath.Glob("/usr/lib/postgresql/*/bin"); err == nil && len(found) > 0 {
		bin = slices.MaxFunc(found, func(a, b string) int { return slices.Compare(versionOf(a), versionOf(b)) })
	}
	initdb, postgres := program(t, "initdb", bin), program(t, "postgres", bin)
	return newServer(t, folder, serverKind{
		url: "postgres://jobcenter@%s/postgres?sslmode=disable",
		prepare: func(s *server) error {
			return s.run(initdb, "--pgdata=data", "--username=jobcenter", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync")
		},
		command: func(s *server) []string {
			return []string{postgres, "-D", "data", "-p", s.port(), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="}
		},
		ready: "ready to accept connections", end: syscall.SIGINT,
	})
}

func versionOf(bin string) []int {
	version, _ := strconv.Atoi(filepath.Base(filepath.Dir(bin)))
	return []int{version}
}

func newMariaDB(t *testing.T, folder string) *server {
	t.Helper()
	install, mariadbd := program(t, "mariadb-install-db"), program(t, "mariadbd")
	const setup = "CREATE USER IF NOT EXISTS 'jobcenter'@'127.0.0.1' IDENTIFIED BY 'jobcenter';\n" +
		"GRANT ALL ON *.* TO 'jobcenter'@'127.0.0.1';\n" +
		"CREATE DATABASE IF NOT EXISTS jobcenter;\n"
	return newServer(t, folder, serverKind{
		url: "mysql://jobcenter:jobcenter@%s/jobcenter",
		prepare: func(s *server) error {
			return errors.Join(
				os.WriteFile(filepath.Join(s.folder, "setup.sql"), []byte(setup), 0o644),
				s.run(install, "--no-defaults", "--datadir="+filepath.Join(s.folder, "data"), "--skip-test-db", "--auth-root-authentication-method=socket"),
			)
		},
		command: func(s *server) []string {
			return []string{
				mariadbd, "--no-defaults", "--datadir=" + filepath.Join(s.folder, "data"), "--socket=socket", "--pid-file=pid",
				"--init-file=" + filepath.Join(s.folder, "setup.sql"), "--bind-address=127.0.0.1", "--port=" + s.port(), "--skip-name-resolve",
				"--character-set-server=utf8mb4", "--collation-server=utf8mb4_general_ci",
			}
		},
		ready: "ready for connections", end: syscall.SIGTERM,
	})
}

func newRedis(t *testing.T, folder string) *server {
	t.Helper()
	redis := program(t, "redis-server")
	return newServer(t, folder, serverKind{
		url: "redis://%s/0",
		command: func(s *server) []string {
			return []string{redis, "--bind", "127.0.0.1", "--port", s.port(), "--save", "", "--appendonly", "yes", "--appendfsync", "always"}
		},
		ready: "Ready to accept connections", end: syscall.SIGTERM,
	})
}

// newFerret builds and starts the stand-in for MongoDB.
func newFerret(t *testing.T, folder string) *server {
	t.Helper()
	ferret := filepath.Join(folder, "ferret")
	build := exec.CommandContext(t.Context(), program(t, "go"), "build", "-o", ferret, ".")
	build.Dir = filepath.Join("..", "..", "jobstore", "mongostore", "ferret")
	build.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=readonly", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Skipf("FerretDB cannot be built: %v: %s", err, bytes.TrimSpace(out))
	}
	return newServer(t, folder, serverKind{
		url: "mongodb://%s/jobcenter",
		command: func(s *server) []string {
			return []string{ferret, "-data", s.folder, "-listen", s.address}
		},
		env:   []string{"GOGC=800"}, // it makes much garbage, and is small
		ready: "mongodb://", end: syscall.SIGTERM,
	})
}

// program finds a program where servers are kept, too; without it the store is
// skipped.
func program(t *testing.T, name string, folders ...string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	for _, folder := range append(folders, "/usr/sbin") {
		if err != nil {
			path, err = exec.LookPath(filepath.Join(folder, name))
		}
	}
	if err != nil {
		t.Skipf("%s was not found", name)
	}
	return path
}

// newServer prepares and starts a server, which is gone with the test.
func newServer(t *testing.T, folder string, kind serverKind) *server {
	t.Helper()
	s := &server{serverKind: kind, folder: filepath.Join(folder, "server")}
	var err error
	if s.log, err = os.Create(filepath.Join(folder, "server.log")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.stop()
		_ = s.log.Close()
	})
	if err := s.makeFolder(); err != nil {
		t.Fatal(err)
	}
	if s.address, err = freeAddress(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.url = fmt.Sprintf(kind.url, s.address)
	if kind.prepare != nil {
		err = kind.prepare(s)
	}
	if err == nil {
		err = s.start()
	}
	if err != nil {
		text, _ := os.ReadFile(s.log.Name())
		t.Skipf("the server cannot be started: %v\n%s", err, text)
	}
	return s
}

// makeFolder makes the server's folder. Servers refuse to be root, and none
// needs to be: it is nobody's then.
func (s *server) makeFolder() error {
	if err := os.Mkdir(s.folder, 0o700); err != nil || os.Getuid() != 0 {
		return err
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		return err
	}
	uid, err := strconv.ParseUint(nobody.Uid, 10, 32)
	if err != nil {
		return err
	}
	gid, err := strconv.ParseUint(nobody.Gid, 10, 32)
	if err != nil {
		return err
	}
	s.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return os.Chown(s.folder, int(uid), int(gid))
}

// freeAddress is one on which nobody listens.
func freeAddress(ctx context.Context) (string, error) {
	for {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(firstPort+rand.IntN(ports)))
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
		if err == nil {
			return address, listener.Close()
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			return "", err
		}
	}
}

func (s *server) port() string {
	_, port, _ := net.SplitHostPort(s.address)
	return port
}

// commandOf is a command that runs as the server does, and ends with the test
// however that ends.
func (s *server) commandOf(name string, args ...string) *exec.Cmd {
	command := exec.Command(name, args...) //nolint:noctx // ended by the test, and with it
	command.Dir = s.folder
	command.Env = slices.Concat(os.Environ(), []string{"LC_ALL=C", "TMPDIR=" + s.folder}, s.env)
	command.Stdout, command.Stderr = s.log, s.log
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Credential: s.as}
	return command
}

func (s *server) run(name string, args ...string) error { return s.commandOf(name, args...).Run() }

// start starts the server and returns when it takes connections.
func (s *server) start() error {
	from, err := s.log.Seek(0, 2)
	if err != nil {
		return err
	}
	line := s.command(s)
	process := s.commandOf(line[0], line[1:]...)
	if _, err := process.StdinPipe(); err != nil { // the stand-in ends when that does
		return err
	}
	if err := process.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	s.process, s.exited = process, exited
	go func() {
		_ = process.Wait()
		close(exited)
	}()
	for deadline := time.Now().Add(serverPatience); time.Now().Before(deadline); {
		text, err := os.ReadFile(s.log.Name())
		if err != nil {
			return err
		}
		if bytes.Contains(text[min(int(from), len(text)):], []byte(s.ready)) {
			return nil
		}
		select {
		case <-exited:
			return fmt.Errorf("%s ended: %s", filepath.Base(line[0]), process.ProcessState)
		case <-time.After(20 * time.Millisecond):
		}
	}
	s.kill()
	return fmt.Errorf("%s did not start within %s", filepath.Base(line[0]), serverPatience)
}

// startAgain starts a server that was killed or has ended. PostgreSQL refuses
// while a process of its predecessor is still there.
func (s *server) startAgain() (err error) {
	for deadline := time.Now().Add(serverPatience); time.Now().Before(deadline); <-time.After(100 * time.Millisecond) {
		if err = s.start(); err == nil {
			return nil
		}
	}
	return err
}

// kill kills the server, with its children, and returns when it is gone.
func (s *server) kill() {
	pid := s.process.Process.Pid
	list, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid)) // most have none
	_ = s.process.Process.Kill()                                               // it may be gone
	for child := range strings.FieldsSeq(string(list)) {
		if pid, err := strconv.Atoi(child); err == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	<-s.exited
}

// stop has the server end in good order; false if it had to be killed.
func (s *server) stop() bool {
	if s.process == nil {
		return true
	}
	_ = s.process.Process.Signal(s.end) // it may be gone
	select {
	case <-s.exited:
		return true
	case <-time.After(serverPatience):
		s.kill()
		return false
	}
}
