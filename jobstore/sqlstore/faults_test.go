package sqlstore_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/jobcenter-go/jobcenter"
)

// wire stands between a store and its server.
type wire struct {
	listener net.Listener
	server   string

	mu     sync.Mutex
	conns  []net.Conn
	silent bool // what the server answers is not handed on
}

// newWire makes a wire to the server of a URL, and returns the URL through it.
func newWire(t *testing.T, text string) (*wire, string) {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal("the server's URL cannot be read")
	}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{listener: listener, server: u.Host}
	u.Host = listener.Addr().String()
	go w.accept()
	t.Cleanup(func() {
		closeIt(t, listener)
		w.cut()
	})
	return w, u.String()
}

func (w *wire) accept() {
	for {
		near, err := w.listener.Accept()
		if err != nil {
			return
		}
		far, err := new(net.Dialer).DialContext(context.Background(), "tcp", w.server)
		if err != nil {
			_ = near.Close()
			continue
		}
		w.mu.Lock()
		w.conns = append(w.conns, near, far)
		w.mu.Unlock()
		go func() { _, _ = io.Copy(far, near) }()
		go w.answer(near, far)
	}
}

func (w *wire) answer(near, far net.Conn) {
	buffer := make([]byte, 1<<16)
	for {
		n, err := far.Read(buffer)
		w.mu.Lock()
		silent := w.silent
		w.mu.Unlock()
		if !silent {
			_, err2 := near.Write(buffer[:n])
			err = errors.Join(err, err2)
		}
		if err != nil {
			_, _ = near.Close(), far.Close()
			return
		}
	}
}

// cut closes all connections; new ones are let through.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, conn := range w.conns {
		_ = conn.Close()
	}
	w.conns = nil
}

func (w *wire) silence() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.silent = true
}

// A connection that is lost in the middle of a transaction is an error that
// leaves nothing behind, and the next call finds the server again.
func TestLostConnection(t *testing.T) {
	t.Parallel()
	for _, on := range servers()[1:] {
		t.Run(on.kind, func(t *testing.T) {
			t.Parallel()
			on.start(t)
			wire, url := newWire(t, on.create(t))
			store := openURL(t, url)
			defer closeIt(t, store)
			if err := addJob(t.Context(), store, minutely(t, "a")); err != nil {
				t.Fatal(err)
			}
			run := jobcenter.Run{ID: "r", JobID: "a", FireTime: base(), LastFireTime: base(), FireCount: 1, State: jobcenter.RunRunning, Attempt: 1}
			decide := func(jobcenter.Job, jobcenter.Active) jobcenter.Decision {
				return jobcenter.Decision{Next: base().Add(time.Minute), Runs: []jobcenter.Run{run}}
			}
			if _, err := store.Claim(t.Context(), can(), base(), 1, func(job jobcenter.Job, active jobcenter.Active) jobcenter.Decision {
				wire.cut()
				return decide(job, active)
			}); err == nil {
				t.Error("a claim whose connection was lost is no error")
			}
			if _, err := store.Run(t.Context(), "r"); !errors.Is(err, jobcenter.ErrRunNotFound) {
				t.Errorf("run: %v, want none", err)
			}
			claimed, err := store.Claim(t.Context(), can(), base(), 1, decide)
			if err != nil || len(claimed) != 1 || len(claimed[0].Runs) != 1 {
				t.Errorf("claimed %+v, %v; want the job again", claimed, err)
			}
			wire.cut() // connections that are not in use
			if _, err := store.Job(t.Context(), "a"); err != nil {
				t.Errorf("job: %v", err)
			}
			end := run
			end.State, end.EndedAt = jobcenter.RunSucceeded, base()
			wire.cut()
			if err := store.Record(t.Context(), jobcenter.Records{Ends: []jobcenter.Run{end}}); err != nil {
				t.Errorf("record: %v", err)
			}
		})
	}
}

// A server that answers no more does not hold a call for longer than its
// context, nor the end of the store.
func TestSilentServer(t *testing.T) {
	t.Parallel()
	for _, on := range servers()[1:] {
		t.Run(on.kind, func(t *testing.T) {
			t.Parallel()
			on.start(t)
			wire, url := newWire(t, on.create(t))
			store := openURL(t, url)
			defer closeIt(t, store)
			if err := addJob(t.Context(), store, minutely(t, "a")); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			_, err := store.Claim(ctx, can(), base(), 1, func(jobcenter.Job, jobcenter.Active) jobcenter.Decision {
				wire.silence()
				time.AfterFunc(time.Millisecond, cancel)
				return jobcenter.Decision{Next: base().Add(time.Minute)}
			})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("claim: %v, want the error of the context", err)
			}
			ctx, cancel = context.WithCancel(t.Context())
			time.AfterFunc(time.Millisecond, cancel)
			if _, err := store.Job(ctx, "a"); !errors.Is(err, context.Canceled) {
				t.Errorf("job: %v, want the error of the context", err)
			}
		})
	}
}
