package torture

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"time"
)

// chaos is what happens to the schedulers, to the server and to what is
// between them.
type chaos struct {
	random *rand.Rand
	*schedulers
	server *server                     // nil for a file
	lock   func(d time.Duration) error // holds a file's write lock; nil for a server
	diary  io.Writer
	pace   time.Duration // between happenings, at most

	going sync.WaitGroup
	busy  sync.Mutex // held while the server is down

	mu      sync.Mutex
	counts  map[string]int
	repairs []repair
}

// repair is the end of a disturbance of all schedulers.
type repair struct {
	what string
	at   int64
}

// A happening starts something and returns; what takes longer goes on beside
// it. It is false if that cannot happen now.
type happening struct {
	name  string
	start func() bool
}

func (c *chaos) happenings() []happening {
	list := []happening{
		{"kill", c.kill},
		{"kill", c.kill},
		{"stop", func() bool { return c.stop(c.lease+c.upTo(2*c.lease), false) }},
		{"stop and kill", func() bool { return c.stop(c.lease+c.upTo(c.lease), true) }},
		{"stop for a moment", func() bool { return c.stop(c.upTo(c.lease/2), false) }},
		{"terminate", c.terminate},
	}
	if c.lock != nil {
		list = append(list,
			happening{"lock", func() bool { return c.holdLock(c.upTo(c.lease / 2)) }},
			happening{"lock", func() bool { return c.holdLock(c.lease + c.upTo(c.lease)) }},
		)
	}
	if c.server != nil {
		list = append(list, c.serverHappenings()...)
	}
	return list
}

// serverHappenings are those of a server and of the networks to it.
func (c *chaos) serverHappenings() []happening {
	lose := func(what string, part int, of func(p *proxy) *harm) func() bool {
		return func() bool {
			n := 1 + c.random.IntN(4)
			return c.network(fmt.Sprintf("%s, %d", what, n), c.upTo(c.lease), func(p *proxy) { *of(p) = harm{n, part} })
		}
	}
	requests := func(p *proxy) *harm { return &p.requests }
	answers := func(p *proxy) *harm { return &p.answers }
	return []happening{
		{"server killed", func() bool { return c.restart(true, c.upTo(c.lease/2)) }},
		{"server killed", func() bool { return c.restart(true, c.lease+c.upTo(c.lease)) }},
		{"server ended", func() bool { return c.restart(false, c.upTo(c.lease/2)) }},
		{"cut", func() bool { return c.network("cut", 0, func(p *proxy) { p.cutAll() }) }},
		{"refuse", func() bool {
			return c.network("refuse", c.lease/2+c.upTo(2*c.lease), func(p *proxy) { p.refuse = true; p.cutAll() })
		}},
		{"delay", func() bool {
			d := 5*time.Millisecond + c.upTo(100*time.Millisecond)
			return c.network(fmt.Sprint("delay of ", d), c.upTo(2*c.lease), func(p *proxy) { p.delay = d })
		}},
		{"stall", func() bool { return c.network("stall", c.upTo(c.lease/2), (*proxy).stall) }},
		{"stall", func() bool { return c.network("stall", c.lease+c.upTo(c.lease), (*proxy).stall) }},
		{"lost requests", lose("lost requests", 0, requests)},
		{"lost answers", lose("lost answers", 0, answers)},
		{"lost answers", lose("lost answers", 0, answers)},
		{"torn requests", lose("torn requests", 2, requests)},
		{"torn answers", lose("torn answers", 2, answers)},
	}
}

// upTo is a chance duration.
func (c *chaos) upTo(d time.Duration) time.Duration { return time.Duration(c.random.Int64N(int64(d))) }

// run makes things happen until ctx ends, each kind once before any comes
// again, and returns when all is as it was before.
func (c *chaos) run(ctx context.Context) {
	var bag []happening
	for wait(ctx, 200*time.Millisecond+c.upTo(c.pace)) {
		if len(bag) == 0 {
			bag = c.happenings()
			c.random.Shuffle(len(bag), func(i, j int) { bag[i], bag[j] = bag[j], bag[i] })
		}
		next := bag[0]
		bag = bag[1:]
		if next.start() {
			c.mu.Lock()
			c.counts[next.name]++
			c.mu.Unlock()
		}
	}
	c.going.Wait()
}

// wait waits; false if ctx ended first.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// say writes into the diary.
func (c *chaos) say(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Fprintf(c.diary, "%s %s\n", time.Now().UTC().Format("15:04:05.000000"), fmt.Sprintf(format, args...))
}

func (c *chaos) repaired(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.repairs = append(c.repairs, repair{what, now()})
}

// to does something to a scheduler to which nothing else happens, beside what
// happens next.
func (c *chaos) to(do func(in *slot, p *process)) bool {
	for _, i := range c.random.Perm(len(c.slots)) {
		if in := c.slots[i]; in.mu.TryLock() {
			c.going.Go(func() {
				defer in.mu.Unlock()
				do(in, in.current)
			})
			return true
		}
	}
	return false
}

// node is the name for the next process of a slot: that of the last one, or
// another.
func (c *chaos) node() func(p *process) string {
	same := c.random.IntN(2) == 0
	return func(p *process) string {
		if same {
			return p.node
		}
		return ""
	}
}

func (c *chaos) kill() bool {
	node, pause := c.node(), c.upTo(2*time.Second)
	return c.to(func(in *slot, p *process) {
		c.say("kill %s", p.name)
		p.kill()
		<-time.After(pause)
		c.start(in, node(p))
		c.say("started %s as node %s", in.current.name, in.current.node)
	})
}

func (c *chaos) stop(d time.Duration, kill bool) bool {
	node := c.node()
	return c.to(func(in *slot, p *process) {
		c.say("stop %s for %s", p.name, d)
		p.stop()
		<-time.After(d)
		if !kill {
			p.goOn()
			c.say("%s goes on", p.name)
			return
		}
		c.say("kill %s, which is stopped", p.name)
		p.kill()
		c.start(in, node(p))
		c.say("started %s as node %s", in.current.name, in.current.node)
	})
}

// patience is how long a scheduler that is told to end may take: the store may
// not answer, and it gives up its runs after 30 s then.
const patience = time.Minute

func (c *chaos) terminate() bool {
	node := c.node()
	return c.to(func(in *slot, p *process) {
		c.say("terminate %s", p.name)
		if !p.terminate(patience) {
			c.t.Errorf("scheduler %s did not end well when it was told to: %v", p.name, p.err)
		}
		c.start(in, node(p))
		c.say("started %s as node %s", in.current.name, in.current.node)
	})
}

func (c *chaos) holdLock(d time.Duration) bool {
	if !c.busy.TryLock() {
		return false
	}
	c.going.Go(func() {
		defer c.busy.Unlock()
		c.say("lock the file for %s", d)
		if err := c.lock(d); err != nil {
			c.say("lock: %v", err) // a scheduler that was stopped holds it
			return
		}
		c.say("unlocked")
		c.repaired("lock")
	})
	return true
}

// restart kills the server, or has it end, and starts it again after a while.
func (c *chaos) restart(kill bool, d time.Duration) bool {
	if !c.busy.TryLock() {
		return false
	}
	c.going.Go(func() {
		defer c.busy.Unlock()
		if kill {
			c.say("kill the server, for %s", d)
			c.server.kill()
		} else {
			c.say("end the server, for %s", d)
			if !c.server.stop() {
				c.say("it did not end in %s, and was killed", serverPatience)
			}
		}
		<-time.After(d)
		if err := c.server.startAgain(); err != nil {
			c.t.Errorf("the server does not start again: %v", err)
			return
		}
		c.say("the server is back")
		c.repaired("server")
	})
	return true
}

// network does something to the network of a scheduler to whose network
// nothing else happens, and makes a good one of it after a while.
func (c *chaos) network(what string, d time.Duration, change func(p *proxy)) bool {
	for _, i := range c.random.Perm(len(c.slots)) {
		in := c.slots[i]
		if !in.proxy.busy.TryLock() {
			continue
		}
		c.going.Go(func() {
			defer in.proxy.busy.Unlock()
			c.say("network of %s: %s, for %s", in.name, what, d)
			in.proxy.set(func() { change(in.proxy) })
			<-time.After(d)
			in.proxy.calm()
			c.say("network of %s is good", in.name)
		})
		return true
	}
	return false
}
