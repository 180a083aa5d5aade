//go:build unix

package shell

import (
	"errors"
	"io"
	"os"
	"syscall"
)

// pipeSize is more than a pipe can hold by default, and as much as an
// ordinary user can make it hold.
const pipeSize = 1 << 20

// stream carries what the command writes to where the run's output goes.
type stream struct {
	from *os.File
	to   io.Writer
	// err is why to took no more. The stream is read on nevertheless, so
	// that the command does not block.
	err error
	// held tells that copying ended while somebody could still write.
	held bool
}

// copy returns when nobody holds the pipe's other end any more, or when the
// read deadline has passed; then at least all that had been written by then
// is copied.
func (s *stream) copy() {
	buf := make([]byte, 32<<10)
	for {
		n, err := s.from.Read(buf)
		s.write(buf[:n])
		if errors.Is(err, os.ErrDeadlineExceeded) {
			s.drain()
			return
		}
		if err != nil {
			return
		}
	}
}

// drain takes what is in the pipe and does not wait for more. It reads past
// the deadline, which says nothing about what is there: to may have been slow.
func (s *stream) drain() {
	conn, err := s.from.SyscallConn()
	if err != nil {
		return
	}
	buf := make([]byte, 32<<10)
	s.held = true
	for total := 0; s.held && total < pipeSize; {
		var n int
		var err error
		if e := conn.Control(func(fd uintptr) { n, err = syscall.Read(int(fd), buf) }); e != nil {
			return
		}
		switch {
		case errors.Is(err, syscall.EINTR):
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
	if s.err == nil && len(p) > 0 {
		_, s.err = s.to.Write(p)
	}
}
