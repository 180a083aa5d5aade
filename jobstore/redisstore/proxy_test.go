package redisstore_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/jobstore/redisstore"
)

// proxy stands between a store and the server, and loses what it is told to.
type proxy struct {
	url    string
	target string
	// lose is the number of scripts until the one whose reply is lost: it is
	// carried out, and then the connection is cut. At zero none is.
	lose atomic.Int64
	// dead keeps all that comes.
	dead atomic.Bool

	mu    sync.Mutex
	conns []net.Conn
}

func startProxy(t *testing.T) *proxy {
	t.Helper()
	options, err := redis.ParseURL(serverURL(t))
	if err != nil {
		t.Fatal(err)
	}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{url: fmt.Sprintf("redis://%s/%d", listener.Addr(), options.DB), target: options.Addr}
	var group sync.WaitGroup
	t.Cleanup(func() {
		_ = listener.Close()
		p.cut()
		group.Wait()
	})
	group.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", p.target)
			if err != nil {
				_ = client.Close()
				continue
			}
			p.mu.Lock()
			p.conns = append(p.conns, client, server)
			p.mu.Unlock()
			var losing atomic.Bool
			group.Go(func() { p.requests(client, server, &losing) })
			group.Go(func() { p.replies(client, server, &losing) })
		}
	})
	return p
}

// cut closes all connections.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range p.conns {
		_ = conn.Close()
	}
	p.conns = nil
}

func (p *proxy) requests(client, server net.Conn, losing *atomic.Bool) {
	defer func() { _ = server.Close() }()
	buffer := make([]byte, 1<<20)
	for {
		n, err := client.Read(buffer)
		if err != nil {
			return
		}
		if p.dead.Load() {
			continue
		}
		if bytes.Contains(buffer[:n], []byte("\r\nevalsha\r\n")) && p.lose.Add(-1) == 0 {
			losing.Store(true)
		}
		if _, err := server.Write(buffer[:n]); err != nil {
			return
		}
	}
}

func (p *proxy) replies(client, server net.Conn, losing *atomic.Bool) {
	defer func() { _ = client.Close() }()
	buffer := make([]byte, 1<<20)
	for {
		n, err := server.Read(buffer)
		if err != nil || losing.Load() {
			return
		}
		if _, err := client.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// TestLostReplies cuts the connection after a script has run and before its
// reply has come, for each script of each method: the method succeeds all the
// same, and has done its work once.
func TestLostReplies(t *testing.T) {
	t.Parallel()
	serverURL(t) // or else skip
	for name, method := range lostMethods() {
		for lost := 1; lost <= 3; lost++ {
			t.Run(fmt.Sprintf("%s %d", name, lost), func(t *testing.T) {
				t.Parallel()
				p := startProxy(t)
				store := open(t, p.url, redisstore.Options{Prefix: newPrefix(t)})
				defer func() { _ = store.Close() }()
				job := minutely(t, "a")
				job.MaxInstances = 10
				add(t, store, job)
				queued := waiting(-60)
				insert(t, store, "a", queued, newRun("a", at(-120), jobcenter.RunRunning))
				p.lose.Store(int64(lost))
				method(t, store, queued.ID)
				p.lose.Store(0)
			})
		}
	}
}

// insert adds runs of a job.
func insert(t *testing.T, store *redisstore.Store, jobID string, runs ...jobcenter.Run) {
	t.Helper()
	if _, err := store.UpdateJob(t.Context(), jobID, func(job jobcenter.Job, _ jobcenter.Active) (jobcenter.Job, []jobcenter.Run, error) {
		return job, runs, nil
	}); err != nil {
		t.Fatal(err)
	}
}

// states are those of all runs of a job, newest first.
func states(t *testing.T, store *redisstore.Store, jobID string) string {
	t.Helper()
	var all []string
	for run := range allRuns(t, store, jobcenter.RunQuery{JobID: jobID}) {
		all = append(all, string(run.State))
	}
	return strings.Join(all, " ")
}

func checkStates(t *testing.T, store *redisstore.Store, want string) {
	t.Helper()
	if got := states(t, store, "a"); got != want {
		t.Errorf("the runs are %s, want %s", got, want)
	}
}

func lostMethods() map[string]func(t *testing.T, store *redisstore.Store, queued string) {
	return map[string]func(*testing.T, *redisstore.Store, string){
		"AddJobs": func(t *testing.T, store *redisstore.Store, _ string) {
			t.Helper()
			add(t, store, minutely(t, "b"))
			if _, err := store.Job(t.Context(), "b"); err != nil {
				t.Error(err)
			}
		},
		"UpdateJob": func(t *testing.T, store *redisstore.Store, _ string) {
			t.Helper()
			calls := 0
			job, err := store.UpdateJob(t.Context(), "a", func(job jobcenter.Job, _ jobcenter.Active) (jobcenter.Job, []jobcenter.Run, error) {
				calls++
				job.Version++
				return job, []jobcenter.Run{newRun("a", at(1000+calls), jobcenter.RunSucceeded)}, nil
			})
			if err != nil || job.Version != 2 || calls != 1 {
				t.Errorf("version %d after %d calls, %v; want 2 after one", job.Version, calls, err)
			}
			checkStates(t, store, "succeeded queued running")
		},
		"RemoveJob": func(t *testing.T, store *redisstore.Store, _ string) {
			t.Helper()
			if err := store.RemoveJob(t.Context(), "a", func(jobcenter.Job) []jobcenter.Run {
				return []jobcenter.Run{newRun("a", at(0), jobcenter.RunMissed)}
			}); err != nil {
				t.Error(err)
			}
			if _, err := store.Job(t.Context(), "a"); !errors.Is(err, jobcenter.ErrJobNotFound) {
				t.Errorf("error %v, want ErrJobNotFound", err)
			}
			checkStates(t, store, "missed skipped running")
		},
		"Claim": func(t *testing.T, store *redisstore.Store, _ string) {
			t.Helper()
			claimed, err := store.Claim(t.Context(), can(), at(0), 10, advance)
			if err != nil || len(claimed) != 1 || len(claimed[0].Runs) != 1 {
				t.Errorf("claimed %+v, %v; want a job with a run", claimed, err)
			}
			checkStates(t, store, "running queued running")
			if job, err := store.Job(t.Context(), "a"); err != nil || !job.NextFireTime.Equal(at(60)) {
				t.Errorf("next fire time %v, %v; want %v", job.NextFireTime, err, at(60))
			}
		},
		"TakeQueued": func(t *testing.T, store *redisstore.Store, queued string) {
			t.Helper()
			taken, _, err := store.TakeQueued(t.Context(), can(), jobcenter.DefaultExecutor, at(0), 10, start)
			if err != nil || len(taken) != 1 || taken[0].Runs[0].ID != queued || taken[0].Runs[0].Attempt != 1 {
				t.Errorf("taken %+v, %v; want the queued run", taken, err)
			}
			checkStates(t, store, "running running")
		},
		"Record": func(t *testing.T, store *redisstore.Store, _ string) {
			t.Helper()
			end := newRun("a", at(-120), jobcenter.RunSucceeded)
			chunk := jobcenter.Chunk{RunID: end.ID, Attempt: 1, Data: []byte("once")}
			if err := store.Record(t.Context(), jobcenter.Records{Output: []jobcenter.Chunk{chunk}}); err != nil {
				t.Error(err)
			}
			if err := store.Record(t.Context(), jobcenter.Records{Ends: []jobcenter.Run{end}}); err != nil {
				t.Error(err)
			}
			checkStates(t, store, "queued succeeded")
			if chunks, err := store.Output(t.Context(), end.ID, 0, 100); err != nil || len(chunks) != 1 {
				t.Errorf("%d chunks, %v; want one", len(chunks), err)
			}
		},
		"RequestStop": func(t *testing.T, store *redisstore.Store, queued string) {
			t.Helper()
			if run, err := store.RequestStop(t.Context(), queued, "me", at(1)); err != nil || run.State != jobcenter.RunStopped {
				t.Errorf("run is %s, %v; want stopped", run.State, err)
			}
			checkStates(t, store, "stopped running")
		},
	}
}

// TestDeadServer is about a server that takes what is sent and never answers.
func TestDeadServer(t *testing.T) {
	t.Parallel()
	p := startProxy(t)
	store := open(t, p.url, redisstore.Options{Prefix: newPrefix(t), Timeout: 2 * time.Second})
	defer func() { _ = store.Close() }()
	add(t, store, minutely(t, "a"))
	p.dead.Store(true)
	var group sync.WaitGroup
	for name, call := range map[string]func() error{
		"Job":       func() error { _, err := store.Job(t.Context(), "a"); return err },
		"Claim":     func() error { _, err := store.Claim(t.Context(), can(), at(0), 1, advance); return err },
		"Heartbeat": func() error { return store.Heartbeat(t.Context(), "node", at(1)) },
		"Record":    func() error { return store.Record(t.Context(), jobcenter.Records{}) },
		"AddJobs": func() error {
			return store.AddJobs(t.Context(), func() ([]jobcenter.Job, error) { return []jobcenter.Job{minutely(t, "b")}, nil })
		},
	} {
		group.Go(func() {
			if err := call(); err == nil || !strings.Contains(err.Error(), "no answer within 2s") {
				t.Errorf("%s: error %v, want that there was no answer", name, err)
			}
		})
	}
	group.Wait()
	p.dead.Store(false)
	p.cut()
	claimed, err := store.Claim(t.Context(), can(), at(0), 1, advance)
	if err != nil || len(claimed) != 1 {
		t.Errorf("claimed %v, %v, once the server is back", claimed, err)
	}
}
