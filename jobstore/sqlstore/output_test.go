package sqlstore_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/jobstore/sqlstore"
	"github.com/jobcenter-go/jobcenter/trigger"
)

// Of many small chunks no more may be in memory at once than of few large ones.
func TestSmallChunksAreReadInSteps(t *testing.T) {
	t.Parallel()
	store, err := sqlstore.Open(t.Context(), filepath.Join(t.TempDir(), "jobs.db"), sqlstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	at := time.Now()
	date, err := trigger.NewDate(at)
	if err != nil {
		t.Fatal(err)
	}
	if err := addJob(t.Context(), store, jobcenter.Job{ID: "j", Task: "work", Trigger: date}); err != nil {
		t.Fatal(err)
	}
	run := jobcenter.Run{ID: "r", JobID: "j", FireTime: at, LastFireTime: at, FireCount: 1, State: jobcenter.RunRunning, Attempt: 1, StartedAt: at}
	if _, err := store.UpdateJob(t.Context(), "j", func(job jobcenter.Job, _ jobcenter.Active) (jobcenter.Job, []jobcenter.Run, error) {
		return job, []jobcenter.Run{run}, nil
	}); err != nil {
		t.Fatal(err)
	}
	const size, most = 10_000, 5000
	streams := []jobcenter.Stream{jobcenter.Stdout, jobcenter.Stderr}
	var records jobcenter.Records
	for i := range int64(size) {
		records.Output = append(records.Output, jobcenter.Chunk{RunID: "r", Attempt: 1, Offset: i, Stream: streams[i%2], At: at, Data: []byte{byte(i)}})
	}
	if err := store.Record(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	for offset := int64(0); ; {
		chunks, err := store.Output(t.Context(), "r", offset, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if len(chunks) > most {
			t.Fatalf("%d chunks at once, want at most %d", len(chunks), most)
		}
		for _, chunk := range chunks {
			if chunk.Offset != offset || chunk.Data[0] != byte(offset) || chunk.Stream != streams[offset%2] {
				t.Fatalf("at %d: %+v", offset, chunk)
			}
			offset++
		}
		if len(chunks) == 0 {
			if offset != size {
				t.Errorf("ended at %d, want %d", offset, size)
			}
			return
		}
	}
}
