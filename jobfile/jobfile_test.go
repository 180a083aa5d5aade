package jobfile_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/jobfile"
	"github.com/jobcenter-go/jobcenter/trigger"
)

func fullJob(t *testing.T) jobcenter.Job {
	t.Helper()
	daily, err := trigger.ParseText(`crontab "30 2 * * *" timezone=Asia/Shanghai`, nil)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 3, 1, 2, 30, 0, 123456000, time.UTC)
	return jobcenter.Job{
		ID: "nightly", Name: "夜间备份: \"all\"\n- yes", Description: "one\ntwo # three", Tags: []string{"db", "off", "1"}, Task: "backup",
		Args: []byte(`{"on":true,"n":1e3,"big":12345678901234567890,"s":"0x10","t":"true","nul":null,"e":"","d":"2026-01-01"}`), Trigger: daily, Store: "main", Executor: "pool", Priority: -3,
		MisfireGrace: jobcenter.NeverTooLate, Coalesce: jobcenter.CoalesceAll, CatchUp: jobcenter.CatchUp{Max: 5, MaxAge: time.Hour, Pace: time.Second},
		Overlap: jobcenter.OverlapQueueOne, MaxInstances: 2, Limit: jobcenter.Limit{Key: "db", Running: 1, Rate: 3, Per: time.Minute},
		Timeout: 90 * time.Second, Retry: jobcenter.Retry{
			Attempts: 3, Delay: time.Minute, Factor: 1.5, MaxDelay: time.Hour, Jitter: 0.25,
			On: []jobcenter.Reason{jobcenter.ReasonTimeout}, ExitCodes: []int{1, 75},
		},
		RequestsRecovery: true, Paused: true, PausedUntil: at, PauseReason: "no", SkipUntil: at,
		Version: 7, NextFireTime: at, PreviousFireTime: at, Carried: []byte(`[1,2]`), LastResult: []byte(`"~"`), CreatedAt: at, UpdatedAt: at,
	}
}

func sameJobs(want, got []jobcenter.Job) string {
	return cmp.Diff(want, got, cmpopts.IgnoreUnexported(jobcenter.Job{}), cmp.FilterPath(
		func(p cmp.Path) bool { return p.String() == "Trigger" },
		cmp.Comparer(func(a, b trigger.Trigger) bool {
			x, _ := trigger.Marshal(a)
			y, _ := trigger.Marshal(b)
			return bytes.Equal(x, y)
		})),
		cmp.Comparer(func(a, b json.RawMessage) bool { return cmp.Equal(value(a), value(b)) }))
}

func value(raw json.RawMessage) (v any) {
	if json.Unmarshal(raw, &v) != nil {
		return string(raw)
	}
	return v
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	full := fullJob(t)
	bare := full
	bare.Version, bare.Carried, bare.LastResult = 0, nil, nil
	bare.NextFireTime, bare.PreviousFireTime, bare.CreatedAt, bare.UpdatedAt = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	for _, format := range []jobfile.Format{jobfile.JSON, jobfile.YAML} {
		for name, test := range map[string]struct {
			opts jobfile.Options
			want jobcenter.Job
		}{
			"definition": {jobfile.Options{}, bare},
			"state":      {jobfile.Options{State: true}, full},
		} {
			t.Run(string(format)+" "+name, func(t *testing.T) {
				t.Parallel()
				var file bytes.Buffer
				if err := jobfile.Write(&file, format, []jobcenter.Job{full}, test.opts); err != nil {
					t.Fatal(err)
				}
				got, err := jobfile.Read(&file, format)
				if err != nil {
					t.Fatal(err)
				}
				if diff := sameJobs([]jobcenter.Job{test.want}, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		}
	}
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ text, want string }{
		"another version":   {"version: 2\njobs: []\n", "version 2, allowed: 1"},
		"an unknown key":    {"version: 1\njob: []\n", `"job"`},
		"a job's key":       {"version: 1\njobs:\n- id: a\n  tsk: x\n", `job "a"`},
		"no trigger":        {"version: 1\njobs:\n- id: a\n  task: x\n", `job "a": trigger: is missing`},
		"a bad trigger":     {"version: 1\njobs:\n- task: x\n  trigger: every so often\n", "job 1: trigger: "},
		"a bad duration":    {"version: 1\njobs:\n- id: a\n  task: x\n  timeout: 5 minutes\n  trigger: '@daily'\n", `"5 minutes"`},
		"no YAML":           {"version: [1\n", "jobfile: "},
		"a list":            {"- 1\n", "jobfile: "},
		"nothing":           {"", "version 0"},
		"a bomb of aliases": {"version: 1\njobs: &a [*a,*a,*a,*a]\n", "jobfile: "},
		"a key twice":       {"version: 1\nversion: 1\njobs: []\n", "jobfile: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			jobs, err := jobfile.Read(strings.NewReader(test.text), jobfile.YAML)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Read = %v, %v; want an error with %q", jobs, err, test.want)
			}
		})
	}
	if _, err := jobfile.Read(strings.NewReader("{} {}"), jobfile.JSON); err == nil {
		t.Error("read two objects")
	}
	if _, err := jobfile.Read(strings.NewReader(""), "toml"); err == nil {
		t.Error("read an unknown format")
	}
}

func TestWriteRefusesFuncs(t *testing.T) {
	t.Parallel()
	job := fullJob(t)
	job.Func = func(context.Context, *jobcenter.RunContext) error { return nil }
	if err := jobfile.Write(&bytes.Buffer{}, jobfile.YAML, []jobcenter.Job{job}, jobfile.Options{}); err == nil {
		t.Error("wrote a function")
	}
}

func FuzzReadYAML(f *testing.F) {
	f.Add("version: 1\njobs:\n- id: a\n  task: x\n  trigger: '@daily'\n  timeout: 1m\n")
	f.Add("version: 1\njobs: [{id: a, task: x, trigger: {type: interval, minutes: 5}, retry: {attempts: 3, on: [timeout]}}]")
	f.Fuzz(func(t *testing.T, text string) {
		jobs, err := jobfile.Read(strings.NewReader(text), jobfile.YAML)
		if err != nil {
			return
		}
		var file bytes.Buffer
		if err := jobfile.Write(&file, jobfile.JSON, jobs, jobfile.Options{State: true}); err != nil {
			return // a time zone without a name, say
		}
		again, err := jobfile.Read(&file, jobfile.JSON)
		if err != nil {
			t.Fatalf("%s: %v", file.String(), err)
		}
		if diff := sameJobs(jobs, again); diff != "" {
			t.Errorf("(-first +again):\n%s", diff)
		}
	})
}

func ExampleWrite() {
	daily, err := trigger.ParseText("@daily", nil)
	if err != nil {
		panic(err)
	}
	jobs := []jobcenter.Job{{ID: "report", Task: "report", Trigger: daily, Timeout: time.Minute}}
	if err := jobfile.Write(os.Stdout, jobfile.YAML, jobs, jobfile.Options{}); err != nil {
		panic(err)
	}
	// Output:
	// version: 1
	// jobs:
	//   - id: report
	//     task: report
	//     trigger:
	//       type: crontab
	//       expression: '@daily'
	//       timezone: UTC
	//     timeout: 1m0s
}
