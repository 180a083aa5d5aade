package torture

import (
	"net"
	"sync"
	"testing"
	"time"
)

// proxy stands between one scheduler and the server, and does what networks do.
type proxy struct {
	server   string
	listener net.Listener
	serving  sync.WaitGroup
	busy     sync.Mutex // held by what happens to it

	mu       sync.Mutex
	links    map[*link]bool
	refuse   bool
	delay    time.Duration
	stalled  chan struct{} // closed when bytes pass again; nil while they do
	requests harm
	answers  harm
	cuts     int // connections that were cut
}

// harm is what becomes of the next messages of a direction.
type harm struct {
	count int // of so many messages
	part  int // 1 in part of its bytes is passed on before the cut; 0: none
}

// link is one connection through the proxy.
type link struct{ client, server net.Conn }

func (l *link) close() {
	_ = l.client.Close()
	_ = l.server.Close()
}

func newProxy(t *testing.T, server string) *proxy {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{server: server, listener: listener, links: map[*link]bool{}}
	p.serving.Go(p.serve)
	t.Cleanup(func() {
		_ = listener.Close()
		p.calm()
		p.set(p.cutAll)
		p.serving.Wait()
	})
	return p
}

func (p *proxy) address() string { return p.listener.Addr().String() }

func (p *proxy) serve() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.serving.Go(func() { p.connect(client) })
	}
}

func (p *proxy) connect(client net.Conn) {
	server, err := net.DialTimeout("tcp", p.server, 5*time.Second) //nolint:noctx // the connection outlives no context
	if err != nil {
		_ = client.Close()
		return
	}
	l := &link{client, server}
	p.mu.Lock()
	if p.refuse {
		p.mu.Unlock()
		l.close()
		return
	}
	p.links[l] = true
	p.mu.Unlock()
	defer func() {
		l.close()
		p.mu.Lock()
		delete(p.links, l)
		p.mu.Unlock()
	}()
	answers := make(chan struct{})
	go func() {
		defer close(answers)
		p.carry(l, l.server, l.client, &p.answers)
	}()
	p.carry(l, l.client, l.server, &p.requests)
	<-answers
}

// carry passes on what comes, until either side closes.
func (p *proxy) carry(l *link, from, to net.Conn, harm *harm) {
	defer l.close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		p.mu.Lock()
		delay, stalled, cut, part := p.delay, p.stalled, harm.count > 0, harm.part
		if cut {
			harm.count--
			p.cuts++
		}
		p.mu.Unlock()
		if stalled != nil {
			<-stalled
		}
		if delay > 0 {
			<-time.After(delay)
		}
		if cut {
			if part > 0 {
				_, _ = to.Write(buffer[:n/part]) // the other side may be gone as well
			}
			return
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// cutAll ends all connections, under the lock.
func (p *proxy) cutAll() {
	for l := range p.links {
		l.close()
		p.cuts++
	}
}

// stall holds back all bytes until calm, under the lock.
func (p *proxy) stall() {
	if p.stalled == nil {
		p.stalled = make(chan struct{})
	}
}

func (p *proxy) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

// calm makes a good network of it.
func (p *proxy) calm() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stalled != nil {
		close(p.stalled)
		p.stalled = nil
	}
	p.refuse, p.delay, p.requests, p.answers = false, 0, harm{}, harm{}
}
