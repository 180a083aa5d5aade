package jobcenter_test

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/trigger"
)

func TestWhy(t *testing.T) {
	t.Parallel()
	minutely := func(t *testing.T) jobcenter.Job {
		t.Helper()
		return jobcenter.Job{ID: "j", Trigger: interval(t, time.Minute)}
	}
	add := func(b *bench) { b.add(minutely(b.t)) }
	for name, test := range map[string]struct {
		work    jobcenter.TaskFunc
		setup   func(b *bench) // at the beginning
		later   func(b *bench) // ten minutes and a half later; nil for nothing
		at      time.Duration  // the instant that is asked about
		verdict jobcenter.Verdict
		reason  jobcenter.Reason
		english string // what the text has
		chinese string
	}{
		"it ran": {nothing, add, nil, 5 * time.Minute, jobcenter.VerdictRan, "", "it succeeded", "成功"},
		"it failed": {
			func(context.Context, *jobcenter.RunContext) error { return errUnlucky }, add, nil, 5 * time.Minute,
			jobcenter.VerdictRan, jobcenter.ReasonError, "it failed: the task returned an error (no luck)", "失败: 任务返回错误",
		},
		"it runs": {
			lasting(50 * time.Second), add, nil, 10 * time.Minute, jobcenter.VerdictRan, "", "attempt 1: it is running", "正在运行",
		},
		"no fire time":   {nothing, add, nil, 330 * time.Second, jobcenter.VerdictNoFire, "", "the last fire time before is 2000-01-01 00:05:00", "之后最近一次是 2000-01-01 00:06:00"},
		"before the job": {nothing, add, nil, -time.Hour, jobcenter.VerdictNoFire, "", "added at 2000-01-01 00:00:00", "才创建"},
		"to come":        {nothing, add, nil, 20 * time.Minute, jobcenter.VerdictWill, "", "it will run", "将会运行"},
		"between fires to come": {
			nothing, add, nil, 1230 * time.Second, jobcenter.VerdictNoFire, "", "the next one after is 2000-01-01 00:21:00", "不触发",
		},
		"waits for its executor": {
			untilDone, func(b *bench) {
				b.add(jobcenter.Job{ID: "busy", Trigger: date(b.t, begun().Add(time.Minute)), Priority: 1})
				b.add(jobcenter.Job{ID: "j", Trigger: date(b.t, begun().Add(time.Minute))})
			}, nil, time.Minute, jobcenter.VerdictWaits, "", "waits for its executor", "等待执行器",
		},
		"waits for its next attempt": {
			func(context.Context, *jobcenter.RunContext) error { return errUnlucky },
			func(b *bench) {
				b.add(jobcenter.Job{ID: "j", Trigger: date(b.t, begun().Add(time.Minute)), Retry: jobcenter.Retry{Attempts: 2, Delay: time.Hour}})
			}, nil, time.Minute, jobcenter.VerdictWaits, jobcenter.ReasonError, "attempt 1 failed, the next one is not before 2000-01-01 01:01:00", "第 1 次尝试失败",
		},
		"overlap": {
			untilDone, add, nil, 5 * time.Minute, jobcenter.VerdictNotRun, jobcenter.ReasonOverlap, "as many runs as it may have", "足够多的执行",
		},
		"missed": {
			nothing, func(b *bench) { add(b); b.Standby(true) }, func(b *bench) { b.Standby(false); b.wait(0) }, 5 * time.Minute,
			jobcenter.VerdictNotRun, jobcenter.ReasonMisfire, "one of 9 fire times from 2000-01-01 00:01:00 UTC to 2000-01-01 00:09:00 UTC", "共 9 个触发时间",
		},
		"between the fire times of a span": {
			nothing, func(b *bench) { add(b); b.Standby(true) }, func(b *bench) { b.Standby(false); b.wait(0) }, 330 * time.Second,
			jobcenter.VerdictNoFire, "", "does not fire at this instant", "不触发",
		},
		"a span of a trigger that is gone": {
			nothing, func(b *bench) { add(b); b.Standby(true) }, func(b *bench) {
				b.Standby(false)
				b.wait(0)
				if _, err := b.Reschedule(b.t.Context(), "j", parsed(b.t, `crontab "17 3 * * *"`)); err != nil {
					b.t.Error(err)
				}
			}, 330 * time.Second,
			jobcenter.VerdictNotRun, jobcenter.ReasonMisfire, "one of 9 fire times", "错过",
		},
		"on standby": {
			nothing, func(b *bench) { add(b); b.Standby(true) }, nil, 5 * time.Minute, jobcenter.VerdictWaits, "", "it is due, and no scheduler has taken it yet: jobcenter: the scheduler is on standby", "还没有被取走",
		},
		"not running": {
			nothing, func(b *bench) { add(b); b.stop() }, nil, 5 * time.Minute, jobcenter.VerdictWaits, "", "the scheduler is not running", "还没有被取走",
		},
		"paused": {
			nothing, add, func(b *bench) { b.pause("j", jobcenter.PauseOptions{Reason: "holidays"}) }, 20 * time.Minute,
			jobcenter.VerdictWillNot, jobcenter.ReasonPaused, "the job is paused: holidays", "任务已暂停: holidays",
		},
		"paused for a while": {
			nothing, add, func(b *bench) { b.pause("j", jobcenter.PauseOptions{Until: begun().Add(20 * time.Minute)}) }, 20 * time.Minute,
			jobcenter.VerdictWillNot, jobcenter.ReasonPaused, "until 2000-01-01 00:20:00", "直到 2000-01-01 00:20:00",
		},
		"after a pause": {
			nothing, add, func(b *bench) { b.pause("j", jobcenter.PauseOptions{Until: begun().Add(20 * time.Minute)}) }, 21 * time.Minute,
			jobcenter.VerdictWill, "", "it will run", "将会运行",
		},
		"during a pause": {
			nothing, add, func(b *bench) { b.pause("j", jobcenter.PauseOptions{}); b.wait(5 * time.Minute) }, 13 * time.Minute,
			jobcenter.VerdictWillNot, jobcenter.ReasonPaused, "the job is paused", "任务已暂停",
		},
		"was paused": {
			nothing, add, func(b *bench) { b.pause("j", jobcenter.PauseOptions{}); b.wait(5 * time.Minute); b.resume("j") }, 13 * time.Minute,
			jobcenter.VerdictNotRun, jobcenter.ReasonPaused, "the job was paused; one of 5 fire times", "任务已暂停；共 5 个",
		},
		"to be skipped": {
			nothing, add, func(b *bench) {
				if _, err := b.SkipNext(b.t.Context(), "j"); err != nil {
					b.t.Error(err)
				}
			}, 11 * time.Minute,
			jobcenter.VerdictWillNot, jobcenter.ReasonSkip, "somebody asked for it", "有人要求跳过",
		},
		"quarantine": {
			nothing, add, func(b *bench) {
				alter(b.t, b.Store(), "j", func(job *jobcenter.Job) { job.Quarantine = "trigger panicked: ouch" })
			}, 20 * time.Minute,
			jobcenter.VerdictWillNot, "", "in quarantine and does not fire: trigger panicked: ouch", "任务被隔离",
		},
		"quarantine without a trigger": {
			nothing, add, func(b *bench) {
				alter(b.t, b.Store(), "j", func(job *jobcenter.Job) { job.Trigger, job.Quarantine = nil, "trigger: no idea" })
			}, 20 * time.Minute,
			jobcenter.VerdictWillNot, "", "trigger: no idea", "任务被隔离",
		},
		"finished": {
			nothing, func(b *bench) { b.add(jobcenter.Job{ID: "j", Trigger: date(b.t, begun().Add(time.Minute))}) }, func(b *bench) {
				alter(b.t, b.Store(), "j", func(job *jobcenter.Job) { job.Trigger = interval(b.t, time.Minute) })
			}, 20 * time.Minute,
			jobcenter.VerdictWillNot, "", "no further fire time", "不再触发",
		},
		"of another trigger": {
			nothing, func(b *bench) { b.add(jobcenter.Job{ID: "j", Trigger: parsed(b.t, `crontab "0 * * * *"`)}) }, func(b *bench) {
				if _, err := b.Reschedule(b.t.Context(), "j", parsed(b.t, `crontab "* * * * *"`)); err != nil {
					b.t.Error(err)
				}
			}, 5 * time.Minute,
			jobcenter.VerdictUnknown, "", "the job was last changed at 2000-01-01 00:10:30", "任务在 2000-01-01 00:10:30 UTC 修改过",
		},
		"at each start": {
			nothing, func(b *bench) { b.add(jobcenter.Job{ID: "j", Trigger: reboot(b.t)}) }, nil, 5 * time.Minute,
			jobcenter.VerdictNoFire, "", "when a scheduler starts only", "只在调度器启动时运行",
		},
		"closed by a calendar": {
			nothing, func(b *bench) { b.add(jobcenter.Job{ID: "j", Trigger: weekdaysOnly(b.t)}) }, nil, 5 * time.Minute,
			jobcenter.VerdictNotRun, jobcenter.ReasonCalendar, "closed by the trigger's calendar", "被触发器的日历排除",
		},
		"to be closed by a calendar": {
			nothing, func(b *bench) { b.add(jobcenter.Job{ID: "j", Trigger: weekdaysOnly(b.t)}) }, nil, time.Hour,
			jobcenter.VerdictWillNot, jobcenter.ReasonCalendar, "closed by the trigger's calendar", "被触发器的日历排除",
		},
		"removed": {
			nothing, add, func(b *bench) {
				if err := b.Remove(b.t.Context(), "j"); err != nil {
					b.t.Error(err)
				}
			}, 5 * time.Minute, jobcenter.VerdictRan, "", "it succeeded", "成功",
		},
		"stopped while it waited": {
			untilDone, func(b *bench) {
				b.add(jobcenter.Job{ID: "busy", Trigger: never(b.t)})
				b.run("busy")
				b.add(jobcenter.Job{ID: "j", Trigger: date(b.t, begun().Add(time.Minute))})
			}, func(b *bench) {
				if err := b.StopRun(b.t.Context(), b.only("j").ID, "li"); err != nil {
					b.t.Error(err)
				}
			}, time.Minute, jobcenter.VerdictNotRun, jobcenter.ReasonStop, "it was stopped (stopped by li)", "已被停止",
		},
		"store down": {
			nothing, add, func(b *bench) {
				store, _ := b.Store().(*troubled)
				store.set(true, "NextDue")
				b.wait(time.Minute)
			}, 11 * time.Minute, jobcenter.VerdictWaits, "", "the store is down", "还没有被取走",
		},
		"unknown task": {
			nothing, add, func(b *bench) {
				alter(b.t, b.Store(), "j", func(job *jobcenter.Job) { job.Task = "gone" })
				b.wait(40 * time.Second)
			}, 11 * time.Minute, jobcenter.VerdictWaits, "", `unknown task "gone"`, "还没有被取走",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := begin(t, jobcenter.Options{Store: newTroubled(jobcenter.NewMemoryStore(0)), Node: "n", Executors: poolOf(t, 1)}, test.work)
				b.wait(0)
				test.setup(b)
				b.wait(10*time.Minute + 30*time.Second)
				if test.later != nil {
					test.later(b)
				}
				at := begun().Add(test.at)
				why, err := b.Why(t.Context(), "j", at, trigger.English)
				if err != nil {
					t.Fatal(err)
				}
				if why.Verdict != test.verdict || why.Reason != test.reason || !why.At.Equal(at) || !strings.Contains(why.Text, test.english) {
					t.Errorf("why: %s/%s: %s\nwant %s/%s: …%s…", why.Verdict, why.Reason, why.Text, test.verdict, test.reason, test.english)
				}
				if why.Run != nil && (why.Run.FireTime.After(at) || why.Run.LastFireTime.Before(at)) {
					t.Errorf("the row does not cover %s: %s", test.at, row(why.Run))
				}
				if !why.Before.IsZero() && !why.Before.Before(at) || !why.After.IsZero() && !why.After.After(at) {
					t.Errorf("%s lies not between %s and %s", at, why.Before, why.After)
				}
				chinese, err := b.Why(t.Context(), "j", at, trigger.Chinese)
				if err != nil || chinese.Verdict != test.verdict || chinese.Reason != test.reason || !strings.Contains(chinese.Text, test.chinese) {
					t.Errorf("为什么: %s/%s: %s, %v\nwant …%s…", chinese.Verdict, chinese.Reason, chinese.Text, err, test.chinese)
				}
				if words := regexp.MustCompile(`%!|map\[|<nil>`).FindString(why.Text + chinese.Text); words != "" {
					t.Errorf("the text has %q:\n%s\n%s", words, why.Text, chinese.Text)
				}
			})
		})
	}
}

// weekdaysOnly fires each minute, but not on Saturdays, as 1 January 2000 is one, and Sundays.
func weekdaysOnly(t *testing.T) trigger.Trigger {
	t.Helper()
	trig, err := trigger.Parse([]byte(`{"type":"crontab","expression":"* * * * *","calendar":{"layers":[{"exclude":"weekly","days":["sat","sun"]}]}}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	return trig
}

func TestWhyNotFound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		opts := two(jobcenter.NewMemoryStore(0))
		b := begin(t, opts, nothing)
		if _, err := b.Why(t.Context(), "none", begun(), trigger.English); !errors.Is(err, jobcenter.ErrJobNotFound) {
			t.Errorf("an unknown job: %v", err)
		}
		b.add(jobcenter.Job{ID: "j", Store: "second", Trigger: interval(t, time.Minute)})
		b.wait(90 * time.Second)
		if why, err := b.Why(t.Context(), "j", begun().Add(time.Minute), trigger.English); err != nil || why.Verdict != jobcenter.VerdictRan {
			t.Errorf("a job of the second store: %+v, %v", why, err)
		}
		if err := b.Remove(t.Context(), "j"); err != nil {
			t.Fatal(err)
		}
		if why, err := b.Why(t.Context(), "j", begun().Add(time.Minute), trigger.English); err != nil || why.Run == nil {
			t.Errorf("a row of a job that is gone: %+v, %v", why, err)
		}
		if _, err := b.Why(t.Context(), "j", begun().Add(2*time.Minute), trigger.English); !errors.Is(err, jobcenter.ErrJobNotFound) {
			t.Errorf("a fire time of a job that is gone: %v", err)
		}
	})
}

// A run by hand in the midst of a span hides neither the span nor itself, and a
// backfill is none of the schedule's business.
func TestWhyAmongOtherRows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, jobcenter.Options{}, nothing)
		b.add(jobcenter.Job{ID: "j", Trigger: interval(t, time.Minute), MaxInstances: 3})
		b.pause("j", jobcenter.PauseOptions{})
		b.wait(150 * time.Second)
		byHand := b.run("j")
		b.wait(150 * time.Second)
		b.resume("j")
		b.wait(time.Minute)
		if _, _, err := b.Backfill(t.Context(), "j", jobcenter.Backfill{From: begun(), To: begun().Add(5 * time.Minute)}); err != nil {
			t.Fatal(err)
		}
		b.wait(10 * time.Second)
		for at, want := range map[time.Duration]jobcenter.Verdict{
			2 * time.Minute: jobcenter.VerdictNotRun, 4 * time.Minute: jobcenter.VerdictNotRun, 150 * time.Second: jobcenter.VerdictRan, 6 * time.Minute: jobcenter.VerdictRan,
		} {
			why, err := b.Why(t.Context(), "j", begun().Add(at), trigger.English)
			if err != nil || why.Verdict != want || at == 150*time.Second && why.Run.ID != byHand.ID {
				t.Errorf("at %s: %+v, %v; want %s", at, why, err, want)
			}
		}
	})
}
