// Testsum adds up what test runners wrote in their own formats, names what
// failed and what was skipped, and closes with one line for all of them.
//
//	testsum FOLDER NAME,FORMAT,EXIT…
//
// The results of suite NAME are in FOLDER/NAME.json, EXIT is what its runner
// returned. It fails if a test failed, or if one was skipped and CI=true
// because a runner was missing.
package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// test is the result of one test that did not pass.
type test struct{ name, why string }

// result is what became of a suite.
type result struct {
	passed          int
	failed, skipped []test
}

func (r *result) fail(name, why string) { r.failed = append(r.failed, test{name, why}) }
func (r *result) skip(name, why string) { r.skipped = append(r.skipped, test{name, why}) }

func main() {
	summary, failed, err := run(os.Args[1:], os.Getenv("CI") == "true")
	fmt.Print(summary)
	if err != nil {
		fmt.Fprintln(os.Stderr, "testsum:", err)
	}
	if failed || err != nil {
		os.Exit(1)
	}
}

func run(args []string, ci bool) (summary string, failed bool, err error) {
	if len(args) < 2 {
		return "", false, errors.New("usage: testsum FOLDER NAME,FORMAT,EXIT…")
	}
	var total result
	w := &strings.Builder{}
	fmt.Fprintf(w, "\n%-20s %8s %8s %8s\n", "suite", "passed", "failed", "skipped")
	for _, arg := range args[1:] {
		part := strings.Split(arg, ",")
		if len(part) != 3 {
			return "", false, fmt.Errorf("suite %q: want NAME,FORMAT,EXIT", arg)
		}
		r := read(os.DirFS(args[0]), part[0]+".json", part[1], part[2] == "0", ci)
		fmt.Fprintf(w, "%-20s %8d %8d %8d\n", part[0], r.passed, len(r.failed), len(r.skipped))
		total.passed += r.passed
		for _, t := range r.failed {
			total.fail(part[0]+": "+t.name, t.why)
		}
		for _, t := range r.skipped {
			total.skip(part[0]+": "+t.name, t.why)
		}
	}
	list(w, "skipped", total.skipped)
	list(w, "failed", total.failed)
	fmt.Fprintf(w, "\n%d passed, %d failed, %d skipped\n", total.passed, len(total.failed), len(total.skipped))
	return w.String(), len(total.failed) > 0, nil
}

func list(w *strings.Builder, title string, tests []test) {
	if len(tests) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s:\n", title)
	for _, t := range tests {
		why, _, _ := strings.Cut(t.why, "\n")
		fmt.Fprintln(w, strings.TrimSuffix("  "+t.name+": "+why, ": "))
	}
}

// read reads the results of one suite. A runner that says it failed, but not
// of which test, is a failure itself; so is one that tested nothing.
func read(folder fs.FS, file, format string, exitOK, ci bool) result {
	r := result{}
	var err error
	switch format {
	case "exit":
	case "go":
		r, err = readFile(folder, file, readGo)
	case "vitest":
		r, err = readFile(folder, file, readVitest)
	case "playwright":
		r, err = readFile(folder, file, readPlaywright)
	case "skipped":
		r, err = readFile(folder, file, readSkipped)
		if ci {
			r.failed, r.skipped = r.skipped, nil
		}
	default:
		err = fmt.Errorf("unknown format %q", format)
	}
	switch tested := r.passed+len(r.failed)+len(r.skipped) > 0; {
	case err != nil:
		r.fail("results", err.Error())
	case !exitOK && len(r.failed) == 0:
		r.fail("runner", "failed, see above")
	case !tested && format != "exit":
		r.fail("runner", "found no test")
	}
	return r
}

func readFile(folder fs.FS, name string, read func(io.Reader) (result, error)) (result, error) {
	file, err := folder.Open(name)
	if err != nil {
		return result{}, err
	}
	defer func() { _ = file.Close() }()
	return read(file)
}
