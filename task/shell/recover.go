//go:build unix

package shell

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"

	"github.com/jobcenter-go/jobcenter"
)

// Recover ends what a run left behind when its server died, and removes its
// record and working folder. When ctx ends, it sends SIGKILL at once.
func (t *Task) Recover(ctx context.Context, run jobcenter.Run) (note string, err error) {
	if err := checkRunID(run.ID); err != nil {
		return "", fmt.Errorf("shell: recover: %w", err)
	}
	f := family{runID: run.ID}
	if f.record, err = t.readRecord(run.ID); err != nil {
		return "", fmt.Errorf("shell: recover run %s: %w", run.ID, err)
	}
	note = "no child process was found"
	if found := f.members(); len(found) > 0 {
		exited := make(chan struct{})
		close(exited) // it is another's child; only members can tell
		ended := f.end(ctx, exited, t.opts.KillGrace)
		note = recoveryNote(found, ended)
	}
	t.removeRecord(run.ID)
	if err := t.removeFolder(run.ID); err != nil {
		return note, fmt.Errorf("shell: recover run %s: remove the working folder: %w", run.ID, err)
	}
	return note, nil
}

func recoveryNote(found []process, ended ending) string {
	subject := fmt.Sprintf("child process %s was still running and ", list(found))
	verb := "was"
	if len(found) > 1 {
		subject = fmt.Sprintf("child processes %s were still running and ", list(found))
		verb = "were"
	}
	switch {
	case len(ended.left) > 0:
		return subject + "could not be ended: " + list(ended.left)
	case ended.signal == syscall.SIGKILL:
		return fmt.Sprintf("%s%s ended with SIGKILL after %s", subject, verb, seconds(ended.after))
	default:
		return fmt.Sprintf("%s%s ended with SIGTERM", subject, verb)
	}
}

func recordName(runID string) string { return filepath.Join(processFolder, runID+".json") }

// writeRecord keeps a running family in a file. It need not survive the
// machine, so it is not synced, nor be whole if the server dies while it is
// written: a broken record counts as none.
func (t *Task) writeRecord(f *family) error {
	data, err := json.Marshal(f.record)
	if err != nil {
		return err
	}
	return t.root.WriteFile(recordName(f.runID), data, 0o600)
}

// readRecord returns the zero record if there is none.
func (t *Task) readRecord(runID string) (r record, err error) {
	data, err := t.root.ReadFile(recordName(runID))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return record{}, nil
	case err != nil:
		return record{}, err
	}
	if json.Unmarshal(data, &r) != nil || r.PID <= 1 {
		r = record{} // proves nothing, like none
	}
	return r, nil
}

func (t *Task) removeRecord(runID string) { _ = t.root.Remove(recordName(runID)) }
