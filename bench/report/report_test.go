package main

import (
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	r, err := parse(`=== ATTR  TestContestants date 2026-08-01
=== ATTR  TestContestants go go1.26.0 linux/amd64
=== ATTR  TestContestants jobcenter github.com/jobcenter-go/jobcenter ../
=== ATTR  TestContestants robfig github.com/robfig/cron/v3 v3.0.1
=== ATTR  TestContestants gorhill github.com/gorhill/cronexpr v0.0.0
=== ATTR  TestAnswers/*/5_*_*_*_*/America/New_York jobcenter right
=== ATTR  TestAnswers/*/5_*_*_*_*/America/New_York robfig 1 of 2 wrong, first after noon: one, not two
=== ATTR  TestAnswers/0_9_*_*_1-5/UTC go-quartz cannot say it: no
cpu: Slow
BenchmarkNext
BenchmarkNext/*/5_*_*_*_*/America/New_York/jobcenter
BenchmarkNext/*/5_*_*_*_*/America/New_York/jobcenter-2   	 100	 10.0 ns/op	 0 B/op	 0 allocs/op
BenchmarkNext/*/5_*_*_*_*/America/New_York/jobcenter-2   	 100	 30.0 ns/op	 0 B/op	 0 allocs/op
BenchmarkNext/*/5_*_*_*_*/America/New_York/robfig-2      	 100	 410 ns/op	 8 B/op	 1 allocs/op
BenchmarkNext/*/5_*_*_*_*/America/New_York/robfig-2      	 100	 390 ns/op	 8 B/op	 1 allocs/op
BenchmarkNext/*/5_*_*_*_*/America/New_York/gorhill-2     	 100	 900 ns/op	 0 B/op	 0 allocs/op
BenchmarkParse/0_9_*_*_1-5/jobcenter-json-2              	 100	 500 ns/op	 8 B/op	 2 allocs/op
BenchmarkParse/0_9_*_*_1-5/jobcenter-2                   	 100	 200 ns/op	 8 B/op	 1 allocs/op
BenchmarkParse/0_9_*_*_1-5/robfig-2                      	 100	 700 ns/op	 8 B/op	 9 allocs/op
`)
	if err != nil {
		t.Fatal(err)
	}
	text := r.markdown()
	for _, want := range []string{
		"2026-08-01, go1.26.0 linux/amd64, Slow.",
		"| robfig | github.com/robfig/cron/v3 | v3.0.1 |",
		"| `*/5 * * * *` | America/New_York | 20.0 | 400 · 1 ✗ | 900 | robfig 20.0× | gorhill 45.0× |",
		"| `0 9 * * 1-5` |  | 200 · 1 | 500 · 2 | 700 · 9 | robfig 3.5× | robfig 3.5× |",
		"| `*/5 * * * *` | America/New_York | robfig | 1 of 2 wrong, first after noon: one, not two |",
		"| `0 9 * * 1-5` | UTC | go-quartz | no |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestNothingToReport(t *testing.T) {
	if _, err := parse("PASS\n"); err == nil {
		t.Error("got a report of nothing, want an error")
	}
}
