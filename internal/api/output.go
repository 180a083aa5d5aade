package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/jobcenter-go/jobcenter"
)

// outputPiece is how much of a run's output is read from the store at once.
const outputPiece = 256 << 10

type outputInput struct {
	RunRef
	Stream string `query:"stream" enum:"stdout,stderr" doc:"Only this one. Left out: both, as they came."`
}

// output serves what is kept of a run's output, as of now.
func (s *server) output(ctx context.Context, in *outputInput) (func(http.ResponseWriter, *http.Request), error) {
	actor := actorOf(ctx)
	run, err := s.svc.Run(ctx, actor, in.ID)
	if err != nil {
		return nil, err
	}
	reader := &outputReader{
		ctx: ctx, stream: jobcenter.Stream(in.Stream),
		read: func(offset int64) ([]jobcenter.Chunk, error) {
			return s.svc.Output(ctx, actor, run.ID, offset, outputPiece)
		},
	}
	if err := reader.survey(run.Run); err != nil {
		return nil, err
	}
	return func(w http.ResponseWriter, r *http.Request) {
		if run.State.Final() {
			w.Header().Set("ETag", strconv.Quote(run.ID+"/"+in.Stream))
		}
		http.ServeContent(patientWriter{w}, r, "", time.Time{}, reader)
	}, nil
}

// patientWriter gives the client time for each piece instead of for the whole.
type patientWriter struct{ http.ResponseWriter }

func (w patientWriter) Write(b []byte) (int, error) {
	_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(answerTime)) // not every writer has one
	return w.ResponseWriter.Write(b)
}

// section is a part of the text that is served: kept output, or the note on
// a gap.
type section struct {
	at, size int64  // in the text
	offset   int64  // in the output; of a note: meaningless
	note     string // empty: kept output
}

// outputReader reads a run's kept output as one text with a line for each
// gap. It holds one piece of the output at a time.
type outputReader struct {
	ctx      context.Context //nolint:containedctx // a reader lives for one request
	stream   jobcenter.Stream
	read     func(offset int64) ([]jobcenter.Chunk, error)
	sections []section
	size     int64 // of the text
	pos      int64 // in the text

	// held is a stretch of output that was read, at heldAt in the text.
	held   []byte
	heldAt int64
}

// survey finds out what the text consists of.
func (o *outputReader) survey(run jobcenter.Run) error {
	if run.State.Final() && run.OutputKept == run.OutputSize && o.stream == "" {
		o.add(section{size: run.OutputSize}) // nothing is missing
		return nil
	}
	var end int64 // of what was looked at, in the output
	for {
		chunks, err := o.read(end)
		if err != nil {
			return err
		}
		for _, chunk := range chunks {
			if chunk.Offset > end {
				o.addGap(chunk.Offset - end)
			}
			if o.stream == "" || chunk.Stream == o.stream {
				o.add(section{size: int64(len(chunk.Data)), offset: chunk.Offset})
			}
			end = chunk.Offset + int64(len(chunk.Data))
		}
		if len(chunks) == 0 {
			if run.State.Final() && run.OutputSize > end {
				o.addGap(run.OutputSize - end)
			}
			return nil
		}
	}
}

func (o *outputReader) addGap(n int64) {
	note := fmt.Sprintf("\n[… %d bytes not kept …]\n", n)
	o.add(section{size: int64(len(note)), note: note})
}

// add appends a section, to the last one if it simply goes on.
func (o *outputReader) add(next section) {
	if next.size == 0 {
		return
	}
	next.at = o.size
	o.size += next.size
	if n := len(o.sections); n > 0 && next.note == "" {
		last := &o.sections[n-1]
		if last.note == "" && last.offset+last.size == next.offset {
			last.size += next.size
			return
		}
	}
	o.sections = append(o.sections, next)
}

// Seek sets where the next Read begins.
func (o *outputReader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		offset += o.pos
	case io.SeekEnd:
		offset += o.size
	default:
		return 0, errors.New("seek: unknown whence")
	}
	if offset < 0 {
		return 0, errors.New("seek: before the beginning")
	}
	o.pos = offset
	return offset, nil
}

// Read reads from where the last one ended.
func (o *outputReader) Read(p []byte) (int, error) {
	if o.pos >= o.size {
		return 0, io.EOF
	}
	if o.pos < o.heldAt || o.pos >= o.heldAt+int64(len(o.held)) {
		if err := o.load(); err != nil {
			return 0, err
		}
	}
	n := copy(p, o.held[o.pos-o.heldAt:])
	o.pos += int64(n)
	return n, nil
}

// load holds the stretch of the text at pos.
func (o *outputReader) load() error {
	if err := o.ctx.Err(); err != nil {
		return err
	}
	s := o.sectionAt(o.pos)
	if s.note != "" {
		o.held, o.heldAt = []byte(s.note), s.at
		return nil
	}
	offset := s.offset + o.pos - s.at
	chunks, err := o.read(offset)
	if err != nil {
		return err
	}
	// Sections with no note between them are one stretch of the text: with a
	// stream left out, a section may be as short as a byte.
	o.held, o.heldAt = o.held[:0], o.pos
	for _, chunk := range chunks {
		skip := max(offset-chunk.Offset, 0)
		if chunk.Offset > offset || skip >= int64(len(chunk.Data)) {
			break
		}
		if o.stream == "" || chunk.Stream == o.stream {
			o.held = append(o.held, chunk.Data[skip:]...)
		}
		offset = chunk.Offset + int64(len(chunk.Data))
	}
	// What came since the survey is not part of the text.
	o.held = o.held[:min(int64(len(o.held)), o.size-o.pos)]
	if len(o.held) == 0 {
		return fmt.Errorf("output at %d has gone meanwhile", offset)
	}
	return nil
}

func (o *outputReader) sectionAt(pos int64) section {
	low, high := 0, len(o.sections)
	for high-low > 1 {
		if middle := (low + high) / 2; o.sections[middle].at <= pos {
			low = middle
		} else {
			high = middle
		}
	}
	return o.sections[low]
}
