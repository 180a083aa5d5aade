package jobcenter_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jobcenter-go/jobcenter"
)

// lateStop is a store at which somebody asks for a stop just before the end of
// an attempt is recorded.
type lateStop struct {
	jobcenter.JobStore
}

func (s *lateStop) Record(ctx context.Context, records jobcenter.Records) error {
	for _, end := range records.Ends {
		if end.State == jobcenter.RunQueued {
			if _, err := s.RequestStop(ctx, end.ID, "stopped by li", time.Now()); err != nil {
				return err
			}
		}
	}
	return s.JobStore.Record(ctx, records)
}

// A stop that is asked for just when an attempt fails is not lost.
func TestStopBetweenTwoAttempts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := start(t, jobcenter.Options{Store: &lateStop{jobcenter.NewMemoryStore(0)}}, func(context.Context, *jobcenter.RunContext) error {
			return errors.New("no")
		})
		b.add(jobcenter.Job{ID: "j", Trigger: never(t), Retry: jobcenter.Retry{Attempts: 5, Delay: time.Minute}})
		if _, err := b.RunNow(t.Context(), "j", jobcenter.StartOptions{}); err != nil {
			t.Fatal(err)
		}
		b.wait(time.Hour)
		if run := b.only("j"); run.State != jobcenter.RunStopped || run.Reason != jobcenter.ReasonStop || run.Attempt != 1 || run.Message != "stopped by li" {
			t.Errorf("run = %+v", run)
		}
	})
}
