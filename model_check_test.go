package jobcenter_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jobcenter-go/jobcenter"
)

// check is the last look at what is left: the ledger, the jobs and what the
// schedulers told of it all.
func (w *world) check() {
	rows := w.m.checkLedger()
	for _, id := range slices.Sorted(maps.Keys(rows)) {
		w.m.checkCovered(id, rows[id])
	}
	page, err := w.store.Jobs(context.Background(), jobcenter.JobQuery{Limit: 500})
	if err != nil || len(page.Jobs) != len(w.m.jobs) {
		w.m.problem("there are %d jobs, want %d (%v)", len(page.Jobs), len(w.m.jobs), err)
	}
	for _, j := range w.m.sortedJobs() {
		w.m.compareJob(j)
	}
	for _, n := range w.m.nodes {
		n.checkEvents()
	}
}

// checkLedger compares all rows with those of the model, and returns them by
// job, oldest first.
func (m *model) checkLedger() map[string][]jobcenter.Run {
	rows := map[string][]jobcenter.Run{}
	n := 0
	for q := (jobcenter.RunQuery{Limit: 500}); ; {
		page, err := m.store.Runs(context.Background(), q)
		if err != nil {
			m.problem("list runs: %v", err)
			return nil
		}
		for i := range page.Runs {
			r := &page.Runs[i]
			n++
			rows[r.JobID] = append(rows[r.JobID], *r)
			if want := m.runs[r.ID]; want == nil {
				m.problem("row %s is nobody's", rowText(r))
			} else if diff := runDiff(&want.Run, r); diff != "" {
				m.problem("in the end row %s: %s", rowText(r), diff)
			}
			m.checkRow(r)
		}
		if q.Cursor = page.NextCursor; q.Cursor == "" {
			break
		}
	}
	if n != len(m.runs) {
		m.problem("the ledger has %d rows, want %d", n, len(m.runs))
	}
	for _, list := range rows {
		slices.Reverse(list)
	}
	return rows
}

// checkRow looks at what is true of every row.
func (m *model) checkRow(r *jobcenter.Run) {
	ran := r.State != jobcenter.RunMissed && r.State != jobcenter.RunSkipped
	switch {
	case !r.State.Final() || r.EndedAt.IsZero():
		m.problem("row %s has not ended", rowText(r))
	case (r.Reason == "") != (r.State == jobcenter.RunSucceeded):
		m.problem("row %s has no true reason", rowText(r))
	case r.FireCount != 1 && (ran || r.Origin != jobcenter.OriginSchedule):
		m.problem("row %s is of several fire times", rowText(r))
	case !r.StartedAt.IsZero() && (r.StartedAt.Before(r.FireTime) || r.EndedAt.Before(r.StartedAt) || r.Attempt == 0):
		m.problem("row %s, attempt %d, started at %s and ended at %s", rowText(r), r.Attempt, r.StartedAt.Sub(begun()), r.EndedAt.Sub(begun()))
	case r.EndedAt.Before(r.LastFireTime) && r.Origin == jobcenter.OriginSchedule:
		m.problem("row %s ended at %s", rowText(r), r.EndedAt.Sub(begun()))
	}
}

// checkCovered lists all fire times that a job had, by the triggers that it had
// one after the other, and looks for the one row that each must have.
func (m *model) checkCovered(id string, rows []jobcenter.Run) {
	var times []time.Time
	for _, p := range m.plans {
		if p.job.ID != id {
			continue
		}
		end := p.to // the fire times of the plan end with it,
		if j := m.jobs[id]; end.IsZero() && j != nil {
			end = j.NextFireTime.Add(-time.Microsecond) // or before the next one
			if j.NextFireTime.IsZero() {
				end = m.now
			}
			times = append(times, p.job.closed(p.from, later(j.recorded, j.PreviousFireTime).Add(time.Microsecond))...)
		} else {
			times = append(times, p.job.closed(p.from, end.Add(time.Microsecond))...)
		}
		for fire := p.job.next(p.from); !p.job.plan.atStart && !fire.IsZero() && !fire.After(end); fire = p.job.next(fire) {
			times = append(times, fire)
		}
	}
	slices.SortFunc(times, time.Time.Compare)
	for i := range rows {
		r := &rows[i]
		if r.Origin != jobcenter.OriginSchedule || m.atStarts[r.ID] {
			continue
		}
		n := int(r.FireCount)
		if n > len(times) || !times[0].Equal(r.FireTime) || !times[n-1].Equal(r.LastFireTime) {
			next := "none"
			if len(times) > 0 {
				next = times[0].Sub(begun()).String()
			}
			m.problem("row %s is not the next fire time of %d, which is %s", rowText(r), len(times), next)
			return
		}
		times = times[n:]
	}
	if len(times) > 0 {
		m.problem("%s has no rows for %d fire times from %s on", id, len(times), times[0].Sub(begun()))
	}
}

// checkEvents compares what a scheduler told with what it had to tell.
func (n *modelNode) checkEvents() {
	m := n.world.m
	want, got := map[string][]toldEvent{}, map[string][]toldEvent{}
	for _, e := range n.told {
		want[e.job] = append(want[e.job], e)
	}
	for _, e := range n.heard {
		if e.Type == jobcenter.EventsDropped {
			m.problem("%s dropped %d events", n.name, e.Count)
			return
		}
		heard := toldEvent{at: micros(e.At), kind: e.Type, job: e.Job.ID}
		if e.Run != nil {
			heard.run, heard.attempt, heard.state, heard.reason = e.Run.ID, e.Run.Attempt, e.Run.State, e.Run.Reason
		} else {
			heard.version = e.Job.Version
		}
		if e.Node != n.name || e.Store != jobcenter.DefaultStore {
			m.problem("%s told %s as of node %q and store %q", n.name, heard, e.Node, e.Store)
		}
		got[heard.job] = append(got[heard.job], heard)
	}
	for _, id := range slices.Sorted(maps.Keys(want)) {
		n.compareEvents(id, want[id], got[id])
		delete(got, id)
	}
	for _, id := range slices.Sorted(maps.Keys(got)) {
		m.problem("%s told of %s: %s", n.name, id, got[id][0])
	}
}

// compareEvents compares the events of one job. Those of one instant may come
// in another order, as long as those of each run, and those of the job itself,
// come in theirs.
func (n *modelNode) compareEvents(id string, want, got []toldEvent) {
	m := n.world.m
	for _, w := range want {
		if !w.maybe {
			continue
		}
		w.maybe = false
		same := func(e toldEvent) bool { return e == w }
		if at := indexes(got, same); len(at) > len(indexes(want, same)) {
			got = slices.Delete(got, at[len(at)-1], at[len(at)-1]+1)
		}
	}
	for _, w := range want {
		if w.maybe {
			continue
		}
		at := slices.Index(got, w)
		if at < 0 {
			m.problem("%s did not tell %s, but %s", n.name, w, around(got, w.at))
			return
		}
		// Before it may come only what is of the same instant, and of other runs.
		for _, before := range got[:at] {
			// A run may be stopped at the very instant at which it is queued.
			stopped := w.kind == jobcenter.EventRunQueued && before.kind == jobcenter.EventRunEnded && before.state == jobcenter.RunStopped
			if !before.at.Equal(w.at) || before.run == w.run && !stopped {
				m.problem("%s told %s before %s", n.name, before, w)
				return
			}
		}
		got = slices.Delete(got, at, at+1)
	}
	if len(got) > 0 {
		m.problem("%s told of %s without reason: %s", n.name, id, got[0])
	}
}

// around are the events about an instant.
func around(list []toldEvent, at time.Time) string {
	var texts []string
	for _, e := range list {
		if d := e.at.Sub(at); d.Abs() < time.Second {
			texts = append(texts, e.String())
		}
	}
	return fmt.Sprintf("[%s]", strings.Join(texts, "; "))
}
