package mongostore

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/jobstore/storetest"
)

// server is what the tests of this package run against: the MongoDB that
// JOBCENTER_TEST_MONGO names or, without that, FerretDB as a process of its own.
type server struct {
	start   func() (url string, err error)
	process *exec.Cmd
	data    string
}

// unhurried is how long a call may take. FerretDB looks at every document of a
// collection whatever it is asked for, and machines can be busy.
const unhurried = 2 * time.Minute

var shared = newServer() //nolint:gochecknoglobals // one for all tests: it takes a while to start

func newServer() *server {
	s := &server{}
	s.start = sync.OnceValues(func() (string, error) {
		if url := os.Getenv("JOBCENTER_TEST_MONGO"); url != "" {
			return url, nil
		}
		return s.ferret()
	})
	return s
}

// ferret builds FerretDB's program and starts it. It ends when its standard
// input does, so with us however we end.
func (s *server) ferret() (url string, err error) {
	ctx := context.Background()
	cache, err := filepath.Abs(filepath.Join("..", "..", ".cache", "ferret"))
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	if s.data, err = os.MkdirTemp("", "ferret"); err != nil {
		return "", err
	}
	// It is linked beside its place and moved there, so that nobody who builds
	// it at the same time runs the half of it.
	program := filepath.Join(cache, "ferret")
	build := exec.CommandContext(ctx, "go", "build", "-o", program, ".")
	build.Dir = "ferret"
	build.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=readonly -buildvcs=false", "CGO_ENABLED=0", "GOTMPDIR="+cache)
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("FerretDB cannot be built: %w: %s", err, bytes.TrimSpace(out))
	}
	s.process = exec.CommandContext(ctx, program, "-data", s.data)
	s.process.Env = append(os.Environ(), "GOGC=800") // it makes much garbage, and is small
	s.process.Stderr = os.Stderr
	if _, err := s.process.StdinPipe(); err != nil {
		return "", err
	}
	out, err := s.process.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := s.process.Start(); err != nil {
		return "", err
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		return "", errors.Join(errors.New("FerretDB did not start"), lines.Err())
	}
	return lines.Text(), nil
}

func (s *server) stop() {
	if s.process != nil {
		_ = s.process.Process.Kill()
		_ = s.process.Wait()
	}
	if s.data != "" {
		_ = os.RemoveAll(s.data)
	}
}

// TestMain makes this binary the process that TestKill kills, where it is
// started as such.
func TestMain(m *testing.M) {
	if url := os.Getenv(killURL); url != "" {
		fmt.Fprintln(os.Stderr, writeUntilKilled(context.Background(), url))
		os.Exit(1)
	}
	code := m.Run()
	shared.stop()
	os.Exit(code)
}

// serverURL is the address of the server. A test is skipped where there is none.
func serverURL(tb testing.TB) string {
	tb.Helper()
	url, err := shared.start()
	if err != nil {
		tb.Skipf("no MongoDB (JOBCENTER_TEST_MONGO is not set), and %v", err)
	}
	return url
}

// database is the name of a database of a test's own. On a server that is not
// ours it is dropped with the test.
func database(tb testing.TB, of string) string {
	tb.Helper()
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(of))
	name := fmt.Sprintf("jobcenter_test_%x", hash.Sum64())
	serverURL(tb)
	if shared.process != nil {
		return name
	}
	tb.Cleanup(func() {
		client := connect(tb, nil)
		ctx, cancel := context.WithTimeout(context.Background(), unhurried)
		defer cancel()
		if err := client.Database(name).Drop(ctx); err != nil {
			tb.Errorf("drop the test's database: %v", err)
		}
	})
	return name
}

// connect is a client of the test's own.
func connect(tb testing.TB, opts *options.ClientOptions) *mongo.Client {
	tb.Helper()
	if opts == nil {
		opts = options.Client()
	}
	client, err := mongo.Connect(opts.ApplyURI(serverURL(tb)))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = client.Disconnect(context.Background()) })
	return client
}

// urlOf is the server's address with a database.
func urlOf(tb testing.TB, database string) string {
	tb.Helper()
	url, query, _ := strings.Cut(serverURL(tb), "?")
	scheme, hosts, _ := strings.Cut(url, "://")
	hosts, _, _ = strings.Cut(hosts, "/")
	return scheme + "://" + hosts + "/" + database + "?" + query
}

// open opens a store in a database.
func open(tb testing.TB, database string) *Store {
	tb.Helper()
	store, err := Open(tb.Context(), urlOf(tb, database), Options{Timeout: unhurried})
	if err != nil {
		tb.Fatal(err)
	}
	return store
}

// openNew opens a store in a new database, and closes it with the test.
func openNew(tb testing.TB) *Store {
	tb.Helper()
	store := open(tb, database(tb, tb.TempDir()))
	tb.Cleanup(func() { closeIt(tb, store) })
	return store
}

func closeIt(tb testing.TB, closer interface{ Close() error }) {
	tb.Helper()
	if err := closer.Close(); err != nil {
		tb.Error(err)
	}
}

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) jobcenter.JobStore {
		t.Helper()
		return open(t, database(t, t.TempDir()))
	})
	storetest.RunDurable(t, func(t *testing.T, dir string) jobcenter.JobStore {
		t.Helper()
		return open(t, database(t, dir))
	})
	storetest.RunDamaged(t, func(t *testing.T) jobcenter.JobStore {
		t.Helper()
		return open(t, database(t, t.TempDir()))
	}, func(t *testing.T, store jobcenter.JobStore, jobID string) {
		t.Helper()
		tamper(t, store, jobID, func(job map[string]json.RawMessage) { job["trigger"] = json.RawMessage(storetest.DamagedTrigger) })
	})
}

// tamper changes the stored JSON of a job behind the store's back.
func tamper(t *testing.T, store jobcenter.JobStore, jobID string, change func(job map[string]json.RawMessage)) {
	t.Helper()
	jobs := store.(*Store).jobs
	var doc jobDoc
	if err := jobs.FindOne(t.Context(), byID(jobID)).Decode(&doc); err != nil {
		t.Fatal(err)
	}
	var job map[string]json.RawMessage
	if err := json.Unmarshal([]byte(doc.Job), &job); err != nil {
		t.Fatal(err)
	}
	change(job)
	text, err := json.Marshal(job)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := jobs.UpdateOne(t.Context(), byID(jobID), bson.D{{Key: "$set", Value: bson.D{{Key: "job", Value: string(text)}}}}); err != nil {
		t.Fatal(err)
	}
}
