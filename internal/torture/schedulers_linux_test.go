package torture

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is a scheduler process that is or was.
type process struct {
	name    string // unique
	node    string
	journal string // file name
	command *exec.Cmd
	exited  chan struct{} // closed when it has
	err     error         // of its exit

	mu      sync.Mutex
	began   int64
	meant   bool  // it was told to end
	ended   int64 // when it was told so, at the latest; 0 while it was not
	killed  bool
	stopped []span  // SIGSTOP to SIGCONT
	leases  []lease // these two are from its journal
	first   int64   // when it was first given a run; 0: never
}

// span is a stretch of time; its end is 0 while it lasts.
type span struct{ from, to int64 }

// slot is a place for a scheduler, in which one process follows the other.
type slot struct {
	name  string
	proxy *proxy // nil for a file
	url   string

	mu      sync.Mutex // held by what happens to the process
	current *process
	count   int // processes so far
}

// schedulers are the processes of the test.
type schedulers struct {
	t      *testing.T
	folder string
	store  string
	lease  time.Duration
	poll   time.Duration
	pool   int
	log    *os.File // what they say
	slots  []*slot

	mu  sync.Mutex
	all []*process
}

// start starts the next process of a slot, under the name of its last node or,
// if that is empty, another one.
func (s *schedulers) start(in *slot, node string) {
	in.count++
	p := &process{name: fmt.Sprintf("%s%d", in.name, in.count), node: node, exited: make(chan struct{}), began: now()}
	if p.node == "" {
		p.node = p.name
	}
	p.journal = p.name + ".journal"
	text, err := json.Marshal(order{
		Store: s.store, URL: in.url, Node: p.node, Process: p.name, Journal: filepath.Join(s.folder, p.journal), Lease: s.lease, Poll: s.poll, Pool: s.pool,
	})
	if err != nil {
		panic(err)
	}
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	p.command = exec.Command(self) //nolint:noctx // it is ended by the test, and with it
	p.command.Env = append(os.Environ(), schedulerEnv+"="+string(text))
	p.command.Stdout, p.command.Stderr = s.log, s.log
	p.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.command.Start(); err != nil {
		s.t.Errorf("start scheduler %s: %v", p.name, err)
		close(p.exited)
		return
	}
	in.current = p
	s.mu.Lock()
	s.all = append(s.all, p)
	s.mu.Unlock()
	go func() {
		p.err = p.command.Wait()
		p.mu.Lock()
		if !p.meant {
			s.t.Errorf("scheduler %s ended by itself: %v", p.name, p.err)
			p.ended = now()
		}
		p.mu.Unlock()
		close(p.exited)
	}()
}

func now() int64 { return time.Now().UnixMicro() }

func (p *process) signal(sig syscall.Signal) { _ = p.command.Process.Signal(sig) } // it may be gone already

// kill kills the process and waits for its end.
func (p *process) kill() {
	p.mu.Lock()
	p.meant, p.killed = true, true
	if p.ended == 0 {
		p.ended = now()
	}
	p.mu.Unlock()
	p.signal(syscall.SIGKILL)
	<-p.exited
}

// terminate tells the process to end, and says whether it did so in time.
func (p *process) terminate(patience time.Duration) bool {
	p.mu.Lock()
	p.meant = true
	p.mu.Unlock()
	p.signal(syscall.SIGTERM)
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-p.exited:
		p.mu.Lock()
		p.ended = now()
		p.mu.Unlock()
		return p.err == nil
	case <-timer.C:
		p.kill()
		return false
	}
}

// stop stops the process as it is.
func (p *process) stop() {
	p.mu.Lock()
	p.stopped = append(p.stopped, span{from: now()})
	p.mu.Unlock()
	p.signal(syscall.SIGSTOP)
}

// goOn lets a stopped process go on.
func (p *process) goOn() {
	p.signal(syscall.SIGCONT)
	p.mu.Lock()
	p.stopped[len(p.stopped)-1].to = now()
	p.mu.Unlock()
}

// processes are all that were started.
func (s *schedulers) processes() []*process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*process(nil), s.all...)
}

// killAll kills what is left.
func (s *schedulers) killAll() {
	for _, p := range s.processes() {
		select {
		case <-p.exited:
		default:
			p.kill()
		}
	}
}

// died reports whether the process had ended by an instant, or had been
// without a lease that the store acknowledged at some time since another.
func (p *process) died(from, by int64) bool {
	if p.ended != 0 && p.ended <= by {
		return true
	}
	until := int64(0)
	for _, l := range p.leases {
		if l.at > by {
			break
		}
		if l.at > from && until < l.at { // between the two there was none
			return true
		}
		until = max(until, l.until)
	}
	return until <= by
}
