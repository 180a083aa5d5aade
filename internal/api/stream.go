package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/internal/service"
)

const (
	// streamPoll is how often the store is asked although nothing woke the
	// stream: the run may be another server's.
	streamPoll = time.Second
	// streamKeepAlive is how long a stream is silent at most, so that
	// proxies do not take it for dead.
	streamKeepAlive = 15 * time.Second
	// streamPiece is how much output is read from the store at once.
	streamPiece = 64 << 10
	// streamPatience is how long a reader may take for one event.
	streamPatience = 30 * time.Second
)

type followInput struct {
	RunRef
	LastEventID string `header:"Last-Event-ID" doc:"The id of the last event that was received."`
	Offset      int64  `query:"offset" minimum:"0" doc:"Where to begin, if there is no Last-Event-ID."`
}

type outputEvent struct {
	Offset int64     `json:"offset"`
	Stream string    `json:"stream"`
	At     time.Time `json:"at"`
	Data   []byte    `json:"data"` // base64
}

// follow serves a run's output as it comes. All is read from the store, so a
// slow reader holds up nobody but itself.
func (s *server) follow(ctx context.Context, in *followInput) (func(http.ResponseWriter, *http.Request), error) {
	actor := actorOf(ctx)
	run, err := s.svc.Run(ctx, actor, in.ID)
	if err != nil {
		return nil, err
	}
	offset := in.Offset
	if in.LastEventID != "" {
		if offset, err = strconv.ParseInt(in.LastEventID, 10, 64); err != nil || offset < 0 {
			return nil, newProblem(http.StatusUnprocessableEntity, string(service.Invalid), "Last-Event-ID must be an offset",
				ProblemField{Location: "header.Last-Event-ID", Message: "is not the id of an event of this stream", Value: shortValue("", in.LastEventID)})
		}
	}
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Accel-Buffering", "no")
		events := &eventWriter{w: w, control: http.NewResponseController(w)}
		stream := &outputStream{server: s, actor: actor, runID: run.ID, offset: offset, events: events}
		stream.serve(ctx) // its errors are those of a reader that has gone, or were told to it
	}, nil
}

// outputStream is where one reader of a run's output stands.
type outputStream struct {
	server *server
	actor  service.Actor
	runID  string
	offset int64
	events *eventWriter
	told   jobcenter.Run // the run as the reader knows it
}

func (o *outputStream) serve(ctx context.Context) {
	poll := time.NewTicker(streamPoll)
	defer poll.Stop()
	for {
		changed, cancel := o.server.svc.WatchRun(o.runID) // before looking, so that nothing is missed
		done, err := o.catchUp(ctx)
		if err == nil && !done && time.Since(o.events.last) >= streamKeepAlive {
			err = o.events.comment("alive")
		}
		if err != nil || done {
			cancel()
			return
		}
		select {
		case <-changed:
		case <-poll.C:
		case <-ctx.Done():
			cancel()
			return
		case <-o.server.closing:
			// The reader comes back with the last id once the server has.
			cancel()
			return
		}
		cancel()
	}
}

// catchUp tells the reader all that the store has and reports whether that
// was the end.
func (o *outputStream) catchUp(ctx context.Context) (done bool, err error) {
	run, err := o.server.svc.Run(ctx, o.actor, o.runID)
	if err != nil {
		return false, err
	}
	if o.told.ID == "" {
		if err := o.tellRun(run); err != nil {
			return false, err
		}
	}
	for {
		chunks, err := o.server.svc.Output(ctx, o.actor, o.runID, o.offset, streamPiece)
		if err != nil {
			return false, err
		}
		if len(chunks) == 0 {
			break
		}
		for _, chunk := range chunks {
			if err := o.tell(chunk); err != nil {
				return false, err
			}
		}
		select {
		case <-o.server.closing:
			return true, nil
		default:
		}
	}
	if run.State != o.told.State || run.Attempt != o.told.Attempt {
		if err := o.tellRun(run); err != nil {
			return false, err
		}
	}
	if !run.State.Final() {
		return false, nil
	}
	return true, o.events.send("", "end", runOf(run))
}

func (o *outputStream) tellRun(run service.Run) error {
	o.told = run.Run
	return o.events.send("", "run", runOf(run))
}

// tell sends a chunk, without what the reader has of it already.
func (o *outputStream) tell(chunk jobcenter.Chunk) error {
	if skip := o.offset - chunk.Offset; skip > 0 {
		chunk.Data, chunk.Offset = chunk.Data[skip:], o.offset
	}
	o.offset = chunk.Offset + int64(len(chunk.Data))
	return o.events.send(strconv.FormatInt(o.offset, 10), "output",
		outputEvent{Offset: chunk.Offset, Stream: string(chunk.Stream), At: chunk.At.UTC(), Data: chunk.Data})
}

// eventWriter writes server-sent events, each at once and within
// streamPatience.
type eventWriter struct {
	w       io.Writer
	control *http.ResponseController
	last    time.Time // when something was written
}

func (e *eventWriter) send(id, event string, data any) error {
	text, err := json.Marshal(data)
	if err != nil {
		return err
	}
	if id != "" {
		id = "id: " + id + "\n"
	}
	return e.write("%sevent: %s\ndata: %s\n\n", id, event, text)
}

func (e *eventWriter) comment(text string) error { return e.write(": %s\n\n", text) }

func (e *eventWriter) write(format string, args ...any) error {
	e.last = time.Now()
	_ = e.control.SetWriteDeadline(e.last.Add(streamPatience)) // not every writer has one
	if _, err := fmt.Fprintf(e.w, format, args...); err != nil {
		return err
	}
	return e.control.Flush()
}
