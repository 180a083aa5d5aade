package sqlkit

import (
	"errors"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

func TestPromptConn(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		begin func(c net.Conn) error
		call  func(c net.Conn) error
		want  time.Duration
	}{
		"a read":             {nil, read, answerTimeout},
		"a write":            {nil, write, answerTimeout},
		"a deadline before":  {func(c net.Conn) error { return c.SetDeadline(time.Now().Add(time.Second)) }, read, time.Second},
		"a deadline of long": {func(c net.Conn) error { return c.SetReadDeadline(time.Now().Add(time.Hour)) }, read, answerTimeout},
		"a write deadline":   {func(c net.Conn) error { return c.SetWriteDeadline(time.Now().Add(time.Second)) }, write, time.Second},
		"the other deadline": {func(c net.Conn) error { return c.SetWriteDeadline(time.Now().Add(time.Second)) }, read, answerTimeout},
		"a deadline that is taken back": {func(c net.Conn) error {
			return errors.Join(c.SetDeadline(time.Now().Add(time.Second)), c.SetDeadline(time.Time{}))
		}, read, answerTimeout},
		"a deadline that comes meanwhile": {func(c net.Conn) error {
			time.AfterFunc(time.Second, func() { _ = c.SetDeadline(time.Now()) })
			return nil
		}, read, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				near, far := net.Pipe() // nobody reads or writes at the far end
				defer func() { _, _ = near.Close(), far.Close() }()
				conn := &promptConn{Conn: near}
				if test.begin != nil {
					if err := test.begin(conn); err != nil {
						t.Fatal(err)
					}
				}
				start := time.Now()
				if err := test.call(conn); !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("error %v, want a timeout", err)
				}
				if took := time.Since(start); took != test.want {
					t.Errorf("after %v, want %v", took, test.want)
				}
			})
		})
	}
}

func read(c net.Conn) error {
	_, err := c.Read(make([]byte, 1))
	return err
}

func write(c net.Conn) error {
	_, err := c.Write([]byte("x"))
	return err
}
