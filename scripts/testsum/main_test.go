package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Written by the runners themselves, shortened.
const (
	goResults = `{"Action":"start","Package":"p"}
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"--- PASS: TestA (0.00s)\n"}
{"Action":"pass","Package":"p","Test":"TestA","Elapsed":0}
{"Action":"output","Package":"p","Test":"TestA/sub","Output":"    a_test.go:7: needs Linux\n"}
{"Action":"skip","Package":"p","Test":"TestA/sub","Elapsed":0}
{"Action":"pass","Package":"p","Elapsed":0}
{"Action":"fail","Package":"q","Test":"TestB","Elapsed":0}
{"Action":"fail","Package":"q","Elapsed":0}
{"Action":"fail","Package":"does/not/build","Elapsed":0}
`
	vitestResults = `{"testResults":[
{"name":"a.test.ts","status":"passed","message":"","assertionResults":[
 {"fullName":"adds","status":"passed"},{"fullName":"waits","status":"pending"},{"fullName":"breaks","status":"failed"}]},
{"name":"b.test.ts","status":"failed","message":"cannot be loaded\nat line 1","assertionResults":[]}]}`
	playwrightResults = `{"errors":[],"suites":[{"title":"jobs.spec.ts","specs":[
 {"title":"lists","tests":[{"projectName":"","status":"expected","annotations":[]}]}],
 "suites":[{"title":"edit","specs":[
  {"title":"saves","tests":[{"projectName":"dark","status":"unexpected","annotations":[]}]},
  {"title":"often","tests":[{"projectName":"","status":"flaky","annotations":[]}]},
  {"title":"later","tests":[{"projectName":"","status":"skipped","annotations":[{"type":"skip","description":"not yet"}]}]}]}]}]}`
)

func TestRun(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		file   string // of suite s
		suite  string
		ci     bool
		want   string // what follows the table
		failed bool
	}{
		"go": {goResults, "s,go,1", false, `
skipped:
  s: p TestA/sub: needs Linux

failed:
  s: q TestB
  s: does/not/build: did not build, or ended early

1 passed, 2 failed, 1 skipped
`, true},
		"vitest": {vitestResults, "s,vitest,1", false, `
skipped:
  s: waits: pending

failed:
  s: breaks
  s: b.test.ts: cannot be loaded

1 passed, 2 failed, 1 skipped
`, true},
		"playwright": {playwrightResults, "s,playwright,1", false, `
skipped:
  s: jobs.spec.ts › edit › later: not yet

failed:
  s: [dark] jobs.spec.ts › edit › saves
  s: jobs.spec.ts › edit › often: passed only when tried again

1 passed, 2 failed, 1 skipped
`, true},
		"all well":        {`{"Action":"pass","Package":"p","Test":"TestA"}`, "s,go,0", true, "\n1 passed, 0 failed, 0 skipped\n", false},
		"a check":         {"", "s,exit,0", true, "\n0 passed, 0 failed, 0 skipped\n", false},
		"a failed check":  {"", "s,exit,2", false, "\nfailed:\n  s: runner: failed, see above\n\n0 passed, 1 failed, 0 skipped\n", true},
		"failed silently": {`{"Action":"pass","Package":"p","Test":"TestA"}`, "s,go,1", false, "\nfailed:\n  s: runner: failed, see above\n\n1 passed, 1 failed, 0 skipped\n", true},
		"tested nothing":  {`{"suites":[]}`, "s,playwright,0", false, "\nfailed:\n  s: runner: found no test\n\n0 passed, 1 failed, 0 skipped\n", true},
		"broken results":  {`{"suites":`, "s,playwright,0", false, "\nfailed:\n  s: results: unexpected EOF\n\n0 passed, 1 failed, 0 skipped\n", true},
		"no runner":       {"a.spec.ts\tno browser\n", "s,skipped,0", false, "\nskipped:\n  s: a.spec.ts: no browser\n\n0 passed, 0 failed, 1 skipped\n", false},
		"no runner in CI": {"a.spec.ts\tno browser\n", "s,skipped,0", true, "\nfailed:\n  s: a.spec.ts: no browser\n\n0 passed, 1 failed, 0 skipped\n", true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "s.json"), []byte(test.file), 0o600); err != nil {
				t.Fatal(err)
			}
			summary, failed, err := run([]string{dir, test.suite}, test.ci)
			if err != nil || failed != test.failed {
				t.Errorf("failed = %v, %v, want %v", failed, err, test.failed)
			}
			_, got, _ := strings.Cut(strings.TrimPrefix(summary, "\n"), "\n")
			_, got, _ = strings.Cut(got, "\n")
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("summary (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMissingResultsFail(t *testing.T) {
	t.Parallel()
	summary, failed, err := run([]string{t.TempDir(), "s,go,0"}, false)
	if err != nil || !failed || !strings.HasSuffix(summary, "\n0 passed, 1 failed, 0 skipped\n") {
		t.Errorf("failed = %v, %v, want a failure\n%s", failed, err, summary)
	}
}
