//go:build unix

package process

import (
	"bytes"
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// pipeSize is as much as an ordinary user can make a pipe hold.
const pipeSize = 1 << 20

// stream carries what the child writes to where the run's output goes.
type stream struct {
	from *os.File
	to   io.Writer // nil: nowhere
	// err is why to took no more. The stream is read on nevertheless, so
	// that the child does not block.
	err error
	// held tells that copying ended while somebody could still write.
	held bool
	// watched is for stderr: fatal is then the last line that says of a fatal
	// error, and line the beginning of the one that is being written.
	watched bool
	fatal   string
	line    []byte
}

// copy returns when nobody holds the pipe's other end any more, or when the
// read deadline has passed; then all that had been written by then is copied.
func (s *stream) copy() {
	buf := make([]byte, 32<<10)
	for {
		n, err := s.from.Read(buf)
		s.write(buf[:n])
		if errors.Is(err, os.ErrDeadlineExceeded) {
			s.drain(buf)
			return
		}
		if err != nil {
			return
		}
	}
}

// drain takes what is in the pipe without waiting for more: the deadline may
// have passed while to was slow.
func (s *stream) drain(buf []byte) {
	conn, err := s.from.SyscallConn()
	if err != nil {
		return
	}
	s.held = true
	for total := 0; s.held && total < pipeSize; {
		var n int
		var err error
		// Not Read, which would mind the deadline.
		if e := conn.Control(func(fd uintptr) { n, err = unix.Read(int(fd), buf) }); e != nil {
			return
		}
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil: // EAGAIN: empty, but not closed
			return
		case n == 0:
			s.held = false
		default:
			s.write(buf[:n])
			total += n
		}
	}
}

func (s *stream) write(p []byte) {
	if s.err == nil && s.to != nil && len(p) > 0 {
		_, s.err = s.to.Write(p)
	}
	if s.watched {
		s.watch(p)
	}
}

func (s *stream) watch(p []byte) {
	const enough = 500 // of a line
	for len(p) > 0 {
		part, rest, whole := bytes.Cut(p, []byte("\n"))
		s.line = append(s.line, part[:min(len(part), enough-len(s.line))]...)
		if p = rest; whole {
			if bytes.HasPrefix(s.line, []byte("fatal error: ")) {
				s.fatal = string(s.line)
			}
			s.line = s.line[:0]
		}
	}
}
