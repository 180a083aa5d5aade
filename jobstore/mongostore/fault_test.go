package mongostore

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// fault breaks the connections of a client at one of the writes that it sends.
type fault struct {
	at    int  // the write, from 1; 0 for none
	after bool // the server has carried it out by then, and only its answer is lost
	heals bool // new connections work again; else it is as if the process had died

	mu     sync.Mutex
	writes int
	struck chan struct{} // closed when it has happened
	dead   bool
}

func (f *fault) String() string {
	name := "before"
	if f.after {
		name = "after"
	}
	if f.heals {
		return name + " and heals"
	}
	return name
}

var errBroken = errors.New("broken by the test")

// DialContext implements options.ContextDialer.
func (f *fault) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if f.isDead() {
		return nil, errBroken
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &faultyConn{Conn: conn, fault: f}, nil
}

func (f *fault) isDead() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.dead
}

func (f *fault) strike() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dead = !f.heals
	close(f.struck)
}

// arm has the fault happen from now on.
func (f *fault) arm(at int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at, f.writes, f.struck = at, 0, make(chan struct{})
}

func (f *fault) revive() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dead, f.at = false, 0
}

// isDue counts a write, and tells whether it is the one.
func (f *fault) isDue(message []byte) bool {
	if !slices.Contains([]string{"insert", "update", "delete", "findAndModify"}, commandName(message)) {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.at == 0 {
		return false
	}
	f.writes++
	return f.writes == f.at
}

// commandName is the command in a message: the name of the first field of the
// document that follows the header, flags, and the kind of the section.
func commandName(message []byte) string {
	const header, opMsg = 16, 2013
	if len(message) < header+10 || binary.LittleEndian.Uint32(message[12:]) != opMsg || message[header+4] != 0 {
		return ""
	}
	name, _, _ := bytes.Cut(message[header+10:], []byte{0})
	return string(name)
}

type faultyConn struct {
	net.Conn
	fault *fault
	mute  bool // its next answer does not arrive
}

func (c *faultyConn) Write(p []byte) (int, error) {
	if c.fault.isDead() {
		return 0, errBroken
	}
	if c.fault.isDue(p) {
		if !c.fault.after {
			c.fault.strike()
			_ = c.Close()
			return 0, errBroken
		}
		c.mute = true
	}
	return c.Conn.Write(p)
}

func (c *faultyConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	switch {
	case c.mute:
		c.mute = false
		c.fault.strike()
		_ = c.Close()
		return 0, errBroken
	case c.fault.isDead():
		return 0, errBroken
	}
	return n, err
}

// openFaulty opens a store in a database whose connections break.
func openFaulty(t *testing.T, f *fault, database string, timeout time.Duration) *Store {
	t.Helper()
	client := connect(t, options.Client().SetDialer(f).SetServerSelectionTimeout(timeout).SetMaxConnIdleTime(time.Hour))
	store, err := New(t.Context(), client.Database(database), Options{Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	return store
}
