package main_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/jobstore/sqlstore"
)

// The server is killed this often, at random moments, while so many jobs fire
// every second. The long form: go test ./cmd/jobcenter -run Torture -torture.kills=20
//
//nolint:gochecknoglobals // flags of a test
var (
	tortureKills = flag.Int("torture.kills", 4, "how often the server is killed")
	tortureJobs  = flag.Int("torture.jobs", 50, "how many jobs fire every second")
	tortureSeed  = flag.Uint64("torture.seed", 0, "seed of the moments; 0: a new one")
)

// Afterwards each fire time of each job must be covered by exactly one row, no
// row may claim that it is still running, what succeeded must have left its
// output, no child may be left, and the database must pass its own checks.
func TestTortureKillServer(t *testing.T) {
	if testing.Short() {
		t.Skip("torture takes long; left out by -short")
	}
	seed := *tortureSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	v := &victim{t: t, binary: buildBinary(t), data: filepath.Join(t.TempDir(), "data"), jobs: fmt.Sprintf("torture-%d-", seed)}
	v.start()
	v.token = strings.TrimSpace(v.command("token", "create", "--name", "torture", "--role", "admin", "--data", v.data))

	first := time.Now().Truncate(time.Second).Add(3 * time.Second).UTC()
	for i := range *tortureJobs {
		v.call("POST", "/jobs", map[string]any{
			"id":      fmt.Sprintf("%s%d", v.jobs, i),
			"task":    map[string]any{"type": "shell", "command": fmt.Sprintf("echo fired $JOBCENTER_FIRE_TIME; sleep 0.%d; echo done >&2", i%10)},
			"trigger": map[string]any{"type": "interval", "seconds": 1, "start_date": first.Format(time.RFC3339)},
		}, http.StatusCreated)
	}
	for range *tortureKills {
		pause := 500*time.Millisecond + time.Duration(random.Int64N(int64(2500*time.Millisecond)))
		<-time.After(pause)
		v.kill()
		v.start()
	}
	<-time.After(2 * time.Second)
	for i := range *tortureJobs {
		v.call("POST", fmt.Sprintf("/jobs/%s%d/pause", v.jobs, i), nil, http.StatusOK)
	}
	v.waitIdle()
	v.terminate()
	v.checkLedger(first)
	v.checkNoChildren()
}

// victim is a server that is killed and started again on the same data.
type victim struct {
	t            *testing.T
	binary, data string
	jobs         string // what the ids of the jobs begin with
	address      string
	token        string
	process      *exec.Cmd
	log          bytes.Buffer
}

// start starts the server and waits until it says that it is ready.
func (v *victim) start() {
	v.t.Helper()
	cmd := exec.Command(v.binary, "serve", "--listen", "127.0.0.1:0", "--data", v.data) //nolint:noctx // ended by kill or terminate
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "JOBCENTER_ADMIN_EMAIL=admin@example.com", "JOBCENTER_ADMIN_PASSWORD=torture-of-the-server"}
	out, err := cmd.StdoutPipe()
	if err != nil {
		v.t.Fatal(err)
	}
	cmd.Stderr = &v.log
	if err := cmd.Start(); err != nil {
		v.t.Fatal(err)
	}
	v.process = cmd
	v.t.Cleanup(func() { _ = cmd.Process.Kill() })
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if _, address, ok := strings.Cut(lines.Text(), "ready at "); ok {
			v.address = strings.TrimSpace(address)
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return
		}
	}
	v.t.Fatalf("the server did not become ready: %v\n%s", lines.Err(), v.log.String())
}

func (v *victim) kill() {
	v.t.Helper()
	if err := v.process.Process.Signal(syscall.SIGKILL); err != nil {
		v.t.Fatal(err)
	}
	_ = v.process.Wait() // it was killed
}

func (v *victim) terminate() {
	v.t.Helper()
	if err := v.process.Process.Signal(syscall.SIGTERM); err != nil {
		v.t.Fatal(err)
	}
	if err := v.process.Wait(); err != nil {
		v.t.Errorf("stopping: %v\n%s", err, v.log.String())
	}
}

func (v *victim) command(args ...string) string {
	v.t.Helper()
	out, err := exec.CommandContext(v.t.Context(), v.binary, args...).Output()
	if err != nil {
		v.t.Fatalf("%v: %v", args, err)
	}
	return string(out)
}

func (v *victim) call(method, path string, body any, want int) []byte {
	v.t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		v.t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(v.t.Context(), method, v.address+"/api/v1"+path, bytes.NewReader(data))
	if err != nil {
		v.t.Fatal(err)
	}
	if body == nil {
		request.Body, request.ContentLength = http.NoBody, 0
	} else {
		request.Header.Set("Content-Type", "application/json")
	}
	request.Header.Set("Authorization", "Bearer "+v.token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		v.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != want {
		v.t.Fatalf("%s %s: %s %s %v", method, path, response.Status, answer, err)
	}
	return answer
}

// waitIdle waits until no run is queued or running.
func (v *victim) waitIdle() {
	v.t.Helper()
	for range 300 {
		var page struct{ Items []struct{ ID string } }
		if err := json.Unmarshal(v.call("GET", "/runs?state=queued,running", nil, http.StatusOK), &page); err != nil {
			v.t.Fatal(err)
		}
		if len(page.Items) == 0 {
			return
		}
		<-time.After(100 * time.Millisecond)
	}
	v.t.Fatal("runs are still queued or running 30 s after all jobs were paused")
}

func (v *victim) checkLedger(first time.Time) {
	ctx := context.Background()
	store, err := sqlstore.Open(ctx, "sqlite:"+filepath.Join(v.data, "jobcenter.db"), sqlstore.Options{})
	if err != nil {
		v.t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	if err := store.Check(ctx); err != nil {
		v.t.Errorf("the database does not pass its checks: %v", err)
	}
	states := map[string]int{}
	for i := range *tortureJobs {
		id := fmt.Sprintf("%s%d", v.jobs, i)
		job, err := store.Job(ctx, id)
		if err != nil {
			v.t.Fatal(err)
		}
		covered := map[int64]int{}
		for q := (jobcenter.RunQuery{JobID: id, Limit: 500}); ; {
			page, err := store.Runs(ctx, q)
			if err != nil {
				v.t.Fatal(err)
			}
			for _, run := range page.Runs {
				states[string(run.State)+"/"+string(run.Reason)] += int(run.FireCount)
				var fires int64
				for at := run.FireTime; !at.After(run.LastFireTime); at = at.Add(time.Second) {
					covered[at.Unix()]++
					fires++
				}
				if fires != run.FireCount || !run.State.Final() {
					v.t.Errorf("%s: row %+v", id, run)
				}
				v.checkOutput(ctx, store, run)
			}
			if q.Cursor = page.NextCursor; q.Cursor == "" {
				break
			}
		}
		for at := first; at.Before(job.NextFireTime); at = at.Add(time.Second) {
			if n := covered[at.Unix()]; n != 1 {
				v.t.Errorf("%s: the fire time %s is covered by %d rows", id, at.Format(time.RFC3339), n)
			}
			delete(covered, at.Unix())
		}
		for at := range covered {
			v.t.Errorf("%s: a row for %s, which is not a fire time up to the next one, %s", id, time.Unix(at, 0).UTC(), job.NextFireTime)
		}
	}
	v.t.Logf("fire times by state: %v", states)
	if states["succeeded/"] == 0 || *tortureKills > 0 && states["lost/node_died"] == 0 {
		v.t.Errorf("the test did not reach what it is for: %v", states)
	}
}

// checkOutput holds a run that succeeded against what it must have written.
func (v *victim) checkOutput(ctx context.Context, store *sqlstore.Store, run jobcenter.Run) {
	if run.State != jobcenter.RunSucceeded {
		return
	}
	chunks, err := store.Output(ctx, run.ID, 0, 1<<20)
	if err != nil {
		v.t.Fatal(err)
	}
	text := map[jobcenter.Stream]string{}
	for _, chunk := range chunks {
		text[chunk.Stream] += string(chunk.Data)
	}
	if want := "fired " + run.FireTime.Format(time.RFC3339) + "\n"; text[jobcenter.Stdout] != want || text[jobcenter.Stderr] != "done\n" {
		v.t.Errorf("run of %s of %s left %q", run.JobID, run.FireTime, text)
	}
}

// checkNoChildren looks for processes of the jobs of this test.
func (v *victim) checkNoChildren() {
	environments, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		v.t.Fatal(err)
	}
	for _, path := range environments {
		text, err := os.ReadFile(path)
		if err == nil && bytes.Contains(text, []byte("JOBCENTER_JOB_ID="+v.jobs)) {
			v.t.Errorf("process %s is left: %q", path, text)
		}
	}
}

// buildBinary builds the command that is tested.
func buildBinary(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "jobcenter")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return binary
}
