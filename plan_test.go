package jobcenter

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// every is a trigger that fires at each multiple of its length.
type every time.Duration

func (e every) Next(after time.Time) (time.Time, bool) {
	return after.Truncate(time.Duration(e)).Add(time.Duration(e)), true
}

// only is a trigger with the given fire times.
type only []time.Time

func (o only) Next(after time.Time) (time.Time, bool) {
	for _, t := range o {
		if t.After(after) {
			return t, true
		}
	}
	return time.Time{}, false
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) //nolint:gochecknoglobals // a constant that Go cannot write

// brief writes the rows of a decision as "state/reason first..last ×count", in seconds from noon.
func brief(runs []Run) []string {
	var lines []string
	for _, r := range runs {
		line := fmt.Sprintf("%s/%s %d", r.State, r.Reason, int(r.FireTime.Sub(noon).Seconds()))
		if r.FireCount != 1 || !r.LastFireTime.Equal(r.FireTime) {
			line += fmt.Sprintf("..%d ×%d", int(r.LastFireTime.Sub(noon).Seconds()), r.FireCount)
		}
		lines = append(lines, line)
	}
	return lines
}

func TestPlan(t *testing.T) {
	t.Parallel()
	second := every(time.Second)
	tests := map[string]struct {
		job    Job
		active int
		after  time.Duration // now is noon + after; the job is due since noon
		want   []string
		next   time.Duration // from noon; -1 none
	}{
		"on time": {job: Job{Trigger: second}, want: []string{"queued/ 0"}, next: time.Second},
		"several due, latest runs": {
			job: Job{Trigger: second}, after: 3 * time.Second,
			want: []string{"skipped/coalesced 0..2 ×3", "queued/ 3"}, next: 4 * time.Second,
		},
		"several due, earliest runs": {
			job: Job{Trigger: second, Coalesce: CoalesceEarliest}, after: 3 * time.Second,
			want: []string{"queued/ 0", "skipped/coalesced 1..3 ×3"}, next: 4 * time.Second,
		},
		"several due, all run": {
			job: Job{Trigger: second, Coalesce: CoalesceAll}, after: 2 * time.Second,
			want: []string{"queued/ 0", "queued/ 1", "queued/ 2"}, next: 3 * time.Second,
		},
		"a fire at the end of the grace still runs": {
			job: Job{Trigger: second, MisfireGrace: 2 * time.Second, Coalesce: CoalesceAll}, after: 3 * time.Second,
			want: []string{"missed/misfire 0", "queued/ 1", "queued/ 2", "queued/ 3"}, next: 4 * time.Second,
		},
		"a week away is two rows and a run": {
			job: Job{Trigger: second}, after: 7 * 24 * time.Hour,
			want: []string{"missed/misfire 0..604739 ×604740", "skipped/coalesced 604740..604799 ×60", "queued/ 604800"}, next: 604801 * time.Second,
		},
		"never too late": {
			job: Job{Trigger: every(12 * time.Hour), MisfireGrace: NeverTooLate}, after: 40 * time.Hour,
			want: []string{"skipped/coalesced 0..86400 ×3", "queued/ 129600"}, next: 48 * time.Hour,
		},
		"grace of a rare job is an hour": {
			job: Job{Trigger: only{noon}}, after: time.Hour, want: []string{"queued/ 0"}, next: -1,
		},
		"later than that is missed": {
			job: Job{Trigger: only{noon}}, after: time.Hour + time.Microsecond, want: []string{"missed/misfire 0"}, next: -1,
		},
		"hourly is not more often than hourly": {
			job: Job{Trigger: every(time.Hour)}, after: 30 * time.Minute, want: []string{"queued/ 0"}, next: time.Hour,
		},
		"overlap": {
			job: Job{Trigger: second}, active: 1, after: 2 * time.Second,
			want: []string{"skipped/overlap 0..2 ×3"}, next: 3 * time.Second,
		},
		"overlap with earliest is one span in order": {
			job: Job{Trigger: second, Coalesce: CoalesceEarliest}, active: 1, after: 2 * time.Second,
			want: []string{"skipped/overlap 0..2 ×3"}, next: 3 * time.Second,
		},
		"second instance allowed": {
			job: Job{Trigger: second, MaxInstances: 2}, active: 1, want: []string{"queued/ 0"}, next: time.Second,
		},
		"not due yet": {job: Job{Trigger: second}, after: -time.Second, next: 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.job.NextFireTime = noon
			test.job.MaxInstances = max(1, test.job.MaxInstances)
			got := plan(test.job, Active{Running: test.active}, noon.Add(test.after))
			if diff := cmp.Diff(test.want, brief(got.Runs)); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
			want := noon.Add(test.next)
			if test.next == -1 {
				want = time.Time{}
			}
			if !got.Next.Equal(want) {
				t.Errorf("next = %v, want %v", got.Next, want)
			}
			if got.Quarantine != "" {
				t.Errorf("quarantine = %q", got.Quarantine)
			}
		})
	}
}

// However many fire times are due, by whatever rules: each is covered by
// exactly one row, and the rows' spans neither touch nor cross.
func TestPlanCoversEachFireTimeOnce(t *testing.T) {
	t.Parallel()
	for _, coalesce := range []Coalesce{CoalesceLatest, CoalesceEarliest, CoalesceAll} {
		for active := range 2 {
			for _, seconds := range []int{0, 1, 2, 59, 60, 61, 62, 1500, 5000} {
				job := Job{Trigger: every(time.Second), Coalesce: coalesce, MaxInstances: 1, NextFireTime: noon, MisfireGrace: 2000 * time.Second}
				got := plan(job, Active{Running: active}, noon.Add(time.Duration(seconds)*time.Second))
				covered := map[int64]int{}
				var total int64
				for _, run := range got.Runs {
					total += run.FireCount
					for at := run.FireTime; !at.After(run.LastFireTime); at = at.Add(time.Second) {
						covered[at.Unix()]++
					}
				}
				if total != int64(seconds)+1 || len(covered) != seconds+1 {
					t.Errorf("%s, active %d, %d s: %d fires in %d rows cover %d instants, want %d", coalesce, active, seconds, total, len(got.Runs), len(covered), seconds+1)
				}
				for at, n := range covered {
					if n != 1 {
						t.Errorf("%s, active %d, %d s: %d is covered %d times", coalesce, active, seconds, at, n)
					}
				}
			}
		}
	}
}

type broken struct{ backwards bool }

func (b broken) Next(after time.Time) (time.Time, bool) {
	if b.backwards {
		return after.Add(-time.Second), true
	}
	panic("no idea")
}

func TestPlanQuarantinesWhatItCannotAsk(t *testing.T) {
	t.Parallel()
	for name, job := range map[string]Job{
		"no trigger": {},
		"panic":      {Trigger: broken{}},
		"backwards":  {Trigger: broken{backwards: true}},
	} {
		job.NextFireTime, job.MaxInstances = noon, 1
		if got := plan(job, Active{}, noon.Add(time.Second)); got.Quarantine == "" || len(got.Runs) != 0 {
			t.Errorf("%s: %+v, want quarantine without rows", name, got)
		}
	}
}

func BenchmarkPlanAfterAWeek(b *testing.B) {
	job := Job{Trigger: every(time.Second), MaxInstances: 1, NextFireTime: noon}
	now := noon.Add(7 * 24 * time.Hour)
	b.ReportAllocs()
	for b.Loop() {
		plan(job, Active{}, now)
	}
}
